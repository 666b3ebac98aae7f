"""What is known of libraries and of C code, as data: the one place for it.

An entry here is a claim about code of others, so each has its test in
`tests/equivalence/test_libraries.py`. What is not named here is found out by looking at the
process.
"""

from __future__ import annotations

SURVIVING_THREADS = {
    "jemalloc_bg_thd": "jemalloc locks before a fork and starts its threads again in the child",
}
"""Native threads that a checkpoint may have, by the kernel's name for them, with the reason.

A fork copies the calling thread only; these are made anew by their own `pthread_atfork` handlers.
Threads that end before a fork (OpenBLAS) need no entry: a trial fork finds that out.
"""


UNFORKABLE: tuple[tuple[str, str | None, str], ...] = (
    ("mpi4py.MPI", None, "MPI must not be forked once it is initialised"),
    ("torch.cuda", "_initialized", "CUDA must not be forked once it is initialised"),
)
"""Libraries that break in a forked process, though no thread or descriptor of theirs shows: never
checkpointed past. Each is in use once its module is in `sys.modules` and the attribute of that is
true (None: as soon as it is imported); then the reason."""

QUIET_AT_EXIT = frozenset(("numpy", "pandas"))
"""Libraries whose C code does nothing at the end of a process that anybody could see."""

HARMLESS_QUESTIONS = frozenset(
    (
        ("execnet", "its process id"),  # PROCESS_IDS
        ("opentelemetry.context", "random bytes"),  # keys, unique in their process
        ("joblib", "its process id"),  # names of files and semaphores that it makes later
        ("dateutil.parser", "the time"),  # takes the day from it, which is proven
        ("joblib", "random bytes"),  # ids of calls, next to its process id
        ("joblib", "the time"),  # from which the messages of a cache count
        ("prometheus_client", "the time"),  # when a metric was made
        ("psutil", "its process id"),  # whether /proc has a file for every process
        ("scipy", "random bytes"),  # generators of distributions, to be seeded by who wants that
        ("sklearn", "random bytes"),  # default arguments
        ("sklearn.callback", "the time"),  # for how long models have been fitted
    )
)
"""(library or module of one, what it asks for at import) where the answer may be that of the
checkpoint: it is not left to each run for that. What the project itself asks for always counts."""

PROCESS_IDS = (("execnet.gateway_base", "pid"),)
"""(module, its attribute) that holds the id of the process since the import: set in each run."""

HARMLESS_ARGUMENTS = frozenset(("pytest_cov.plugin", "pytest_django.plugin"))
"""Modules that are given the arguments before there is any conftest, and look in them for options
of their own, or for the directory of a path."""

STARTUP_VARIABLES = (
    # the dynamic linker, the C library, the interpreter
    "LD_", "GLIBC_", "GCONV_PATH", "LOCPATH", "NLSPATH", "LC_", "LANG", "TZ", "HOME", "PYTHON",
    "ASAN_", "LSAN_", "TSAN_", "UBSAN_",
    # allocators
    "MALLOC_", "JE_MALLOC_", "_RJEM_", "MIMALLOC_", "TCMALLOC_",
    # OpenMP and what else starts threads
    "OMP_", "GOMP_", "KMP_", "ACC_", "TBB_", "RAYON_", "TOKIO_",
    # linear algebra
    "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "VECLIB_", "DNNL_", "ONEDNN_", "NPY_", "NUMEXPR_",
    # libraries with C or Rust code that reads its own when it is loaded
    "ARROW_", "ATEN_", "GDAL_", "GRPC_", "HDF5_", "LIBEV_", "NVIDIA_", "OPENSSL_", "PJRT_",
    "POLARS_", "PROJ_", "PYTORCH_", "SSL_", "TF_", "TORCH_", "XLA_", "XML_",
    "CUDA_", "HIP_", "HSA_", "NCCL_", "ROCR_", "OMPI_", "PMIX_",
)  # fmt: skip
"""Prefixes of environment variables that C code reads, most of them once: when the process starts
or the library is loaded. No read of theirs can be traced. Those that differ from one terminal to
another (DISPLAY, XDG_SESSION_ID) must not be here: each would have warm processes of its own."""

READ_AT_START = (
    "/etc/localtime", "/etc/ld.so.cache", "/usr/lib/locale/locale-archive",
    "/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf",
)  # fmt: skip
"""Files that C code reads once, when the process starts or a library of Python's is loaded. Another
time zone, library or locale is not seen by a process that is there already."""

READ_AT_EACH_USE = frozenset(("PYTHONBREAKPOINT",))
"""Variables that begin like those but are read whenever they matter, from the environment as it is
then."""
