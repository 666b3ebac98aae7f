"""What a step of imports reads, and would do to the world: audit events, and what raises none.

What is read becomes an input. What changes the world is kept from happening, and named: a write, a
connection or a process is the run's own, which happens once, when and where a person asked for it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fastcollect_lsp.listing import SHARED

from . import ambient, marks
from .referrers import Referrers

_WRITES = {
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link",
    "os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "shutil.rmtree",
    "shutil.copyfile", "shutil.move", "tempfile.mkstemp", "tempfile.mkdtemp",
}  # fmt: skip
_STARTS = {
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty",
    "os.spawn", "pty.spawn", "socket.connect", "socket.bind", "socket.sendto", "ftplib.connect",
    "smtplib.connect", "urllib.Request", "http.client.connect", "socket.getaddrinfo",
    "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
}  # fmt: skip
_OBSERVERS = {"sys.settrace", "sys.setprofile", "sys.addaudithook"}
"""Who looks at all that follows would, in a checkpoint, look at pytest's own start as well."""
_HARMLESS_COMMANDS = {
    # ctypes.util.find_library: what is asked is what the dynamic linker's cache says
    ("ldconfig", "-p"): ("/etc/ld.so.cache",),
    # platform.processor
    ("uname", "-p"): (),
}
"""Subprocesses that read nothing but the files named: no reason to leave an import to each run."""
_ONLY_NAMES = {*ambient.IMPORT_SYSTEM, "glob", "os", "pathlib", "shutil"}
"""Modules that use `os.scandir` for the names and kinds of what is there."""
_COLLECTORS = {"_pytest.pathlib", "_pytest.main", "_pytest.config", "_pytest.cacheprovider"}
"""Those of pytest that use it likewise."""
_ABOUT_KIND = {"exists", "isfile", "isdir", "is_file", "is_dir", "lexists"}
_ABOUT_LINKS = {"realpath", "_joinrealpath", "islink", "is_symlink", "ismount", "is_mount"}
_PATHS = {"genericpath", "posixpath", "pathlib"}
_ASKING_FOR_PATHS = ("stat", "lstat", "access", "readlink", "open")
MAX_SCANNED = 1000
"""Files of one directory that may become inputs because it was scanned."""
_UNNAMED = getattr(os, "O_TMPFILE", -1)
"""A file without a name: nobody finds it, and the census finds whoever keeps it."""
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Forbidden(BaseException):
    """Something that changes the world outside of this process; it has not happened.

    No `Exception`: code that tries something and does without it must not take that way.
    """


@dataclass
class Observed:
    """What the audit hook saw while it was looking."""

    files: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    """Directories, and what a session has asked about only whether it is a file or a directory."""
    listings: set[str] = field(default_factory=set)
    """Directories of which a session has used all names."""
    hazards: list[str] = field(default_factory=list)
    terminal: bool = False
    """Whether an import has asked for the terminal."""


class Audit:
    """An audit hook. It can never be removed: for disposable processes only."""

    def __init__(self, found: Callable[[str], NoReturn] | None = None) -> None:
        """`found`: of a session that is begun ahead, what to do at the first hazard."""
        self.observed = Observed()
        self._found = found
        self._paused = False
        self._stat, self._readlink = os.stat, os.readlink
        self._told: set[tuple[str, str]] = set()
        """Absolute paths, each with the purpose for which it was asked for: imports ask for the
        directories above them again and again."""
        sys.addaudithook(self._hook())

    def _hook(self) -> Callable[[str, tuple[Any, ...]], None]:
        """It is called for every import, compilation and `sys._getframe`: as short as can be."""
        handlers = {
            **dict.fromkeys(_WRITES | _STARTS, self._changes),
            **dict.fromkeys(_OBSERVERS, self._observes),
            "open": self._opens,
            "os.listdir": self._lists,
            "os.scandir": self._lists,
            "os.getxattr": self._reads_attributes,
            "os.listxattr": self._reads_attributes,
            "ctypes.dlopen": self._loads_library,
            "sqlite3.connect": self._connects_database,
            "exec": self._executes,
        }
        handler_of = handlers.get

        def hook(event: str, args: tuple[Any, ...]) -> None:
            handler = handler_of(event)
            if handler is not None and not self._paused:
                handler(event, args)

        return hook

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What we do ourselves is not looked at."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def wrap_functions(
        self,
        markers: Iterable[str] | None = (),
        replaced: Iterable[tuple[object, object]] = (),
    ) -> None:
        """Notice what raises no audit event: asking for a file's state, see `ambient`, and marks
        other than the registered `markers` (None: of no interest).

        `replaced`: what else stands for what now: (old, new).
        """
        replaced = list(replaced)
        functions = {name: getattr(os, name) for name in _ASKING_FOR_PATHS}
        watched = [*functions.values(), *ambient.functions(), *(old for old, _ in replaced)]
        referrers = Referrers(watched, ambient.CLASS_METHODS)
        for name, function in functions.items():
            noting = self._noting_path(function, only_relative=name == "open")
            replaced.append((function, noting))
            setattr(os, name, noting)
        session = self._found is not None
        replaced += ambient.watch(self._note, referrers.methods, session=session)
        referrers.replace(replaced)
        if markers is not None:
            marks.watch(markers, self._note)

    def _noting_path(
        self, function: Callable[..., Any], only_relative: bool = False
    ) -> Callable[..., Any]:
        """`only_relative`: of what raises an audit event, which says nothing of `dir_fd`."""

        def noting(path: Any, *args: Any, **kwargs: Any) -> Any:
            directory = kwargs.get("dir_fd")
            if self._paused or not isinstance(path, (str, bytes, os.PathLike)):
                pass
            elif directory is not None:
                self._asked_for(os.path.join(self._path_of(directory), os.fsdecode(path)))
            elif not only_relative:
                self._asked_for(os.fspath(path), _purpose(sys._getframe(1)))
            return function(path, *args, **kwargs)

        return noting

    def _path_of(self, fd: int) -> str:
        with contextlib.suppress(OSError):
            return self._readlink(f"/proc/self/fd/{fd}")
        self._hazard("uses a directory by a descriptor")
        return "/"

    def _asked_for(self, path: str | bytes, purpose: str = "") -> None:
        """`purpose`: the function that asks for somebody, where that tells nobody more than which
        kind of file it is, or where a link leads."""
        if purpose and isinstance(path, str) and path.startswith("/"):
            if (path, purpose) in self._told:
                return
            self._told.add((path, purpose))
        if _is_bytecode(path) or _is_system(path):
            return
        absolute = _absolute(path)
        parent = os.path.dirname(absolute)
        about_kind = purpose in _ABOUT_KIND and self._found is not None
        if about_kind and (self._is_file(absolute) or not self._is_there(absolute)):
            self.observed.kinds.add(absolute)
        elif self._is_link(absolute) or not self._is_directory(absolute):
            self.observed.files.add(absolute)
        elif not purpose and (who := ambient.asker()) is not None and not who.is_library:
            self.observed.files.add(absolute)  # when something was last done inside, say
        elif parent not in SHARED:  # which are no inputs for being asked for
            # Whatever is done inside a directory changes its stat, and what is done beside it is of
            # no concern: `realpath` asks for all directories above a file.
            self.observed.kinds.add(absolute)

    def _is_directory(self, path: str | bytes) -> bool:
        try:
            return stat.S_ISDIR(self._stat(path).st_mode)
        except (OSError, ValueError):
            return False

    def _is_there(self, path: str) -> bool:
        try:
            self._stat(path, follow_symlinks=False)
        except (OSError, ValueError):
            return False
        return True

    def _is_file(self, path: str | bytes) -> bool:
        try:
            return stat.S_ISREG(self._stat(path, follow_symlinks=False).st_mode)
        except (OSError, ValueError):
            return False

    def _is_link(self, path: str) -> bool:
        try:
            return stat.S_ISLNK(self._stat(path, follow_symlinks=False).st_mode)
        except (OSError, ValueError):
            return False

    def _note(self, hazard: str) -> None:
        if self._paused:
            return
        if hazard == ambient.ASKS_FOR_TERMINAL:
            self.observed.terminal = True
        else:
            self._hazard(hazard)

    def _hazard(self, hazard: str) -> None:
        self.observed.hazards.append(hazard)
        if self._found is not None:
            self._found(hazard)

    def take(self) -> Observed:
        """What was seen since the last call."""
        observed, self.observed = self.observed, Observed()
        return observed

    def _forbid(self, hazard: str) -> NoReturn:
        """Keep it from happening: this process is not the run that is meant to do it."""
        self._hazard(hazard)
        raise Forbidden(hazard)

    def _changes(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and (inputs := _harmless_command(args)) is not None:
            self.observed.files.update(inputs)
        elif event == "os.mkdir" and self._is_directory(args[0]):
            self._asked_for(os.fspath(args[0]), "isdir")  # fails, or was not meant to do anything
        elif event == "os.utime" and isinstance(args[0], int):
            if not _is_bytecode(self._path_of(args[0])):  # that is `bytecode.renew`
                self._forbid(f"{event} ({_short(args)})")
        elif event == "socket.bind" and _is_trial(args[1]):
            pass  # that a machine has IPv6 can only be tried (urllib3)
        elif not (event in _WRITES and (_is_about_bytecode(args) or _is_looking_for_tmp())):
            self._forbid(f"{event} ({_short(args)})")

    def _observes(self, event: str, args: tuple[Any, ...]) -> None:
        self._note(f"calls {event}" if self._found else f"{event} at import")

    def _connects_database(self, event: str, args: tuple[Any, ...]) -> None:
        if args[0] != ":memory:":
            self._forbid(f"{event} ({_short(args)})")

    def _loads_library(self, event: str, args: tuple[Any, ...]) -> None:
        if isinstance(args[0], (str, bytes)) and os.path.dirname(args[0]):
            self.observed.files.add(_absolute(args[0]))

    def _executes(self, event: str, args: tuple[Any, ...]) -> None:
        if (reason := ambient.of_code(args[0])) is not None:
            self._note(reason)

    def _reads_attributes(self, event: str, args: tuple[Any, ...]) -> None:
        """A file's extended attributes; whatever changes them changes the time in its stat."""
        path = self._path_of(args[0]) if isinstance(args[0], int) else _absolute(args[0])
        self.observed.files.add(path)

    def _lists(self, event: str, args: tuple[Any, ...]) -> None:
        path = "." if args[0] is None else args[0]
        if isinstance(path, int):
            path = self._path_of(path)
        if _is_system(path) or path == "/proc":
            if reason := ambient.of_kernel(f"{path}/", session=self._found is not None):
                self._note(reason)
            return
        by = sys._getframe(2).f_globals.get("__name__")
        if self._found and (event == "os.listdir" or by in _ONLY_NAMES | _COLLECTORS):
            self.observed.listings.add(_absolute(path))
            return
        self._listed(_absolute(path), by)
        if event == "os.scandir" and by not in _ONLY_NAMES:
            self._scanned(_absolute(path))

    def _listed(self, path: str, by: object) -> None:
        """The import system looks for modules and distributions only; anyone else may use every
        name, and what stands for those is the directory's own stat."""
        if by in ambient.IMPORT_SYSTEM:
            self.observed.directories.add(path)
        else:
            with self.paused():
                self.observed.files.update((path, os.path.realpath(path)))

    def _scanned(self, path: str) -> None:
        """What `os.scandir` yields can be asked for the state of a file without our knowing."""
        with self.paused(), contextlib.suppress(OSError):
            names = os.listdir(path)
            if len(names) > MAX_SCANNED:
                self._hazard(f"scans {path}, which holds {len(names)} files")
            else:
                self.observed.files.update(os.path.join(path, name) for name in names)

    def _opens(self, event: str, args: tuple[Any, ...]) -> None:
        path, mode, flags = args
        if not isinstance(path, (str, bytes)) or flags & _UNNAMED == _UNNAMED:
            return
        writes = flags & _WRITE_FLAGS if mode is None else any(letter in mode for letter in "wax+")
        if writes:
            if mode is not None and self._is_directory(path):
                return  # can only be opened by an opener of its own (`tempfile.TemporaryFile`)
            if not _is_bytecode(path) and not _is_null(path) and not _is_looking_for_tmp():
                self._forbid(f"writes {os.fsdecode(path)}")
        elif _is_bytecode(path):
            # A module loaded without a place in `sys.modules` is seen nowhere else.
            with contextlib.suppress(ValueError, NotImplementedError):
                source = importlib.util.source_from_cache(_absolute(path))
                self.observed.files.add(source)
        elif not _is_system(path):
            self.observed.files.add(_absolute(path))
        elif reason := ambient.of_kernel(os.fsdecode(path), session=self._found is not None):
            self._note(reason)


def _purpose(frame: types.FrameType) -> str:
    """The function that asks for a file's state, if it is one of those that do not tell it."""
    if frame.f_code.co_name == "stat" and frame.f_back is not None:  # of `pathlib.Path`
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__")).partition(".")[0]
    name = frame.f_code.co_name
    return name if module in _PATHS and name in _ABOUT_KIND | _ABOUT_LINKS else ""


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


def _is_null(path: str | bytes) -> bool:
    return path in (os.devnull, os.fsencode(os.devnull))


def _is_trial(address: object) -> bool:
    """Whether whoever binds to it gets any port, and nobody from outside; nothing is left of that
    once the socket is closed, and sockets that are kept are found (`census`)."""
    return isinstance(address, tuple) and address[:2] in {("::1", 0), ("127.0.0.1", 0)}


def _is_looking_for_tmp() -> bool:
    """Whether `tempfile` tries which directory can be written to: it leaves nothing."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "_get_default_tempdir"


def _is_about_bytecode(args: tuple[Any, ...]) -> bool:
    return any(_is_bytecode(argument) for argument in args)


def _is_bytecode(argument: object) -> bool:
    if not isinstance(argument, (str, bytes)):
        return False
    path = os.fsdecode(argument)
    prefix = sys.pycache_prefix
    return "__pycache__" in path or (prefix is not None and path.startswith(prefix))


def _short(args: tuple[Any, ...]) -> str:
    text = ", ".join(repr(arg) for arg in args[:2])
    return text if len(text) <= 80 else text[:77] + "..."
