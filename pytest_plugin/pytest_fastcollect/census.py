"""What a step of imports did to the process: the things that a fork would lose, share or repeat."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import builtins
import contextlib
import io
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .known import SURVIVING_THREADS, UNFORKABLE
from .modules import peek
from .output import Output

__all__ = ["Census", "Output"]

# As they are before any code of the project may have replaced them.
_fork, _exit, _waitpid = getattr(os, "fork", None), os._exit, getattr(os, "waitpid", None)

_FOUNDATION = (builtins, io, os, select, signal, socket, subprocess, sys, threading, time)
"""Modules whose functions pytest's own start and our processes use: they are to be Python's own."""
_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_C_LIBRARY_SIGNALS = 0b11 << 31
"""32 and 33, which the C library catches for itself once there is a thread."""
_STATUS = re.compile(
    rb"VmSize:\s*(\d+).*VmData:\s*(\d+).*Threads:\s*(\d+)\n.*SigBlk:\s*(\w+)\nSigIgn:\s*(\w+)\nSigCgt:\s*(\w+)",
    re.DOTALL,
)
"""`/proc/self/status`."""
_SHARED_MAPPING = re.compile(rb"^\S+ .w.s (?:\S+ +){3}(.*)$", re.MULTILINE)
"""`/proc/self/maps`: writable and shared, with what it is of."""


Descriptor = tuple[int, int, int]
"""Number, device and inode: a number alone may stand for another file by now."""


def descriptors() -> set[Descriptor]:
    """Open descriptors of this process."""
    found = set()
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            with contextlib.suppress(OSError):
                stat = os.fstat(int(name))
                found.add((int(name), stat.st_dev, stat.st_ino))
        break
    return found


def threads() -> list[str]:
    """Names of the native threads that are in the way of a fork; empty for none but this one."""
    try:
        tasks = os.listdir("/proc/self/task")
    except OSError:
        return []
    names = []
    for task in tasks:
        if int(task) != os.getpid():
            with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/comm") as file:
                names.append(file.read().strip())
    return [name for name in names if name not in SURVIVING_THREADS]


def threads_after_fork() -> list[str]:
    """`threads`, less those that end before a fork by their own `pthread_atfork` handlers.

    OpenBLAS' do, and are started again when they are next needed: they survive a fork. It is found
    out by forking, so no list of libraries is needed.
    """
    if _fork is None or _waitpid is None:
        return threads()
    pid = _fork()
    if pid == 0:
        _exit(0)
    _waitpid(pid, 0)
    return threads()


def children() -> bool:
    """Whether this process has a child of its own, ended or not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def shared_mappings() -> list[str]:
    """Memory that a fork would go on to share: of `mmap`, `multiprocessing`'s locks and values."""
    try:
        with open("/proc/self/maps", "rb") as file:
            text = file.read()
    except OSError:
        return []
    return [os.fsdecode(name) for name in _SHARED_MAPPING.findall(text)]


@dataclass
class Census:
    """The state of the process that steps are compared with."""

    descriptors: frozenset[Descriptor]
    python_threads: int
    threads: int
    children: bool
    mappings: int
    size: int
    """`_Kernel.size` when mappings were last looked at: as long as it is the same, so are they."""
    signals: tuple[int, ...]
    """As `_Kernel.signals`."""
    umask: int
    aspects: tuple[object, ...]
    functions: tuple[tuple[types.ModuleType, Mapping[str, Any]], ...]

    @classmethod
    def take(cls) -> Census:
        """Count now."""
        kernel = _Kernel.ask()
        return cls(
            descriptors=frozenset(descriptors()),
            python_threads=threading.active_count(),
            threads=len(threads()),
            children=children(),
            mappings=len(shared_mappings()),
            size=kernel.size,
            signals=kernel.signals,
            umask=_umask(),
            aspects=tuple(look() for _, look in _ASPECTS),
            functions=_functions(),
        )

    def hazard(self, ours: Collection[int] = (), caught: int = 0) -> str | None:
        """What changed since that cannot be kept in a checkpoint, as one phrase.

        `ours`: descriptors that are looked after; `caught`: a mask of signals that are.
        """
        kernel = _Kernel.ask()
        *masks, catching = kernel.signals or (0,)
        signals = (*masks, catching & ~caught) if kernel.signals else ()
        return (
            self._thread(kernel.threads)
            or self._descriptor(ours)
            or self._mapping(kernel.size)
            or self._aspect(signals)
            or self._function()
            or _unforkable()
        )

    def _thread(self, count: int) -> str | None:
        if threading.active_count() > self.python_threads:
            return "starts a thread at import"
        if count > 1 and len(threads()) > self.threads:
            names = threads_after_fork()
            if len(names) > self.threads:
                return f"starts a native thread at import ({names[-1]})"
        return "leaves a child process" if children() and not self.children else None

    def _descriptor(self, ours: Collection[int]) -> str | None:
        if opened := {one for one in descriptors() - self.descriptors if one[0] not in ours}:
            return f"keeps a descriptor open ({_describe(min(opened)[0])})"
        return None

    def _mapping(self, size: int) -> str | None:
        if size == self.size:
            return None
        found = shared_mappings()
        if len(found) > self.mappings:
            return f"maps memory that a fork would share ({found[-1] or 'anonymous'})"
        self.size = size
        return None

    def _aspect(self, signals: tuple[int, ...]) -> str | None:
        umask = os.umask(self.umask)
        if umask != self.umask:
            return "changes the umask"
        for before, (reason, look) in zip(self.aspects, _ASPECTS, strict=True):
            if look() != before:
                return reason
        if signals != self.signals:
            return "blocks, ignores or catches a signal"
        return None

    def _function(self) -> str | None:
        for module, functions in self.functions:
            now = vars(module)
            if not functions.items() <= now.items():
                name = next(name for name, old in functions.items() if now.get(name) is not old)
                return f"replaces {module.__name__}.{name} of the standard library"
        return None


def _unforkable() -> str | None:
    for name, attribute, reason in UNFORKABLE:
        module = sys.modules.get(name)
        if module is not None and (attribute is None or peek(module, attribute)):
            return reason
    return None


@dataclass(frozen=True)
class _Kernel:
    """What the kernel says of this process."""

    size: int
    """Virtual memory in kB, less what is private and writable: what a heap grows by."""
    threads: int
    signals: tuple[int, ...]
    """Blocked, ignored and caught: handlers that C code has installed are among them."""

    @classmethod
    def ask(cls) -> _Kernel:
        try:
            with open("/proc/self/status", "rb", 0) as file:
                found = _STATUS.search(file.read())
        except OSError:
            found = None
        if found is None:
            return cls(0, threading.active_count(), ())
        size, data, threads, *masks = found.groups()
        signals = tuple(int(mask, 16) & ~_C_LIBRARY_SIGNALS for mask in masks)
        return cls(int(size) - int(data), int(threads), signals)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _describe(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return str(fd)


def _functions() -> tuple[tuple[types.ModuleType, Mapping[str, Any]], ...]:
    return tuple((module, _functions_of(module)) for module in _FOUNDATION)


def _functions_of(module: types.ModuleType) -> Mapping[str, Any]:
    items = vars(module).items()
    if module is builtins:  # the others are put right in the run child (`stash.Effects`)
        return {name: value for name, value in items if name in _ESSENTIAL}
    return {name: value for name, value in items if callable(value) and name not in _REPLACEABLE}


_ESSENTIAL = frozenset(("__build_class__", "__import__", "compile", "eval", "exec", "open"))
"""Built-in functions by which modules come to be."""


_REPLACEABLE = frozenset(
    (
        # The streams: `Output` looks after them.
        "stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__",
        # Meant to be replaced; pytest and its start do not depend on them.
        "displayhook", "excepthook", "unraisablehook", "breakpointhook", "_", "last_exc",
        "last_type", "last_value",
    )
)  # fmt: skip


def _handlers() -> tuple[object, ...]:
    return tuple(_signal.getsignal(number) for number in range(1, signal.NSIG))


def _timers() -> tuple[bool, ...]:
    kinds = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return tuple(any(signal.getitimer(kind)) for kind in kinds)


def _limits() -> tuple[tuple[int, int], ...]:
    return tuple(map(resource.getrlimit, _LIMITS))


def _scheduling() -> tuple[int, ...]:
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return (os.getpriority(os.PRIO_PROCESS, 0), *sorted(affinity))


def _session() -> tuple[int, int]:
    return os.getpgrp(), os.getsid(0)


_ASPECTS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("changes the working directory", os.getcwd),
    ("installs a signal handler", _handlers),
    ("sets a timer, which no fork inherits", _timers),
    ("changes a resource limit", _limits),
    ("changes its priority or CPU affinity", _scheduling),
    ("leaves its process group or session", _session),
)
"""What is compared as a whole: the reason, and how to look."""
