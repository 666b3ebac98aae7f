"""What a test can see of its process: put into a project as `observables.py`, and asked there.

Each entry of `OBSERVABLES` is a function of no arguments; what it returns is compared by its JSON.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import faulthandler
import fcntl
import gc
import importlib
import io
import json
import locale
import logging
import multiprocessing
import os
import resource
import signal
import site
import stat
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

OBSERVABLES: dict[str, Any] = {}
OWN = {"PYTEST_ADDOPTS", "SHELL_PID", "SHELL_SESSION", "OUT"}
"""Variables in which a cold and a warm run of the comparison differ by its making."""


def own(environment: bytes) -> list[str]:
    """An environment, less those."""
    found = sorted(environment.decode("utf-8", "backslashreplace").split("\0"))
    return [entry for entry in found if entry.partition("=")[0] not in OWN]


def seen(function: Any) -> Any:
    """Add an observable."""
    OBSERVABLES[function.__name__] = function
    return function


def status(*names: str) -> dict[str, str]:
    """Lines of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        line.split(":")[0]: line.split(":")[1].strip()
        for line in lines
        if line.split(":")[0] in names
    }


# ---- descriptors


@seen
def descriptors() -> Any:
    found = {}
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        with contextlib.suppress(OSError):
            mode = os.fstat(int(name)).st_mode
            target = os.readlink(f"/proc/self/fd/{name}")
            found[name] = [stat.S_IFMT(mode), "" if "pts" in target else target.split(":")[0]]
    return found


@seen
def descriptor_flags() -> Any:
    return {fd: [fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD)] for fd in range(3)}


@seen
def next_descriptor() -> Any:
    with open(os.devnull) as file:
        return file.fileno()


@seen
def inheritable_descriptors() -> Any:
    return [fd for fd in range(64) if _inheritable(fd)]


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


@seen
def terminal_descriptors() -> Any:
    return [os.isatty(fd) for fd in range(3)]


@seen
def terminal_name() -> Any:
    return [os.ttyname(fd).startswith("/dev/pts/") for fd in range(3) if os.isatty(fd)]


@seen
def controlling_terminal() -> Any:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError as error:
        return error.strerror
    return "opened"


@seen
def foreground_group() -> Any:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError as error:
        return error.strerror


# ---- signals


@seen
def signal_handlers() -> Any:
    return {
        int(number): str(signal.getsignal(number)).split(" at ")[0]
        for number in signal.valid_signals()
    }


@seen
def signal_masks_of_the_kernel() -> Any:
    return status("SigQ", "SigBlk", "SigIgn", "SigCgt", "ShdPnd", "SigPnd") | {"SigQ": ""}


@seen
def signal_mask() -> Any:
    return sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, []))


@seen
def wakeup_descriptor() -> Any:
    old = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(old)
    return old


@seen
def timers() -> Any:
    return [signal.getitimer(which) for which in (0, 1, 2)]


@seen
def alternate_signal_stack() -> Any:
    return faulthandler.is_enabled()


# ---- the process


@seen
def umask() -> Any:
    old = os.umask(0o077)
    os.umask(old)
    return old


@seen
def limits() -> Any:
    return {
        name: resource.getrlimit(getattr(resource, name))
        for name in dir(resource)
        if name.startswith("RLIMIT_")
    }


@seen
def priority() -> Any:
    return os.getpriority(os.PRIO_PROCESS, 0)


@seen
def scheduler() -> Any:
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


@seen
def affinity() -> Any:
    return sorted(os.sched_getaffinity(0))


@seen
def io_priority() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True).syscall(252, 1, 0)  # ioprio_get, x86-64


@seen
def oom_score_adjustment() -> Any:
    return Path("/proc/self/oom_score_adj").read_text()


@seen
def timer_slack() -> Any:
    return Path("/proc/self/timerslack_ns").read_text()


@seen
def personality() -> Any:
    return Path("/proc/self/personality").read_text()


@seen
def core_dump_filter() -> Any:
    return Path("/proc/self/coredump_filter").read_text()


@seen
def process_flags() -> Any:
    return status(
        "NoNewPrivs",
        "Seccomp",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "Uid",
        "Gid",
        "Groups",
        "THP_enabled",
    )


@seen
def parent_death_signal() -> Any:
    import ctypes

    number = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(2, ctypes.byref(number), 0, 0, 0)
    return number.value


@seen
def dumpable_and_subreaper() -> Any:
    import ctypes

    number = ctypes.c_int(-1)
    libc = ctypes.CDLL(None)
    libc.prctl(37, ctypes.byref(number), 0, 0, 0)
    return libc.prctl(3, 0, 0, 0, 0), number.value


@seen
def process_name() -> Any:
    return Path("/proc/self/comm").read_text()


@seen
def command_line_of_the_kernel() -> Any:
    return Path("/proc/self/cmdline").read_bytes().decode().split("\0")


@seen
def environment_of_the_kernel() -> Any:
    return own(Path("/proc/self/environ").read_bytes())


@seen
def executable_of_the_kernel() -> Any:
    return os.readlink("/proc/self/exe")


@seen
def leads_its_group() -> Any:
    return os.getpgrp() == os.getpid()


@seen
def leads_its_session() -> Any:
    return os.getsid(0) == os.getpid()


@seen
def session_of_the_terminal() -> Any:
    return int(os.environ["SHELL_SESSION"]) == os.getsid(0)


@seen
def parent() -> Any:
    return int(os.environ["SHELL_PID"]) == os.getppid()


@seen
def children() -> Any:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@seen
def waiting_for_any_child() -> Any:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError as error:
        return error.strerror


@seen
def native_threads() -> Any:
    return len(os.listdir("/proc/self/task"))


@seen
def cgroup() -> Any:
    return Path("/proc/self/cgroup").read_text()


@seen
def namespaces() -> Any:
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}


@seen
def user_and_groups() -> Any:
    return (os.getresuid(), os.getresgid(), sorted(os.getgroups()))


# ---- environment and places


@seen
def environment() -> Any:
    return {name: value for name, value in os.environ.items() if name not in OWN}


@seen
def environment_of_children() -> Any:
    import subprocess

    return own(subprocess.run(["env", "-0"], capture_output=True).stdout)


@seen
def environment_bytes() -> Any:
    return sorted(
        (name.hex(), value.hex())
        for name, value in os.environb.items()
        if name.decode(errors="replace") not in OWN
    )


@seen
def environment_order() -> Any:
    return [name for name in os.environ if name not in OWN]


@seen
def working_directory() -> Any:
    return os.getcwd(), os.environ.get("PWD")


@seen
def working_directory_of_the_kernel() -> Any:
    return os.readlink("/proc/self/cwd")


@seen
def root_directory() -> Any:
    return os.readlink("/proc/self/root")


@seen
def temporary_directory() -> Any:
    return tempfile.gettempdir(), tempfile.tempdir


@seen
def home() -> Any:
    return str(Path.home()), os.path.expanduser("~")


# ---- the interpreter


@seen
def arguments() -> Any:
    return sys.argv


@seen
def original_arguments() -> Any:
    return sys.orig_argv


@seen
def flags() -> Any:
    return list(sys.flags)


@seen
def x_options() -> Any:
    return sys._xoptions


@seen
def warn_options() -> Any:
    return sys.warnoptions


@seen
def search_path() -> Any:
    return sys.path


@seen
def meta_path() -> Any:
    return [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]


@seen
def path_hooks() -> Any:
    return [getattr(hook, "__qualname__", str(hook)) for hook in sys.path_hooks]


@seen
def path_importer_cache() -> Any:
    return sorted(name for name in sys.path_importer_cache if "fastcollect" not in name)


@seen
def modules() -> Any:
    return sorted(name for name in sys.modules if "fastcollect" not in name)


@seen
def order_of_modules() -> Any:
    return [
        name
        for name in sys.modules
        if name.partition(".")[0]
        in (
            "slow_to_import",
            "helper",
            "conftest",
            "test_observables",
            "observables",
            "pytest",
            "__main__",
        )
    ]


@seen
def executable() -> Any:
    return (
        sys.executable,
        vars(sys)["_base_executable"],
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
    )


@seen
def pycache_prefix() -> Any:
    return sys.pycache_prefix, sys.dont_write_bytecode


@seen
def recursion_limit() -> Any:
    return sys.getrecursionlimit()


@seen
def depth_of_the_stack() -> Any:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth, frame.f_code.co_filename


@seen
def switch_interval() -> Any:
    return sys.getswitchinterval()


@seen
def collector() -> Any:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks)


@seen
def frozen_objects() -> Any:
    return gc.get_freeze_count()


@seen
def garbage() -> Any:
    return len(gc.garbage)


@seen
def tracers() -> Any:
    return str(sys.gettrace()), str(sys.getprofile())


@seen
def hooks() -> Any:
    return [
        str(getattr(sys, name)).split(" at ")[0]
        for name in ("excepthook", "displayhook", "breakpointhook", "unraisablehook")
    ]


@seen
def threading_hooks() -> Any:
    return str(threading.excepthook).split(" at ")[0]


@seen
def last_exception() -> Any:
    return [
        name
        for name in ("last_type", "last_value", "last_traceback", "last_exc")
        if hasattr(sys, name)
    ]


@seen
def exception_being_handled() -> Any:
    return [str(item) for item in sys.exc_info()]


@seen
def asynchronous_generator_hooks() -> Any:
    return list(map(str, sys.get_asyncgen_hooks())), sys.get_coroutine_origin_tracking_depth()


@seen
def integer_digits() -> Any:
    return getattr(sys, "get_int_max_str_digits", int)()


@seen
def interactive() -> Any:
    return [hasattr(sys, name) for name in ("ps1", "ps2", "__interactivehook__", "_git")]


@seen
def built_in_names() -> Any:
    return sorted(vars(builtins))


@seen
def replaced_built_ins() -> Any:
    return [
        builtins.open is io.open,
        builtins.__import__.__module__,
        str(os.open),
        str(os.fork),
        str(gc.get_objects),
        str(gc.get_referrers),
    ]


@seen
def hash_of_a_text() -> Any:
    return hash("text") if os.environ.get("PYTHONHASHSEED") else "random"


# ---- streams


def _stream(stream: Any) -> Any:
    if stream is None:
        return None
    return {
        name: str(getattr(stream, name, "absent"))
        for name in (
            "encoding",
            "errors",
            "line_buffering",
            "write_through",
            "newlines",
            "mode",
            "name",
        )
    } | {"type": str(type(stream)), "buffer": str(type(getattr(stream, "buffer", None)))}


@seen
def standard_streams() -> Any:
    return [_stream(stream) for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__)]


@seen
def present_streams() -> Any:
    return [_stream(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)]


@seen
def original_streams_are_present() -> Any:
    return [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__]


@seen
def buffer_sizes() -> Any:
    return [getattr(stream, "_CHUNK_SIZE", None) for stream in (sys.__stdin__, sys.__stdout__)]


# ---- the standard library


@seen
def threads() -> Any:
    return threading.active_count(), [thread.name for thread in threading.enumerate()]


@seen
def main_thread() -> Any:
    thread = threading.main_thread()
    return (
        thread is threading.current_thread(),
        thread.ident == threading.get_ident(),
        thread.native_id == os.getpid(),
        thread.daemon,
    )


@seen
def thread_stack() -> Any:
    return threading.stack_size()


@seen
def fault_handler() -> Any:
    return faulthandler.is_enabled()


@seen
def warning_filters() -> Any:
    return [[str(part) for part in entry] for entry in warnings.filters]


@seen
def warnings_shown() -> Any:
    return str(warnings.showwarning).split(" at ")[0]


@seen
def main_module() -> Any:
    main = sys.modules["__main__"]
    return {
        name: str(value).split(" at ")[0]
        for name, value in vars(main).items()
        if name != "__builtins__"
    }


@seen
def main_module_names() -> Any:
    return list(vars(sys.modules["__main__"]))


@seen
def exit_functions() -> Any:
    return atexit._ncallbacks()


@seen
def root_logger() -> Any:
    root = logging.root
    return (
        root.level,
        [str(type(handler)) for handler in root.handlers],
        root.filters,
        root.disabled,
    )


@seen
def loggers() -> Any:
    return sorted(name for name in logging.root.manager.loggerDict)


@seen
def logging_handlers() -> Any:
    return (str(logging.lastResort), logging.raiseExceptions)


@seen
def locale_settings() -> Any:
    return {
        name: locale.setlocale(getattr(locale, name))
        for name in dir(locale)
        if name.startswith("LC_")
    }


@seen
def encodings() -> Any:
    return (
        sys.getdefaultencoding(),
        sys.getfilesystemencoding(),
        sys.getfilesystemencodeerrors(),
        locale.getpreferredencoding(False),
    )


@seen
def time_zone() -> Any:
    return time.tzname, time.timezone, time.altzone, time.daylight


@seen
def processor_time() -> Any:
    return time.process_time() < 30


@seen
def start_method() -> Any:
    return multiprocessing.get_start_method(allow_none=True), multiprocessing.current_process().name


@seen
def process_of_multiprocessing() -> Any:
    process = multiprocessing.current_process()
    return process.name, process.daemon, len(process.authkey), process.pid == os.getpid()


@seen
def event_loop() -> Any:
    import asyncio

    return str(type(asyncio.get_event_loop_policy()))


@seen
def random_state() -> Any:
    import random

    return random.Random(1).random()


@seen
def site_directories() -> Any:
    return site.getsitepackages(), site.getusersitepackages(), site.ENABLE_USER_SITE


@seen
def audit_hooks() -> Any:
    started = time.perf_counter()
    sys.audit("project.event")
    return time.perf_counter() - started < 1


@seen
def import_lock() -> Any:
    import _imp

    return _imp.lock_held()


@seen
def memory_tracing() -> Any:
    import tracemalloc

    return tracemalloc.is_tracing()


@seen
def specification_of_a_module() -> Any:
    helper: Any = importlib.import_module("helper")
    spec = helper.__spec__
    return (
        spec.name,
        spec.origin,
        type(spec.loader).__name__,
        type(helper.__loader__).__name__,
        spec.cached,
        spec.parent,
        helper.__file__,
        helper.__package__,
        list(vars(helper)),
    )


@seen
def specification_of_the_test_module() -> Any:
    module: Any = sys.modules["test_observables"]
    spec = module.__spec__
    return (
        spec.name,
        spec.origin,
        type(spec.loader).__name__,
        type(module.__loader__).__name__,
        spec.cached,
        spec.has_location,
        module.__file__,
    )


@seen
def resource_usage_of_children() -> Any:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nswap


def main(path: str) -> None:
    """Write all of them to a file."""
    found = {}
    for name, function in OBSERVABLES.items():
        try:
            found[name] = function()
        except Exception as error:
            found[name] = repr(error)
    Path(path).write_text(json.dumps(found, default=str))
