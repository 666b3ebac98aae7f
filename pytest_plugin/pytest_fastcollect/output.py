"""Standard streams that notice who writes to them, keeps hold of them or asks what they are."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from . import ambient

_NAMES = {
    "stdin": 0, "stdout": 1, "stderr": 2, "__stdin__": 0, "__stdout__": 1, "__stderr__": 2,
}  # fmt: skip
"""Attributes of `sys` and their descriptors."""
_WRITING = frozenset(("closed", "flush", "write", "writelines"))
"""What everybody may ask of a stream: writing is noticed otherwise."""


class _Stream(io.TextIOWrapper):
    """A stream of which nobody is to know what it is."""

    asked = False
    """Whether the project has asked for anything of a stream that may differ in a run."""
    asked_terminal = False
    """Whether the project, or a library for it, has asked whether it is a terminal."""

    def __getattribute__(self, name: str) -> Any:
        if name not in _WRITING and not name.startswith("__"):
            who = ambient.asker()
            if who is not None and name == "isatty":
                _Stream.asked_terminal |= who.for_project or not who.is_library
            elif who is not None and not who.is_library:
                _Stream.asked = True
        return super().__getattribute__(name)


@dataclass(frozen=True)
class Held:
    """A stream that a module keeps, as `logging.StreamHandler()` does when it is made at import."""

    namespace: dict[str, Any]
    key: str
    stream: str
    """Which attribute of `sys` it was."""

    def restore(self) -> None:
        """In the run child: keep the stream that is there now, as a cold run would."""
        self.namespace[self.key] = getattr(sys, self.stream)


@dataclass(frozen=True)
class HeldDefault:
    """A stream that is the default of an argument: `def show(file=sys.stdout)`."""

    functions: tuple[types.FunctionType, ...]
    """Those that share the defaults."""
    index: int
    stream: str

    def restore(self) -> None:
        """As `Held.restore`."""
        for function in self.functions:
            defaults = list(function.__defaults__ or ())
            defaults[self.index] = getattr(sys, self.stream)
            function.__defaults__ = tuple(defaults)


class Output:
    """Stands in for the standard streams and notices who writes to them or keeps hold of them."""

    def __init__(self) -> None:
        self._fd, self._input = _file(), _file()
        os.pwrite(self._input, b"\n" * 64, 0)
        self._streams: dict[str, TextIO] = {}
        self._held: list[Held | HeldDefault] = []
        self._known: set[tuple[int, str | int]] = set()
        """(object, key or index) for each place that is known to be a stream."""

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Replace the streams for the duration of a build."""
        saved = {name: getattr(sys, name) for name in _NAMES}
        os.dup2(self._input, 0)
        os.dup2(self._fd, 1)
        os.dup2(self._fd, 2)
        for name, fd in _NAMES.items():
            raw: Any = io.FileIO(fd, "w" if fd else "r", closefd=False)
            buffer = raw if fd else io.BufferedReader(raw)
            self._streams[name] = _Stream(buffer, "utf-8", "backslashreplace")
        self.rebase()
        try:
            yield
        finally:
            for name, stream in saved.items():
                setattr(sys, name, stream)
            self._streams.clear()
            devnull = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(devnull, fd)
            for fd in (devnull, self._fd, self._input):
                os.close(fd)

    def _count(self) -> list[int]:
        return [sys.getrefcount(stream) for stream in self._streams.values()]

    def rebase(self) -> None:
        """Compare with the state now from here on."""
        for name in self._streams:
            setattr(sys, name, self._streams[name])
        self._references = self._count()
        self._size = self._written()
        os.lseek(self._input, 0, os.SEEK_SET)
        _Stream.asked = _Stream.asked_terminal = False

    def forgive(self) -> None:
        """What has been written by now is meant to be."""
        self._size = self._written()

    def _written(self) -> int:
        for stream in self._streams.values():
            stream.flush()
        return os.fstat(self._fd).st_size

    def held(self) -> list[Held | HeldDefault]:
        """Streams that were kept since the last call, as far as they can be put right in a run."""
        self._look_for_held()
        held, self._held = self._held, []
        return held

    def hazard(self) -> str | None:
        """Why the last step cannot be kept, if its output says so."""
        if self._written() != self._size:
            return "writes output at import"
        if os.lseek(self._input, 0, os.SEEK_CUR) > 0:
            return "reads standard input at import"
        if replaced := [name for name in _NAMES if getattr(sys, name) is not self._streams[name]]:
            return f"replaces sys.{replaced[0]} at import"
        if (holder := self._look_for_held()) is not None:
            return f"keeps hold of {holder}"
        if _Stream.asked:
            return "asks for what its streams are at import"
        return None

    def took_notice_of_terminal(self) -> bool:
        """Whether somebody has asked, since the last call, if a stream is a terminal: as in a run
        that captures its own, none is."""
        asked, _Stream.asked_terminal = _Stream.asked_terminal, False
        return asked

    def _look_for_held(self) -> str | None:
        """What keeps a stream and cannot be told how to let go of it."""
        if self._count() == self._references:
            return None
        if self._identify() is None:
            return None
        gc.collect()  # what nobody refers to any more may have referred to a stream
        unknown = self._identify()
        if unknown is None:
            return None
        what = "sys.stdout or sys.stderr" if _NAMES[unknown] else "sys.stdin"
        return f"{what} at import ({self._unknown_holder(unknown)})"

    def _identify(self) -> str | None:
        """Find what keeps a stream; the name of one that is kept by something unknown."""
        counts = self._count()
        for number, (name, now) in enumerate(zip(self._streams, counts, strict=True)):
            if now == self._references[number]:
                continue  # to look for what refers to an object is to look at all objects
            found = dict(self._holders(name))
            if len(found) != now - self._references[number]:
                return name
            self._held += found.values()
            self._known.update(found)
            self._references[number] = now
        return None

    def _holders(self, name: str) -> Iterator[tuple[tuple[int, str | int], Held | HeldDefault]]:
        """Places that are a stream and were not before: attributes, globals and defaults."""
        stream = self._streams[name]
        ours = {id(self._streams), id(sys.__dict__)}
        for holder in gc.get_referrers(stream):
            if type(holder) is tuple:
                yield from self._in_defaults(holder, name)
                continue
            namespace = holder if type(holder) is dict else getattr(holder, "__dict__", None)
            if type(namespace) is not dict or id(namespace) in ours:
                continue
            for key, value in list(namespace.items()):
                if value is stream and (id(namespace), key) not in self._known:
                    yield (id(namespace), key), Held(namespace, key, name)

    def _in_defaults(
        self, defaults: tuple[Any, ...], name: str
    ) -> Iterator[tuple[tuple[int, str | int], HeldDefault]]:
        functions = tuple(
            function
            for function in gc.get_referrers(defaults)
            if isinstance(function, types.FunctionType) and function.__defaults__ is defaults
        )
        for index, value in enumerate(defaults):
            place = (id(defaults), index)
            if functions and value is self._streams[name] and place not in self._known:
                yield place, HeldDefault(functions, index, name)

    def _unknown_holder(self, name: str) -> str:
        """What refers to a stream, as well as that can be told."""
        stream = self._streams[name]
        ours = {id(self._streams), id(sys.__dict__)}
        for holder in gc.get_referrers(stream):
            if id(holder) not in ours and not isinstance(holder, types.FrameType):
                module = isinstance(holder, dict) and holder.get("__name__")
                return str(module or f"in a {type(holder).__name__}")
        return "unknown"


def _file() -> int:
    """One that nobody else finds."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stream")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
