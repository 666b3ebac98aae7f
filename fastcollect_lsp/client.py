"""The caller's side: find or start the server, hand a run over, be the run's shadow until it ends.

Standard library only and cheap to import: it runs inside every `pytest`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from . import __version__, protocol, rendezvous
from .frozen import dataclass
from .protocol import Hello, NativeRequest, RunRequest
from .rendezvous import Place

DECISION_TIMEOUT = 5.0
"""Seconds to wait for the server's decision before running cold."""
TURN_TIMEOUT = 30.0
"""Seconds to wait where the server has said that it lets this run wait."""
RUN_VARIABLE = "FASTCOLLECT_RUN"
"""Set for runs that the server begins: its id for them. Taken off before anything can see it."""
MAX_TURNS = 3
"""Times that a server may have this run wait."""
LOST_RUN_EXIT = 70
"""Exit status of a caller whose run child vanished without a status (sysexits.h EX_SOFTWARE)."""

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")


class Unavailable(Exception):
    """No server can be asked, for the reason given as text."""


@dataclass(frozen=True)
class Cold:
    """The run has to be a plain pytest run, for this reason."""

    reason: str
    starting: bool = False
    """Whether a server is on its way for the next run."""
    record: bool = False
    """Whether the server wants to know this run's import path."""
    run: str = ""
    """The id under which the server wants to be told of the run; empty: it does not."""


def open_connection(where: Place, hello: Hello, timeout: float) -> socket.socket | None:
    """A connection on which `hello` has been said; None without a server. Raises Unavailable."""
    try:
        sock = rendezvous.connect(where, timeout)
        if sock is None:
            return None
        protocol.send(sock, protocol.to_json(hello))
        return sock
    except rendezvous.Unsafe as error:
        raise Unavailable(str(error)) from None
    except OSError as error:
        raise Unavailable(f"the server does not answer ({error})") from None


def ask(where: Place, kind: str, timeout: float, **details: Any) -> dict[str, Any] | None:
    """One request and its answer; None without a server. Raises Unavailable."""
    hello = Hello(kind=kind, version=__version__, pid=os.getpid(), **details)
    sock = open_connection(where, hello, timeout)
    if sock is None:
        return None
    with sock:
        try:
            answer = protocol.receive(sock, protocol.FrameReader(protocol.MAX_CONTROL_FRAME, 0))
        except (OSError, protocol.ProtocolError) as error:
            raise Unavailable(f"the server does not answer ({error})") from None
    if answer is None:
        raise Unavailable("the server ended before it answered")
    return answer


def spawn_server(where: Place, first_run: int | None = None) -> None:
    """Start a server in the background, as nobody's child. Raises Unsafe, OSError.

    `first_run`: the process of a run that the server is to leave alone while it can.

    The server is not made a child of this process: a test that waits for any child, or counts its
    children, must not find it.
    """
    rendezvous.secure(where.directory)
    if is_full(where.directory):  # the server could not even tell
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where.directory))
    log = rendezvous.open_log(where)
    devnull = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    command = [sys.executable, "-W", "ignore", "-m", "fastcollect_lsp.server", where.root]
    if first_run is not None:
        command.append(str(first_run))
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                os.chdir("/")
                for number, fd in enumerate((devnull, log, log)):
                    os.dup2(fd, number)
                for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE):
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, [])
                os.closerange(3, os.sysconf("SC_OPEN_MAX"))
                os.execve(command[0], command, environ)
        finally:
            os._exit(0)
    os.close(log)
    os.close(devnull)
    _wait_for(pid)


def is_full(directory: os.PathLike[str]) -> bool:
    """Whether a file system has no room left; some do not count it at all (ramfs)."""
    state = os.statvfs(directory)
    return state.f_blocks > 0 and state.f_bavail == 0


def _wait_for(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def wait_for_server(where: Place, timeout: float) -> dict[str, Any]:
    """The status of a server that has just been spawned. Raises Unavailable after `timeout` s."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(Unavailable):
            status = ask(where, "status", timeout=DECISION_TIMEOUT)
            if status is not None:
                return status
        time.sleep(0.02)
    raise Unavailable(f"the server did not start within {timeout:.0f} s; see {where.log}")


def hand_over(where: Place, request: RunRequest | NativeRequest, kind: str = "run") -> Cold:
    """Hand this run to the server. Returns only if it has to be cold; else this process ends as the
    run did, with its exit status or by its signal.

    The commit point is our `go`: before it the run child does nothing and ends when we turn away,
    after it we never run the tests ourselves.
    """
    try:
        hello = Hello(kind=kind, version=__version__, pid=os.getpid())
        connection = open_connection(where, hello, DECISION_TIMEOUT)
    except Unavailable as error:
        return Cold(str(error))
    if connection is None:
        return Cold("no server yet", starting=True)
    if len(request.inherited) > protocol.MAX_INHERITED:
        connection.close()
        return Cold(f"{len(request.inherited)} descriptors are open")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        # The first thing that the run child reads; it goes from here to there directly.
        words = ["descriptors", *map(str, request.inherited)]
        socket.send_fds(ours, [" ".join(words).encode()], request.inherited)
        with connection:
            try:
                with theirs:
                    fds = (*(_open_or_null(fd) for fd in range(3)), theirs.fileno())
                    try:
                        protocol.send(connection, protocol.to_json(request), fds)
                    finally:
                        for fd in fds[:3]:
                            os.close(fd)
                cold = _await_ready(connection, ours)
            except protocol.TooLarge as error:
                return Cold(str(error))
            except (OSError, ValueError, protocol.ProtocolError) as error:
                return Cold(f"the hand-over failed ({error})")
            if isinstance(cold, Cold):
                return cold
        try:
            _shadow(ours, cold)
        except OSError:  # no memory for its signal handlers, say: the tests may have begun
            _end_as_announced(None)


def inherited() -> list[int]:
    """Descriptors beyond the standard streams that whoever started this process left open for it:
    those that Python opens are closed on exec."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one of the listing itself
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return sorted(found)


def _open_or_null(fd: int) -> int:
    """A duplicate of a standard descriptor. A closed one cannot travel: /dev/null stands in (the
    request says that the stream was closed)."""
    try:
        return os.dup(fd)
    except OSError:
        return os.open(os.devnull, os.O_RDWR)


@dataclass(frozen=True)
class _RunChild:
    pid: int
    pidfd: int


def _await_ready(connection: socket.socket, channel: socket.socket) -> Cold | _RunChild:
    """Wait for the run child's `ready` or the server's word that the run has to be cold."""
    reader = protocol.FrameReader(max_fds=0)
    deadline = time.monotonic() + DECISION_TIMEOUT
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(channel, select.POLLIN)
    accepted = lost = False
    turns = 0
    while not (accepted and lost):
        left = deadline - time.monotonic()
        if left <= 0:
            return Cold("the server took too long to decide")
        ready = {fd for fd, _ in poll.poll(left * 1000)}
        if channel.fileno() in ready:
            text, fds = _receive_message(channel)
            if text.startswith("ready "):
                child = _RunChild(_process(text[6:]), fds[0] if fds else -1)
                _commit(channel)
                return child
            if text.startswith("refuse "):
                return Cold(text.removeprefix("refuse "))
            if text:  # its checkpoint tells how it ended
                return Cold("the process of the run ended before the run began")
            poll.unregister(channel)  # the server's answer may still say why
            lost = True
        if connection.fileno() in ready:
            if not reader.receive(connection):
                return Cold("the server ended before it decided")
            while not accepted and (answer := reader.next_frame()) is not None:
                if isinstance(waiting := answer.get("waiting"), str) and turns < MAX_TURNS:
                    turns += 1
                    os.write(2, f"fastcollect: {waiting}\n".encode(errors="replace"))
                    deadline = time.monotonic() + TURN_TIMEOUT
                    continue
                if answer.get("served") not in ("warm", "collected"):
                    return Cold(
                        str(answer.get("reason", "the server gave no reason")),
                        starting=bool(answer.get("starting")),
                        record=bool(answer.get("record")),
                        run=str(answer.get("run") or ""),
                    )
                poll.unregister(connection)
                accepted = True
    return Cold("the checkpoint ended before the run began")


def _process(text: str) -> int:
    """The pid of a run child, which leads a group: signals will go there. Raises ValueError."""
    pid = int(text)
    if pid <= 1:
        raise ValueError(f"{pid} is no process of a run")
    return pid


def _commit(channel: socket.socket) -> None:
    """From here on the run is the run child's. Raises OSError where there is none any more."""
    channel.send(b"go")


def _receive_message(channel: socket.socket) -> tuple[str, list[int]]:
    try:
        data, fds, _, _ = socket.recv_fds(channel, 4096, 1)
    except ConnectionResetError:  # closed, with something of ours not read
        return "", []
    for fd in fds:
        os.set_inheritable(fd, False)
    return data.decode("utf-8", "replace"), fds


def _shadow(channel: socket.socket, child: _RunChild) -> NoReturn:
    """Stand for the run child until it ends: forward signals, then end as it did."""
    announced: int | None = None
    _forward_signals(child)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    if child.pidfd >= 0:
        poll.register(child.pidfd, select.POLLIN)
    grace: float | None = None
    while True:
        timeout = None if grace is None else max(0.0, (grace - time.monotonic()) * 1000)
        ready = {fd for fd, _ in poll.poll(timeout)}
        if channel.fileno() in ready:
            text, _ = _receive_message(channel)
            word, _, value = text.partition(" ")
            if word == "status":
                _end_as(int(value))
            elif word == "exit":
                announced = int(value)
            elif not text:
                _end_as_announced(announced)
        elif grace is not None and not ready:
            _end_as_announced(announced)
        if child.pidfd in ready and grace is None:
            # The child has ended; its checkpoint tells the status, unless it was killed as well.
            poll.unregister(child.pidfd)
            grace = time.monotonic() + 1.0


def _forward_signals(child: _RunChild) -> None:
    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)

    def stop(number: int, _frame: object) -> None:
        forward(number, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        forward(signal.SIGCONT, None)

    for name in _FORWARDED:
        number = getattr(signal, name)
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, stop)


def _end_as_announced(announced: int | None) -> NoReturn:
    if announced is not None:
        os._exit(announced)
    os.write(2, b"fastcollect: the process that ran the tests was lost; its status is unknown\n")
    os._exit(LOST_RUN_EXIT)


def _end_as(status: int) -> NoReturn:
    """End this process as `status` (of `os.waitpid`) says: same exit code, or same signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        _no_core()
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))


def _no_core() -> None:
    """The run child has left the core dump, if one was wanted: ours would overwrite it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def stop_server(where: Place, timeout: float) -> bool:
    """Stop the server and wait until it has ended. False where none ran. Raises Unavailable."""
    hello = Hello(kind="stop", version=__version__, pid=os.getpid())
    sock = open_connection(where, hello, timeout)
    if sock is None:
        return False
    with sock:
        # The server's end of this connection closes when its process is gone, and not before.
        try:
            while sock.recv(4096):
                pass
        except OSError as error:
            raise Unavailable(f"the server does not stop ({error})") from None
    return True
