"""A fork of a collected session that is made before the run that it will be.

Forking copies page tables, and the first write to each page of a fork copies the page: with large
libraries that takes as long as one test. A standby has both behind it. It is the process that a
fork would be, at the same point and with the same inputs, which are proven when the run comes; all
that differs is when it was forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import re
import select
import signal
import socket
import struct
from typing import Any

from fastcollect_lsp import protocol

_POPULATE_READ, _POPULATE_WRITE = 22, 23
"""Have pages there as if they had been read, or written to (madvise(2), Linux 5.14)."""
_PAGE = mmap.PAGESIZE
_ENTRY = 8
_OWN = re.compile(rb"\x81+")
"""Of entries of pagemap, their highest bytes: present and mapped by this process alone."""
_FILE = re.compile(rb"[\xa0\xa1]+")
"""Present, a page of a file."""
_ROOM = 1 << 17
_RANGE = struct.Struct("=QIB")
_COUNT = struct.Struct("=I")
_PATIENCE = 2.0
"""Seconds in which a standby has to have taken its run: one that is stopped does not."""
_MOST_PAGES = 1 << 14
"""Pages that are prepared at most: 64 MiB of 4 KiB each."""


class Pages:
    """Which pages the first run of a session has come to need, in memory shared with its forks."""

    def __init__(self) -> None:
        """Raises OSError, ValueError."""
        self._shared = mmap.mmap(-1, _ROOM)

    @property
    def known(self) -> bool:
        """Whether a run has left them."""
        return self._count() > 0

    def _count(self) -> int:
        (count,) = _COUNT.unpack_from(self._shared)
        return int(count)

    def note(self) -> None:
        """In a run child that was forked for its run, at its end: what it has come to need."""
        if self.known:
            return
        ranges: list[bytes] = []
        with contextlib.suppress(OSError, ValueError):
            ranges = [_RANGE.pack(*one) for one in _needed()]
        ranges = ranges[: (_ROOM - _COUNT.size) // _RANGE.size]
        for number, packed in enumerate(ranges):
            start = _COUNT.size + number * _RANGE.size
            self._shared[start : start + _RANGE.size] = packed
        _COUNT.pack_into(self._shared, 0, len(ranges))

    def prepare(self) -> None:
        """In a fork: have them there. Content does not change; what cannot be had is left out."""
        if _madvise is None:
            return
        left = _MOST_PAGES
        for number in range(self._count()):
            start, count, written = _RANGE.unpack_from(
                self._shared, _COUNT.size + number * _RANGE.size
            )
            left -= count
            if left < 0:
                return
            _madvise(start, count * _PAGE, _POPULATE_WRITE if written else _POPULATE_READ)


def _needed() -> list[tuple[int, int, bool]]:
    """(address, pages, whether written to): of this process, what it has beyond its page tables as
    they were when it was forked. Raises OSError, ValueError."""
    found: list[tuple[int, int, bool]] = []
    maps = os.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC)
    pages = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while more := os.read(maps, 1 << 16):
            text += more
        for line in text.splitlines():
            span, access, *_ = line.split(None, 2)
            low, high = (int(end, 16) for end in span.split(b"-"))
            if not access.startswith(b"r") or not access.endswith(b"p") or high > 1 << 63:
                continue
            entries = os.pread(pages, (high - low) // _PAGE * _ENTRY, low // _PAGE * _ENTRY)
            highest = entries[_ENTRY - 1 :: _ENTRY]
            for pattern, written in ((_OWN, b"w" in access), (_FILE, False)):
                if written or pattern is _FILE:
                    found += (
                        (low + run.start() * _PAGE, run.end() - run.start(), written)
                        for run in pattern.finditer(highest)
                    )
    finally:
        os.close(maps)
        os.close(pages)
    return found


def _find_madvise() -> Any:
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        return madvise
    return None


_madvise = _find_madvise()


class Standby:
    """A fork that waits to be a run, as its parent sees it."""

    def __init__(self, pid: int, pidfd: int, sock: socket.socket) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self._sock = sock

    @classmethod
    def fork(cls) -> Standby | socket.socket | None:
        """A new one; in the new process, the socket on which it hears of its run. None where there
        can be none."""
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            return None
        with contextlib.suppress(OSError, AttributeError):
            pid = os.fork()
            if pid == 0:
                ours.close()
                return theirs
            theirs.close()
            with contextlib.suppress(AttributeError, OSError):
                return cls(pid, os.pidfd_open(pid), ours)
            ours.close()  # first: it ends when this is closed, and not before
            os.waitpid(pid, 0)
            return None
        ours.close()
        theirs.close()
        return None

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def hand(self, message: dict[str, Any], fds: list[int]) -> bool:
        """Have it be this run, with copies of these descriptors; False where it is gone."""
        if not self.alive:
            return False
        try:
            self._sock.settimeout(_PATIENCE)
            protocol.send(self._sock, message, tuple(fds), protocol.MAX_CONTROL_FRAME)
        except OSError:
            # One that was stopped may have got half of it, and holds the caller's streams.
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            return False
        self._sock.close()
        return True

    def forget(self) -> None:
        """Let go of what this process holds of it: it ends by itself if it has no run."""
        self._sock.close()
        os.close(self.pidfd)


def await_run(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """In the new process: what `Standby.hand` was given. Ends the process if there is nothing."""
    reader = protocol.FrameReader(protocol.MAX_CONTROL_FRAME, protocol.RUN_FDS)
    with sock, contextlib.suppress(OSError, protocol.ProtocolError):
        while reader.receive(sock):
            if (message := reader.next_frame()) is not None:
                return message, reader.take_fds(protocol.RUN_FDS)
    os._exit(0)
