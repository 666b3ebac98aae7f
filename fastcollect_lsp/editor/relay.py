"""`fastcollect lsp`: bytes between the editor's pipes and the server's socket, not looked at.

Standard library only, and little of it: this is what an editor waits for when it starts.
"""

from __future__ import annotations

import os
import select
import socket
import stat

CHUNK = 1 << 16
"""Bytes read at once."""

MAX_PENDING = 1 << 20
"""Bytes that may wait in one direction before its source is not read any further."""

READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR
BROKEN = select.POLLHUP | select.POLLERR | select.POLLNVAL


def relay(sock: socket.socket, stdin_fd: int, stdout_fd: int) -> int:
    """Copy stdin to the socket and the socket to stdout until either side has closed.

    The end of stdin closes the socket's sending half only: what the server still answers is
    delivered. The end of the socket ends the relay, once everything read from it is written; so
    does a stdout that nobody reads any more. `sock` is a connected stream socket; it is closed.
    Neither the flags nor the modes of the descriptors are changed: others may share them.

    Returns an exit status: 0, or 1 if the connection was broken off.
    """
    with sock:
        upward = Direction(Source(stdin_fd), Sink(sock.fileno()))
        downward = Direction(Source(sock.fileno()), Sink(stdout_fd))
        try:
            while not downward.finished:
                _wait_and_copy(upward, downward)
                if upward.finished and not upward.closed:
                    upward.closed = True
                    _shut_sending_half(sock)
        except (BrokenPipeError, ConnectionResetError):
            return 0  # stdout has no reader any more: the editor is gone
    return 1 if downward.source.broken else 0


class Source:
    """A descriptor read from, until its end."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ended = False
        self.broken = False
        """It ended because the peer was killed, or hung up on what it had not read."""

    def read(self) -> bytes:
        """What there is; nothing at the end. Called when poll says it does not block."""
        try:
            data = os.read(self.fd, CHUNK)
        except ConnectionResetError:
            data, self.broken = b"", True
        self.ended = not data
        return data


class Sink:
    """A descriptor written to, without blocking and without the flag O_NONBLOCK.

    That flag belongs to the open file, which the editor, or a terminal's shell, shares.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)

    def write(self, data: memoryview) -> int:
        """Write some of `data`; returns how much. Called when poll says that there is room."""
        if not self._is_socket:
            # poll promises room for this much, and a larger write would block.
            return os.write(self.fd, data[: select.PIPE_BUF])
        with socket.socket(fileno=os.dup(self.fd)) as sock:
            try:
                return sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return 0


class Direction:
    """Bytes on their way from a source to a sink."""

    def __init__(self, source: Source, sink: Sink) -> None:
        self.source = source
        self.sink = sink
        self.closed = False
        """The sink has been told that there is no more."""
        self._pending = bytearray()

    @property
    def finished(self) -> bool:
        """The source has ended, and all its bytes are written."""
        return self.source.ended and not self._pending

    @property
    def reads(self) -> bool:
        """There is room for more."""
        return not self.source.ended and len(self._pending) < MAX_PENDING

    @property
    def writes(self) -> bool:
        """There is something to write."""
        return bool(self._pending)

    def read(self) -> None:
        """Take what the source has."""
        self._pending += self.source.read()

    def write(self) -> None:
        """Give the sink what it takes."""
        with memoryview(self._pending) as view:
            written = self.sink.write(view)
        del self._pending[:written]

    def abandon(self) -> None:
        """The sink takes no more: read no more for it, keep nothing."""
        self.source.ended = True
        self._pending.clear()


def _wait_and_copy(upward: Direction, downward: Direction) -> None:
    """Wait until something can be read or written, then do it, in both directions."""
    poll = select.poll()
    wanted: dict[int, int] = {}
    for direction in (upward, downward):
        if direction.reads:
            fd = direction.source.fd
            wanted[fd] = wanted.get(fd, 0) | select.POLLIN
        if direction.writes:
            fd = direction.sink.fd
            wanted[fd] = wanted.get(fd, 0) | select.POLLOUT
    # Watched for errors alone: an editor that is gone, while the server has nothing to say.
    wanted.setdefault(downward.sink.fd, 0)
    for fd, events in wanted.items():
        poll.register(fd, events)
    ready = dict(poll.poll())
    if ready.get(downward.sink.fd, 0) & BROKEN and not downward.writes:
        raise BrokenPipeError
    for direction in (upward, downward):
        if direction.writes and ready.get(direction.sink.fd, 0) & WRITABLE:
            _write(direction, upward)
        if direction.reads and ready.get(direction.source.fd, 0) & READABLE:
            direction.read()


def _write(direction: Direction, upward: Direction) -> None:
    """Write; a server that reads no more may still have answers on their way: read on for them."""
    try:
        direction.write()
    except (BrokenPipeError, ConnectionResetError):
        if direction is not upward:
            raise
        direction.abandon()


def _shut_sending_half(sock: socket.socket) -> None:
    """Tell the server that the editor has said everything."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has hung up already; its last bytes are still to be read
