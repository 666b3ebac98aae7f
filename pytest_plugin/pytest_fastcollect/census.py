"""What a step of imports did to the process: the things that a fork would lose, share or repeat."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TextIO


class Output:
    """Stands in for the standard streams and notices who writes to them or keeps hold of them."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("output") if hasattr(os, "memfd_create") else _unlinked()
        self._streams: list[TextIO] = []

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Replace the streams for the duration of a build."""
        saved = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        os.dup2(self._fd, 1)
        os.dup2(self._fd, 2)
        self._streams = [
            io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), "utf-8", "backslashreplace")
            for fd in (1, 2)
        ]
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc, assignment]
        self.rebase()
        try:
            yield
        finally:
            sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = saved  # type: ignore[misc]
            self._streams.clear()
            devnull = os.open(os.devnull, os.O_WRONLY)
            for fd in (1, 2):
                os.dup2(devnull, fd)
            os.close(devnull)
            os.close(self._fd)

    def _flush(self) -> None:
        for stream in self._streams:
            stream.flush()

    def _count(self) -> list[int]:
        return [sys.getrefcount(stream) for stream in self._streams]

    def rebase(self) -> None:
        """Compare with the state now from here on."""
        self._references = self._count()
        self._size = self._written()

    def forgive(self) -> None:
        """What has been written by now is meant to be."""
        self._size = self._written()

    def _written(self) -> int:
        self._flush()
        return os.fstat(self._fd).st_size

    def hazard(self) -> str | None:
        """Why the last step cannot be kept, if its output says so."""
        if self._written() != self._size:
            return "writes output at import"
        if self._count() != self._references:
            gc.collect()
            if self._count() != self._references:
                return f"keeps hold of sys.stdout or sys.stderr at import ({self._holder()})"
        return None

    def _holder(self) -> str:
        """What refers to one of the streams, as well as that can be told."""
        ours = {id(self._streams), id(sys.__dict__)}
        for stream in self._streams:
            for holder in gc.get_referrers(stream):
                if id(holder) not in ours and not isinstance(holder, types.FrameType):
                    module = isinstance(holder, dict) and holder.get("__name__")
                    return str(module or f"in a {type(holder).__name__}")
        return "unknown"


def _unlinked() -> int:
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def descriptors() -> set[int]:
    """Open descriptors of this process."""
    found = set()
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            with contextlib.suppress(OSError):
                os.fstat(int(name))
                found.add(int(name))
        break
    return found


def threads() -> int:
    """Native threads of this process."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def extra_threads_survive_fork() -> bool:
    """Whether all threads but this one end before a fork by their own `pthread_atfork` handlers.

    OpenBLAS does that, and starts its pool again when it is next needed: it survives a fork. It is
    found out by forking, so no list of libraries is needed.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return threads() == 1


def children() -> bool:
    """Whether this process has a child of its own, ended or not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


@dataclass(frozen=True)
class Census:
    """The state of the process that steps are compared with."""

    descriptors: frozenset[int]
    cwd: str
    umask: int
    handlers: tuple[object, ...]
    threads: int
    python_threads: int
    children: bool

    @classmethod
    def take(cls) -> Census:
        """Count now."""
        umask = os.umask(0)
        os.umask(umask)
        return cls(
            descriptors=frozenset(descriptors()),
            cwd=os.getcwd(),
            umask=umask,
            handlers=_handlers(),
            threads=threads(),
            python_threads=threading.active_count(),
            children=children(),
        )

    def hazard(self) -> str | None:
        """What changed since that cannot be kept in a checkpoint, as one phrase."""
        if threading.active_count() > self.python_threads:
            return "starts a thread at import"
        if threads() > self.threads and not extra_threads_survive_fork():
            return "starts a native thread at import"
        if opened := descriptors() - self.descriptors:
            return f"keeps a descriptor open ({_describe(min(opened))})"
        if children() and not self.children:
            return "leaves a child process"
        if os.getcwd() != self.cwd:
            return "changes the working directory"
        umask = os.umask(self.umask)
        if umask != self.umask:
            return "changes the umask"
        if _handlers() != self.handlers:
            return "installs a signal handler"
        return None


def _describe(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return str(fd)


def _handlers() -> tuple[object, ...]:
    import signal

    return tuple(signal.getsignal(number) for number in sorted(signal.valid_signals()))


def generators() -> dict[str, tuple[object, Callable[[], None]]]:
    """Global random number generators: name → (state, how to bring this very state back)."""
    import random

    state = random.getstate()
    found: dict[str, tuple[object, Callable[[], None]]] = {
        "random": (state, lambda: random.setstate(state))
    }
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None and hasattr(numpy_random, "get_state"):
        numpy_state = numpy_random.get_state()
        found["numpy.random"] = (
            repr(
                [str(part.tobytes()) if hasattr(part, "tobytes") else part for part in numpy_state]
            ),
            lambda: numpy_random.set_state(numpy_state),
        )
    return found
