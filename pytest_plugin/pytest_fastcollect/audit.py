"""What a step of imports read, and did to the world: audit events, and what raises none."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .modules import is_neutral

_WRITES = {
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link",
    "os.symlink", "os.truncate", "os.utime", "shutil.rmtree", "shutil.copyfile", "shutil.move",
    "tempfile.mkstemp", "tempfile.mkdtemp",
}  # fmt: skip
_STARTS = {
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty",
    "os.spawn", "pty.spawn", "socket.connect", "socket.bind", "socket.sendto", "ftplib.connect",
    "smtplib.connect", "urllib.Request", "http.client.connect",
}  # fmt: skip
_HARMLESS_COMMANDS = {
    # ctypes.util.find_library: what is asked is what the dynamic linker's cache says
    ("ldconfig", "-p"): ("/etc/ld.so.cache",),
    # platform.processor
    ("uname", "-p"): (),
}
"""Subprocesses that read nothing but the files named: no reason to leave an import to each run."""
_IMPORT_SYSTEM = {
    "_frozen_importlib_external", "importlib._bootstrap_external", "importlib.metadata",
    "importlib_metadata", "pkg_resources", "pkgutil",
}  # fmt: skip
_SHARED = {
    "/",
    "/tmp",
    "/var/tmp",
    "/usr/tmp",
    os.environ.get("TMPDIR", "/tmp"),
    os.path.expanduser("~"),
}
"""Directories in which others come and go, and that are there: no inputs for being asked for."""
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Observed:
    """What the audit hook saw while it was looking."""

    files: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    hazards: list[str] = field(default_factory=list)


class Audit:
    """An audit hook. It can never be removed: for disposable processes only."""

    def __init__(self) -> None:
        self.observed = Observed()
        self._paused = False
        self._stat = os.stat
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What we do ourselves is not looked at."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def wrap_functions(self) -> None:
        """Notice what raises no audit event: asking for a file's state, the pid, random bytes."""
        for name in ("stat", "lstat", "access"):
            setattr(os, name, self._noting_path(getattr(os, name)))
        for name, what in (("getpid", "its process id"), ("urandom", "random bytes")):
            setattr(os, name, self._noting_hazard(getattr(os, name), what))

    def _noting_path(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(path: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._paused and isinstance(path, (str, bytes, os.PathLike)):
                self._asked_for(os.fspath(path))
            return function(path, *args, **kwargs)

        return noting

    def _asked_for(self, path: str | bytes) -> None:
        if _is_bytecode(path) or _is_system(path):
            return
        absolute = _absolute(path)
        try:
            is_directory = stat.S_ISDIR(self._stat(absolute).st_mode)
        except (OSError, ValueError):
            is_directory = False
        parent = os.path.dirname(absolute)
        if not is_directory:
            self.observed.files.add(absolute)
        elif parent not in _SHARED:
            # Whatever is done inside a directory changes its stat: that it is there stands in what
            # its parent lists.
            self.observed.directories.add(parent)

    def _noting_hazard(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        def noting(*args: Any) -> Any:
            if not self._paused and _asked_by_project():
                self.observed.hazards.append(f"asks for {what} at import")
            return function(*args)

        return noting

    def take(self) -> Observed:
        """What was seen since the last call."""
        observed, self.observed = self.observed, Observed()
        return observed

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._paused:
            return
        if event == "open":
            self._opened(*args)
        elif event in ("os.listdir", "os.scandir"):
            path = "." if args[0] is None else args[0]
            if not _is_system(path):
                self._listed(_absolute(path), sys._getframe(1).f_globals.get("__name__"))
        elif event == "ctypes.dlopen" and isinstance(args[0], (str, bytes)):
            if os.path.dirname(args[0]):
                self.observed.files.add(_absolute(args[0]))
        elif event == "subprocess.Popen" and (inputs := _harmless_command(args)) is not None:
            self.observed.files.update(inputs)
        elif (
            event in _STARTS
            or (event in _WRITES and not any(_is_bytecode(argument) for argument in args))
            or (event == "sqlite3.connect" and args[0] != ":memory:")
        ):
            self.observed.hazards.append(f"{event} ({_short(args)})")

    def _listed(self, path: str, by: object) -> None:
        """The import system looks for modules and distributions only; anyone else may use every
        name, and what stands for those is the directory's own stat."""
        inputs = self.observed.directories if by in _IMPORT_SYSTEM else self.observed.files
        inputs.add(path)

    def _opened(self, path: object, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes)):
            return
        writes = flags & _WRITE_FLAGS if mode is None else any(letter in mode for letter in "wax+")
        if writes:
            if not _is_bytecode(path) and path not in ("/dev/null", b"/dev/null"):
                self.observed.hazards.append(f"writes {os.fsdecode(path)}")
        elif _is_bytecode(path):
            # A module loaded without a place in `sys.modules` is seen nowhere else.
            with contextlib.suppress(ValueError, NotImplementedError):
                source = importlib.util.source_from_cache(_absolute(path))
                self.observed.files.add(source)
        elif not _is_system(path):
            self.observed.files.add(_absolute(path))


def _asked_by_project() -> bool:
    """Whether code that is not Python's own asks, if only through the standard library: not a
    standard module that is being imported."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name in _IMPORT_SYSTEM or name == "importlib._bootstrap":
            return False
        if not is_neutral(name):
            return True
        frame = frame.f_back
    return False


def _absolute(path: object) -> str:
    return os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes)) else "."


def _harmless_command(args: tuple[Any, ...]) -> tuple[str, ...] | None:
    """The inputs of a command that is known to read no others; args of `subprocess.Popen`."""
    command = args[1]
    if not isinstance(command, (list, tuple)) or not all(isinstance(a, str) for a in command):
        return None
    return _HARMLESS_COMMANDS.get((os.path.basename(command[0]), *command[1:]))


def _is_system(path: object) -> bool:
    """The kernel's own trees: what they say is not of the project, and never looks unchanged."""
    return isinstance(path, (str, bytes)) and os.fsdecode(path).startswith(
        ("/proc/", "/sys/", "/dev/")
    )


def _is_bytecode(argument: object) -> bool:
    if not isinstance(argument, (str, bytes)):
        return False
    path = os.fsdecode(argument)
    prefix = sys.pycache_prefix
    return "__pycache__" in path or (prefix is not None and path.startswith(prefix))


def _short(args: tuple[Any, ...]) -> str:
    text = ", ".join(repr(arg) for arg in args[:2])
    return text if len(text) <= 80 else text[:77] + "..."
