"""Environment variables that only a new process can take over: read by C code, once, at start."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import WARM_HEADERS

from fastcollect_lsp import verify
from pytest_fastcollect.identity import identity, startup_environment
from tests.conftest import MakeProject
from tests.support import SLOW, header

_FILES = {
    "conftest.py": f"import {SLOW}\n",
    "test_a.py": """\
        import locale, sys, time
        SHOWN = [time.tzname, time.localtime(0).tm_hour, hash("text")]
        LOCALE = locale.setlocale(locale.LC_ALL, "")
        def test_a():
            print(SHOWN, LOCALE, time.tzname, hash("text"), sys.flags.hash_randomization)
    """,
}
_START = {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8"}
_CHANGE = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "LC_ALL": "C"}
_SHOWING = ("-rP",)


def test_changed_between_runs(project: MakeProject) -> None:
    bench = project(_FILES, **_START)
    bench.warm_up(*_SHOWING)
    before = bench.compare_warm(*_SHOWING)
    assert not before.differences, before.differences[-1]
    bench.extra_env.update(_CHANGE)
    at_once = bench.compare(_SHOWING)
    assert not at_once.differences, at_once.differences[-1]
    assert verify.differences(before.cold, at_once.cold), "the change shows nothing: no test"
    assert at_once.served["served"] == "cold"
    assert "environment" in at_once.served["reason"]
    bench.wait_until_warm()
    after = bench.compare_warm(*_SHOWING)
    assert not after.differences, after.differences[-1]


def _in_mounts_of_its_own(function: Callable[[], None]) -> None:
    """Call it where files of the system can look otherwise without doing so for anybody else."""
    namespace, recursive_private = 0x20000, 1 << 14 | 1 << 18
    if (pid := os.fork()) == 0:
        status = 1
        try:
            libc = ctypes.CDLL(None)
            assert libc.unshare(namespace) == 0
            assert libc.mount(b"none", b"/", None, recursive_private, None) == 0
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _may_mount() -> bool:
    command = ["unshare", "--mount", "true"]
    return shutil.which("unshare") is not None and not subprocess.run(command).returncode


@pytest.mark.skipif(not _may_mount(), reason="only root can have another file in place of /etc's")
def test_time_zone_of_the_machine(project: MakeProject, tmp_path: Path) -> None:
    """C code has read it once and for all when the process was started."""
    bench = project(_FILES, PYTHONHASHSEED="1", LC_ALL="C.UTF-8")
    zone, zones = tmp_path / "zone", Path("/usr/share/zoneinfo")
    if not zones.joinpath("Asia/Tokyo").exists():
        pytest.skip("there are no time zones here")

    def move() -> None:
        for name in ("Etc/UTC", "Asia/Tokyo", "America/Lima"):
            zone.write_bytes((zones / name).read_bytes())
            if name == "Etc/UTC":
                subprocess.run(
                    ["mount", "--bind", zone, os.path.realpath("/etc/localtime")], check=True
                )
                bench.warm_up(*_SHOWING)
            at_once = bench.compare(_SHOWING)
            assert not at_once.differences, at_once.differences[-1]
            bench.wait_until_warm()
            after = bench.compare_warm(*_SHOWING)
            assert not after.differences, after.differences[-1]

    _in_mounts_of_its_own(move)


def test_stale_bytecode_at_start(project: MakeProject, tmp_path: Path) -> None:
    """What the interpreter executes by itself: edited, but as old and as long as its bytecode says.

    Plain pytest is wrong there; the oracle is not.
    """
    bench = project(
        {
            "conftest.py": f"import {SLOW}\n",
            "test_a.py": """\
                import builtins, sitecustomize, sys
                def test_before(): assert builtins.SITE == 1
                def test_after(): assert builtins.SITE == 2
                def test_prefix(): assert sys.pycache_prefix is None
                def test_options(): assert not sys._xoptions
                def test_cached():
                    for module in list(sys.modules.values()):
                        assert "null" not in str(getattr(module, "__cached__", None))
            """,
        }
    )
    bench.extra_env["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    site = tmp_path / "sitecustomize.py"
    site.write_text("import builtins; builtins.SITE = 1\n")
    os.utime(site, (1e9, 1e9))
    py_compile.compile(str(site))
    bench.warm_up()
    site.write_text("import builtins; builtins.SITE = 2\n")
    os.utime(site, (1e9, 1e9))
    bench.pytest()
    bench.wait_until_warm()
    served = bench.pytest()
    assert header(served.output) in WARM_HEADERS
    assert [outcome for _, outcome in served.outcomes] == ["failure", *["passed"] * 4]


def test_bytecode_of_an_unpacked_environment(project: MakeProject, tmp_path: Path) -> None:
    """All of it is older than its source's last change. What is right is used, and only that."""
    bench = project(
        {
            "conftest.py": f"import {SLOW}\n",
            "test_a.py": """\
                import builtins, right, stale
                def test_values(): assert (builtins.SITE, right.VALUE, stale.VALUE) == (1, 1, 2)
            """,
        }
    )
    bench.extra_env["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    texts = {"sitecustomize": "import builtins; builtins.SITE = 1\n"}
    texts |= dict.fromkeys(("right", "stale"), "VALUE = 1\n")
    for name, text in texts.items():
        source = tmp_path / f"{name}.py"
        source.write_text(text)
        os.utime(source, (1e9, 1e9))
        os.utime(py_compile.compile(str(source)) or "", (1e9, 1e9))
    (tmp_path / "stale.py").write_text("VALUE = 2\n")
    os.utime(tmp_path / "stale.py", (1e9, 1e9))
    bench.warm_up()
    compared = bench.compare_warm()
    assert not compared.differences, compared.differences[-1]
    (server,) = bench.servers()
    log = (server / "log").read_text()
    assert "again, as it is right" in log
    assert "without bytecode" not in log

    def is_renewed(name: str) -> bool:
        cached = importlib.util.cache_from_source(str(tmp_path / f"{name}.py"))
        return os.stat(cached).st_mtime > 1e9

    assert list(filter(is_renewed, texts)) == ["sitecustomize", "right"]


def test_configuration_of_the_environment(project: MakeProject, tmp_path: Path) -> None:
    """`pyvenv.cfg` says where libraries are looked for besides."""
    bench = project(
        {
            "conftest.py": f"import {SLOW}\n",
            "test_a.py": """\
                import sys
                BESIDES = [path for path in sys.path if path.startswith(sys.base_prefix)]
                def test_besides(): assert not [path for path in BESIDES if "site-p" in path]
            """,
        }
    )
    there = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(there)], check=True)
    (site,) = (there / "lib").glob("python*/site-packages")
    (site / "behind.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    _, _, script = bench.project.pytest.read_text().partition("\n")
    (there / "bin/pytest").write_text(f"#!{there / 'bin/python'}\n{script}")
    (there / "bin/pytest").chmod(0o755)
    bench.project = verify.Project(bench.root, there / "bin/python")
    bench.warm_up()
    before = bench.compare_warm()
    assert not before.differences, before.differences[-1]
    configuration = there / "pyvenv.cfg"
    configuration.write_text(configuration.read_text().replace("= false", "= true"))
    at_once = bench.compare()
    assert verify.differences(before.cold, at_once.cold), "the change shows nothing: no test"
    assert not at_once.differences, at_once.differences[-1]
    bench.wait_until_warm()
    after = bench.compare_warm()
    assert not after.differences, after.differences[-1]


@pytest.mark.parametrize(
    "name",
    "TZ LANG LC_ALL LC_CTYPE PYTHONHASHSEED PYTHONUTF8 LD_LIBRARY_PATH LD_PRELOAD MALLOC_ARENA_MAX "
    "OMP_NUM_THREADS GOMP_CPU_AFFINITY KMP_AFFINITY MKL_NUM_THREADS OPENBLAS_NUM_THREADS "
    "NPY_DISABLE_CPU_FEATURES ARROW_DEFAULT_MEMORY_POOL POLARS_MAX_THREADS RAYON_NUM_THREADS "
    "GRPC_VERBOSITY CUDA_VISIBLE_DEVICES TORCH_LOGS HDF5_USE_FILE_LOCKING OPENSSL_CONF".split(),
)
def test_read_by_c_code(name: str) -> None:
    assert identity({name: "1"}) != identity({name: "2"})
    assert identity({name: "1"}) != identity({})


@pytest.mark.parametrize(
    "name", ["DISPLAY", "XDG_SESSION_ID", "TERM", "COLUMNS", "SHLVL", "PWD", "PYTHONBREAKPOINT"]
)
def test_differs_from_terminal_to_terminal(name: str) -> None:
    """Two terminals share warm processes."""
    assert startup_environment({name: "1"}) == {}


@pytest.mark.long
@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_threads_of_linear_algebra(name: str, project: MakeProject) -> None:
    for module in ("numpy", "threadpoolctl"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install --group libraries)")
    source = """\
        import numpy, threadpoolctl
        PRODUCT = numpy.ones((300, 300)) @ numpy.ones((300, 300))
        def test_a():
            for pool in threadpoolctl.threadpool_info():
                print(pool["internal_api"], pool["num_threads"])
            assert (numpy.ones((300, 300)) @ numpy.ones((300, 300)) == PRODUCT).all()
    """
    bench = project({"test_a.py": source}, **{name: "1"})
    bench.warm_up(*_SHOWING)
    before = bench.compare_warm(*_SHOWING)
    assert not before.differences, before.differences[-1]
    bench.extra_env[name] = "2"
    at_once = bench.compare(_SHOWING)
    assert not at_once.differences, at_once.differences[-1]
    assert verify.differences(before.cold, at_once.cold), "the change shows nothing: no test"
    bench.wait_until_warm()
    after = bench.compare_warm(*_SHOWING)
    assert not after.differences, after.differences[-1]


FOLLOWS = """\
import os, sys
here = os.path.dirname(__file__)
with open(os.path.join(here, "extra.pth")) as file:
    sys.path += filter(os.path.exists, [file.read()])  # as `site` does
race = os.path.join(here, "race")
if os.path.exists(race) and any(os.path.basename(word) == "pytest" for word in sys.orig_argv):
    os.replace(race, os.path.join(here, "extra.pth"))
"""


@pytest.mark.long
def test_a_path_file_that_changes_while_pytest_starts(project: MakeProject, tmp_path: Path) -> None:
    """The interpreter has followed what is not there any more; the next one has not."""
    place = tmp_path / "site-packages"
    place.mkdir()
    (place / "sitecustomize.py").write_text(FOLLOWS)
    (place / "extra.pth").write_text("one")
    bench = project({
        "one/product.py": "VALUE = 1\n",
        "two/product.py": "VALUE = 2\n",
        "test_a.py": f"import {SLOW}, product\ndef test_a(): print('of', product.VALUE)\n",
    })  # fmt: skip
    bench.extra_env["PYTHONPATH"] = os.pathsep.join([str(place), bench.env["PYTHONPATH"]])
    for name in ("one", "two"):
        (place / "extra.pth").write_text(str(bench.root / name))
        bench.warm_up("-rP")
        for _ in range(2):
            assert f"of {('one', 'two').index(name) + 1}" in bench.compare_warm("-rP").warm.output
            bench.wait_until_warm()
    (place / "race").write_text(str(bench.root / "one"))
    racing = bench.pytest("-rP", "-v")  # which is not known: it starts Python
    assert "of 2" in racing.output and "cold: " in racing.output, racing.output
    assert "extra.pth has changed since Python was started" in racing.output
    for _ in range(3):
        bench.wait_until_warm()
        compared = bench.compare(["-rP", "-v"])
        assert not compared.differences, compared.differences[-1]
        assert "of 1" in compared.warm.output
    assert compared.served is not None and compared.served["served"] != "cold"


@pytest.mark.long
def test_a_directory_that_a_path_file_names(project: MakeProject, tmp_path: Path) -> None:
    """It is on `sys.path` once it is there, which is decided when Python starts."""
    place, late = tmp_path / "site-packages", tmp_path / "late"
    place.mkdir()
    (place / "sitecustomize.py").write_text(FOLLOWS)
    (place / "extra.pth").write_text(str(late))
    bench = project({
        "test_a.py": f"""
            import {SLOW}
            try: import product
            except ImportError: product = None
            def test_a(): print("of", product)
            """
    })  # fmt: skip
    bench.extra_env["PYTHONPATH"] = os.pathsep.join([str(place), bench.env["PYTHONPATH"]])
    bench.warm_up("-rP")
    for found in (False, True, False):
        if found:
            late.mkdir()
            (late / "product.py").touch()
        elif late.exists():
            shutil.rmtree(late)
        for _ in range(3):
            compared = bench.compare(["-rP"])
            assert not compared.differences, compared.differences[-1]
            assert f"of {'<module' if found else 'None'}" in compared.warm.output
            bench.wait_until_warm()
        assert compared.served is not None and compared.served["served"] != "cold"
