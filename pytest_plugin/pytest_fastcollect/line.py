"""The connection on which a run tells the server what happens in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import time
from collections import deque

from fastcollect_lsp import protocol, reports
from fastcollect_lsp.reports import Report

MAX_BACKLOG = 32 << 20
"""Bytes that wait for a server that does not read; more, and it is told nothing any more."""
FAREWELL_TIMEOUT = 2.0
"""Seconds to send the rest when the run is over."""
HIGH = 200
"""Our descriptor is moved up here, out of the way of tests that count on the lowest ones."""


class Line:
    """The connection to the server: never blocks, never raises."""

    def __init__(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            high = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH)
            sock.close()
            sock = socket.socket(fileno=high)
        sock.setblocking(False)
        self._fd = sock.detach()  # a socket object would be warned of, where warnings are shown
        self._inode = os.fstat(self._fd).st_ino
        self._owner = os.getpid()
        self._backlog: deque[bytes] = deque()
        self._waiting = 0
        self._lost = False

    def send(self, report: Report) -> None:
        """Send now what can be sent without waiting; keep the rest for later."""
        if self._lost or os.getpid() != self._owner:
            return  # in a process that a test has forked
        try:
            data = protocol.encode(reports.to_message(report), protocol.MAX_CONTROL_FRAME)
        except protocol.TooLarge:
            return
        self._backlog.append(data)
        self._waiting += len(data)
        self._flush()
        if self._waiting > MAX_BACKLOG:
            self._give_up()

    def close(self) -> None:
        """Send the rest, patiently but not for ever, and hang up."""
        deadline = time.monotonic() + FAREWELL_TIMEOUT
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._backlog and not self._lost and time.monotonic() < deadline:
            poll.poll((deadline - time.monotonic()) * 1000)
            self._flush()
        if not self._lost:
            self._give_up()

    def _flush(self) -> None:
        if not self._is_ours():
            self._lost = True
            return
        try:
            while self._backlog:
                data = self._backlog[0]
                sent = os.write(self._fd, data)
                self._waiting -= sent
                if sent < len(data):
                    self._backlog[0] = data[sent:]
                else:
                    self._backlog.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._give_up()

    def _is_ours(self) -> bool:
        """Tests close descriptors that are not theirs: the number may be another file's now."""
        try:
            return os.fstat(self._fd).st_ino == self._inode
        except OSError:
            return False

    def _give_up(self) -> None:
        self._lost = True
        self._backlog.clear()
        if self._is_ours():
            os.close(self._fd)
