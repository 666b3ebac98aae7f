"""The interpreter: `sys` and its like."""

from __future__ import annotations

import builtins
import gc
import io
import os
import sys
import threading
from typing import Any

from .asking import seen


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
