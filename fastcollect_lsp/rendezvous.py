"""Where a project's server is met: its directory, socket and lock, and who may use them.

Standard library only and cheap to import: the pytest plugin uses it in every run.

One server per (root, interpreter, user). Its directory is `<base>/<id>/`, 0700 and ours, holding
`socket`, `lock` (flock held for the server's life), `log` and `records/`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import hints
from .digest import blake2b
from .frozen import dataclass

MAX_COMMANDS = 100
"""Commands, of all projects, whose servers are known without their roots."""
_SUN_PATH_MAX = 107 if sys.platform == "linux" else 103


class Unsafe(Exception):
    """A directory or peer that is not ours alone: refused, with the reason as its text."""


class Busy(Exception):
    """Another server holds the lock."""


@dataclass(frozen=True)
class Place:
    """The rendezvous of one server."""

    root: str
    interpreter: str
    directory: Path

    @property
    def socket(self) -> Path:
        """The Unix socket that the server listens on."""
        return self.directory / "socket"

    @property
    def lock(self) -> Path:
        """The file whose flock is the server's life; its text says who holds it."""
        return self.directory / "lock"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.directory / "log"

    @property
    def records(self) -> Path:
        """Records of cold runs that the server has not read yet."""
        return self.directory / "records"


def base_directory() -> Path:
    """Where the directories of all servers of this user are (`hints.base_directory`)."""
    return Path(hints.base_directory())


def interpreter_id(executable: str, prefix: str) -> str:
    """The interpreter as users mean it: the environment, not which of its names was typed."""
    return f"{os.path.realpath(executable)} in {prefix}"


def place(root: str, interpreter: str | None = None) -> Place:
    """The rendezvous for a root (pytest's rootdir, absolute); default interpreter: this one."""
    interpreter = interpreter or interpreter_id(sys.executable, sys.prefix)
    name = blake2b(
        os.fsencode(f"{os.path.realpath(root)}\0{interpreter}"), digest_size=8
    ).hexdigest()
    return Place(root=root, interpreter=interpreter, directory=base_directory() / name)


def note_command(where: Place, argv: Sequence[str], cwd: str) -> None:
    """Have `hints.known_command` find this server. Raises OSError."""
    link = Path(hints.command_link(argv, cwd))
    link.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(where.directory.name)
    fresh.replace(link)
    known = sorted(link.parent.iterdir(), key=lambda one: one.lstat().st_mtime_ns)
    for old in known[:-MAX_COMMANDS]:
        old.unlink(missing_ok=True)


def forget_commands(where: Place) -> None:
    """Take away what `note_command` has left of this server."""
    with contextlib.suppress(OSError):
        for link in (base_directory() / "commands").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(link) == where.directory.name:
                    link.unlink()
        (base_directory() / "commands").rmdir()


def secure(directory: Path) -> None:
    """Make sure that a directory exists and is ours alone. Raises Unsafe, OSError.

    The base directory may be readable by others where the user chose it; a server's own may not.
    """
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_base(directory.parent)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    check_owned(directory, allowed=0o700)


def check(directory: Path) -> None:
    """Raises Unsafe where the directory of a server is not ours alone, OSError where it is not."""
    check_base(directory.parent)
    check_owned(directory, allowed=0o700)


def check_base(base: Path) -> None:
    """Raises Unsafe where servers must not have directories below this one, OSError."""
    check_above(base)
    check_owned(base, allowed=0o755 if "FASTCOLLECT_DIR" in os.environ else 0o700)


def check_owned(path: Path, allowed: int) -> None:
    """Raises Unsafe unless `path` is a real directory of ours with no bits beyond `allowed`."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise Unsafe(f"{path} is not a directory of its own")
    if status.st_uid != os.geteuid():
        raise Unsafe(f"{path} belongs to user {status.st_uid}")
    if stat.S_IMODE(status.st_mode) & 0o777 & ~allowed:
        raise Unsafe(f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):o})")


def check_above(path: Path) -> None:
    """Raises Unsafe where somebody else could put another directory in the place of this one.

    Whoever shares a group with the user is trusted not to, as with the project itself.
    """
    for above in Path(os.path.realpath(path.parent), "x").parents:
        status = above.stat()
        theirs = status.st_uid not in (0, os.geteuid())
        if theirs or (status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX):
            raise Unsafe(f"others may replace what is in {above}")


def check_file(fd: int, path: Path) -> None:
    """Raises Unsafe unless an open file is ours alone: somebody may have put it there."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
        raise Unsafe(f"{path} is not a file of ours alone")


def check_peer(sock: socket.socket) -> int:
    """The peer's pid. Raises Unsafe when the peer of a Unix socket is another user, OSError."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    if uid != os.geteuid():
        raise Unsafe(f"the process at the other end of the socket belongs to user {uid}")
    return int(pid)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address of `path` that fits into sockaddr_un, whatever the length of the path."""
    if len(os.fsencode(path)) <= _SUN_PATH_MAX:
        yield str(path)
        return
    if sys.platform != "linux":
        raise Unsafe(f"the path {path} is too long for a socket; set FASTCOLLECT_DIR")
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def listen(where: Place) -> socket.socket:
    """Bind the server's socket; the caller holds the lock. Raises OSError, Unsafe."""
    with contextlib.suppress(FileNotFoundError):
        where.socket.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o077)
    try:
        with _short(where.socket) as address:
            sock.bind(address)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(old)
    sock.listen(128)
    return sock


def connect(where: Place, timeout: float) -> socket.socket | None:
    """A socket to the server, or None where there is none. Raises Unsafe, OSError."""
    try:
        check_owned(where.directory, allowed=0o700)
    except FileNotFoundError:
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        with _short(where.socket) as address:
            sock.connect(address)
        check_peer(sock)
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock


def open_log(where: Place) -> int:
    """A descriptor to append to the log. Raises Unsafe, OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(where.log, flags, 0o600)
    try:
        check_file(fd, where.log)
    except BaseException:
        os.close(fd)
        raise
    os.set_blocking(fd, True)
    return fd


def acquire_lock(where: Place) -> int:
    """Take the server's lock; the descriptor holds it for life. Raises Busy, Unsafe, OSError."""
    while True:
        secure(where.directory)  # a stopping server may have removed it just now
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(where.lock, flags, 0o600)
        except FileNotFoundError:
            continue
        try:
            check_file(fd, where.lock)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A stopping server unlinks the file that we may have opened just before: then what we
            # locked is no longer what the next one will open.
            if holds(where, fd):
                return fd
            os.close(fd)
        except BlockingIOError:
            os.close(fd)
            raise Busy(f"another server holds {where.lock}") from None
        except BaseException:
            os.close(fd)
            raise


def is_locked(where: Place) -> bool:
    """Whether some server holds the lock now."""
    try:
        fd = os.open(where.lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def write_holder(fd: int, holder: dict[str, object]) -> None:
    """Say in the lock file who holds it (for people and `fastcollect health`)."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(holder).encode(), 0)


def read_holder(where: Place) -> dict[str, object]:
    """What the lock file says; empty where there is nothing to read."""
    try:
        holder = json.loads(where.lock.read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def holds(where: Place, lock: int) -> bool:
    """Whether a lock that is held is the one that others would find: the directory may have been
    removed."""
    try:
        return os.path.samestat(os.fstat(lock), where.lock.lstat())
    except OSError:
        return False


def remove(where: Place, lock: int) -> None:
    """Remove all that a server leaves on disk, if `lock` is what holds the place; it goes last."""
    if not holds(where, lock):
        return
    for path in (where.socket, where.log):
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError):
        for path in where.records.iterdir():
            path.unlink()
        where.records.rmdir()
    forget_commands(where)
    with contextlib.suppress(OSError):
        where.lock.unlink()
        where.directory.rmdir()
        where.directory.parent.rmdir()
