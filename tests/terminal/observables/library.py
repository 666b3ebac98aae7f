"""The rest of the standard library."""

from __future__ import annotations

import atexit
import faulthandler
import importlib
import locale
import logging
import multiprocessing
import os
import resource
import site
import sys
import threading
import time
import warnings
from typing import Any

from .asking import seen


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
