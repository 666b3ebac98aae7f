"""Notices who asks at import for what differs from run to run and raises no audit event.

The process id, the clock, random bytes, the terminal, room on a disk: code that keeps the answer
would show one run's to all runs of a checkpoint. What Python's own modules ask while they are
imported is the same in every checkpoint and run; what the project asks counts, also by way of a
library; what libraries ask for themselves counts for what they cannot mean to share, unless they
are known to be harmless (`known.HARMLESS_QUESTIONS`).
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import os
import random
import resource
import signal
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .known import HARMLESS_QUESTIONS
from .modules import is_neutral
from .tracing import set_in_class

IMPORT_SYSTEM = frozenset(
    (
        "_frozen_importlib_external", "importlib._bootstrap_external", "importlib.metadata",
        "importlib_metadata", "pkg_resources", "pkgutil",
    )
)  # fmt: skip
"""Modules whose questions are the import system's own."""

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep

_WATCHING = frozenset(
    f"pytest_fastcollect.{name}" for name in ("ambient", "audit", "generators", "output", "tracing")
)
"""Modules of ours that stand between who asks and what is asked."""
_FORK_AWARE = frozenset(("tempfile", "logging"))
"""Standard modules whose own questions are asked again in a child, or answer for a moment only."""
_PID, _RANDOM, _CLOCK, _TERMINAL = "its process id", "random bytes", "the time", "the terminal"
_LIMITS, _SIGNALS, _FORKS = "its limits or priority", "its signals", "notice of forks"
_WHICH, _ROOM = "what its streams are", "what is free, or how busy the machine is"
ASKS_FOR_TERMINAL = f"asks for {_TERMINAL} at import"
_OF_COMMANDS = frozenset((_TERMINAL, _LIMITS, _SIGNALS))
_FOR_PROJECTS = frozenset((_CLOCK, _TERMINAL, _LIMITS, _SIGNALS, _FORKS, _ROOM))
"""Counts when the project asks. Libraries ask for these often, and for little: the year for parsing
dates, the width of messages. The age of a checkpoint is bounded for their sake."""
_PASSED_ON = _FOR_PROJECTS - {_FORKS}
"""What a library that the project has called may have asked in order to answer
(`django.utils.timezone.now`)."""
_FUNCTIONS: tuple[tuple[types.ModuleType, str, str], ...] = (
    (os, "getpid", _PID),
    (os, "getppid", _PID),
    (os, "getpgid", _PID),
    (os, "getpgrp", _PID),
    (os, "getsid", _PID),
    (threading, "get_native_id", _PID),
    (uuid, "uuid1", _RANDOM),
    (os, "urandom", _RANDOM),
    (os, "getrandom", _RANDOM),
    (random, "_urandom", _RANDOM),  # `secrets`, `random.SystemRandom`, numpy's SeedSequence
    (time, "time", _CLOCK),
    (time, "time_ns", _CLOCK),
    (time, "monotonic", _CLOCK),
    (time, "monotonic_ns", _CLOCK),
    (time, "perf_counter", _CLOCK),
    (time, "perf_counter_ns", _CLOCK),
    (time, "process_time", _CLOCK),
    (time, "process_time_ns", _CLOCK),
    (time, "thread_time", _CLOCK),
    (time, "thread_time_ns", _CLOCK),
    (time, "clock_gettime", _CLOCK),
    (time, "clock_gettime_ns", _CLOCK),
    (time, "asctime", _CLOCK),
    (os, "times", _CLOCK),
    (resource, "getrusage", _CLOCK),
    (time, "ctime", _CLOCK),
    (time, "gmtime", _CLOCK),
    (time, "localtime", _CLOCK),
    (time, "strftime", _CLOCK),
    (os, "get_terminal_size", _TERMINAL),
    (os, "isatty", _TERMINAL),
    (os, "fstat", _WHICH),
    (os, "ttyname", _WHICH),
    (os, "getlogin", _WHICH),
    (os, "getpriority", _LIMITS),
    (os, "nice", _LIMITS),
    (os, "process_cpu_count", _LIMITS),
    (os, "sched_getaffinity", _LIMITS),
    (os, "umask", _LIMITS),
    (resource, "getrlimit", _LIMITS),
    (os, "statvfs", _ROOM),
    (os, "fstatvfs", _ROOM),
    (os, "getloadavg", _ROOM),
    (os, "sysconf", _ROOM),
    (os, "sched_getscheduler", _ROOM),  # of our own choice, while a session is made ahead
    (os, "sched_getparam", _ROOM),
    (signal, "getsignal", _SIGNALS),
    (signal, "pthread_sigmask", _SIGNALS),
    (os, "register_at_fork", _FORKS),
)
CLASS_METHODS = {
    datetime.datetime: frozenset(("now", "utcnow", "today")),
    datetime.date: frozenset(("today",)),
}
"""Of C's, which ask for the time."""
_CHANGING = frozenset(("SC_AVPHYS_PAGES", "SC_OPEN_MAX", "SC_CHILD_MAX"))
"""What `os.sysconf` tells of a process or of a moment, rather than of the machine."""
_NOWS = frozenset(("now", "today"))
_FUNCTION = inspect.CO_OPTIMIZED
"""What the code of functions has and that of modules and classes has not."""
_OF_RUNS = ("/cmdline", "/environ")
_RANDOM_DEVICES = ("/dev/urandom", "/dev/random")
_OF_MACHINE = (
    "/proc/version", "/proc/cpuinfo", "/proc/filesystems", "/proc/devices", "/proc/modules",
    "/proc/sys/", "/proc/cgroups", "/proc/1/cgroup", "/proc/self/cgroup",
)  # fmt: skip
"""Files of the kernel's that say the same until it is started again."""
_ONLY_IF: dict[str, Callable[..., bool]] = {
    **dict.fromkeys(("asctime", "gmtime", "localtime", "ctime"), lambda *given: not given),
    "strftime": lambda *given: len(given) < 2,
    "fstat": lambda fd, *_: type(fd) is int and fd < 3,
    "sysconf": lambda name, *_: name in _CHANGING or type(name) is int,
}
"""Functions that ask only when they get such arguments."""


@dataclass(frozen=True)
class Asker:
    """The module whose code asks for something, if only through the standard library."""

    name: str
    is_library: bool
    for_project: bool = False
    """Whether it is a library's that the project has called."""

    def counts_for(self, what: str, session: bool = False) -> bool:
        """Whether the module is to be left to each run for having asked; or the `session`, which
        is for one terminal, one set of limits and signals only, and whose plugins show what they
        have asked for."""
        if session and what != _ROOM:
            return what not in _OF_COMMANDS
        if not self.is_library:
            return True
        if what in _FOR_PROJECTS and not (self.for_project and what in _PASSED_ON):
            return False
        parts = self.name.split(".")
        names = (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        return not any((name, what) in HARMLESS_QUESTIONS for name in names)


def asker() -> Asker | None:
    """Whose code has led here; None where that is Python, pytest or ourselves, or one of their
    modules that is being imported."""
    frame: types.FrameType | None = sys._getframe(1)
    library: str | None = None
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if library is None:
            if name in IMPORT_SYSTEM or name == "importlib._bootstrap" or name in _FORK_AWARE:
                return None
            if name.startswith("pytest_fastcollect.") and name not in _WATCHING:
                return None  # we ourselves
            if name == "argparse" and frame.f_code.co_name == "add_argument":
                return None  # tries a formatter, which it throws away
        if not is_neutral(name):
            file = frame.f_globals.get("__file__") or frame.f_code.co_filename
            if _is_installed(file):
                library = library or name
                if frame.f_code.co_name == "<module>":
                    break  # it is being imported
            # `test.support` is the standard library's, though its name is not reserved.
            elif not file.startswith(_STANDARD_LIBRARY):
                return Asker(library or name, library is not None, for_project=library is not None)
        frame = frame.f_back
    return None if library is None else Asker(library, is_library=True)


def _is_installed(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file


def _is_of_library(file: str) -> bool:
    return _is_installed(file) or file.startswith((_STANDARD_LIBRARY, "<"))


def question(what: str, session: bool) -> str | None:
    """A phrase for what is asked for, if that counts."""
    who = asker()
    if who is None or not who.counts_for(what, session):
        return None
    return f"{who.name} asks for {what}" if session else f"asks for {what} at import"


def of_kernel(path: str, session: bool) -> str | None:
    """A phrase for a file of the kernel's that is read, if what it says may differ from run to run
    and that counts."""
    if path.endswith(_OF_RUNS):
        return f"reads {path}"
    if path in _RANDOM_DEVICES:
        return question(_RANDOM, session)
    if path == "/dev/tty" or path.startswith("/dev/pts/"):
        return question(_WHICH, session)
    if path.startswith(("/proc/", "/sys/fs/")) and not path.startswith(_OF_MACHINE):
        return question(_ROOM, session)
    return None


def of_code(code: object) -> str | None:
    """A phrase for what the code of a module asks by way of C code, as can be read in it: numpy's
    `datetime64("now")`. What functions of it do when they are called is not looked at."""
    if type(code) is not types.CodeType or _is_of_library(code.co_filename):
        return None
    if "datetime64" in code.co_names and not _NOWS.isdisjoint(code.co_consts):
        return f"asks for {_CLOCK} at import"
    bodies = (one for one in code.co_consts if type(one) is types.CodeType)
    return next(
        filter(None, (of_code(one) for one in bodies if not one.co_flags & _FUNCTION)), None
    )


def functions() -> list[object]:
    """What `watch` puts something else in place of."""
    return [vars(module)[name] for module, name, _ in _FUNCTIONS if name in vars(module)]


def watch(
    note: Callable[[str], None], methods: Iterable[Callable[..., Any]], session: bool = False
) -> list[tuple[object, object]]:
    """Call `note` with a phrase for each question that counts, from now on, in this process. What
    stands for which function now: (old, new).

    It can not be undone: for disposable processes only. `methods`: those of `CLASS_METHODS` that
    somebody has kept.
    """

    def ask(what: str) -> None:
        if (reason := question(what, session)) is not None:
            note(reason)

    replaced: list[tuple[object, object]] = [
        (method, _asking(method, _CLOCK, ask, None)) for method in methods
    ]
    for module, name, what in _FUNCTIONS:
        if hasattr(module, name):
            function = getattr(module, name)
            replaced.append((function, _asking(function, what, ask, _ONLY_IF.get(name))))
            setattr(module, name, replaced[-1][1])
    for kind, names in CLASS_METHODS.items():
        for name in names & vars(kind).keys():
            _replace_class_method(kind, name, ask)
    random.Random.seed = _seeding(random.Random.seed, note)  # type: ignore[method-assign]
    for name in ("random", "getrandbits", "randbytes"):
        setattr(random.Random, name, _drawing(getattr(random.Random, name), note))
    return replaced


def _asking(
    function: Callable[..., Any],
    what: str,
    ask: Callable[[str], None],
    only_if: Callable[..., bool] | None,
) -> Callable[..., Any]:
    def asking(*args: Any, **kwargs: Any) -> Any:
        if only_if is None or not args or only_if(*args):
            ask(what)
        return function(*args, **kwargs)

    return asking


_unseeded: set[int] = set()
"""Generators, by `id`, that have been seeded by nobody."""


def _seeding(seed: Callable[..., None], note: Callable[[str], None]) -> Callable[..., None]:
    """A generator of one's own that is not seeded is seeded by C code. Those of libraries are
    seeded again in each run (`generators.unseeded`); what the project has drawn is not known."""

    def seeding(self: random.Random, a: Any = None, *args: Any, **kwargs: Any) -> None:
        who = asker() if a is None else None
        if who is not None and not who.is_library:
            note(f"asks for {_RANDOM} at import")
        (_unseeded.add if a is None else _unseeded.discard)(id(self))
        seed(self, a, *args, **kwargs)

    return seeding


def _drawing(draw: Callable[..., Any], note: Callable[[str], None]) -> Callable[..., Any]:
    """What a library has drawn from a generator of its own that is not seeded (the seed of
    pytest-randomly) would be the same in all runs."""

    def drawing(self: random.Random, *args: Any) -> Any:
        if id(self) in _unseeded and asker() is not None:
            note("draws random numbers at import that nobody has seeded")
        return draw(self, *args)

    return drawing


def _replace_class_method(kind: type, name: str, ask: Callable[[str], None]) -> None:
    original = kind.__dict__[name]

    def asking(cls: type, *args: Any, **kwargs: Any) -> Any:
        ask(_CLOCK)
        return original.__get__(None, cls)(*args, **kwargs)

    # else found by their age only
    with contextlib.suppress(ImportError, AttributeError, IndexError, TypeError):
        set_in_class(kind, name, classmethod(asking))
