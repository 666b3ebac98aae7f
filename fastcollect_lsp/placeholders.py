"""What stands for a caller's standard streams while a session is collected ahead of time.

The same kind of thing, because programs look: a terminal of the same size, a pipe, a file, nothing.
What is printed is kept, and printed again by each run.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Sequence

from .checkpoint import Failed
from .protocol import Stream

MAX_OUTPUT = 16 << 20
"""Bytes that a session may have printed."""
DRAIN_TIMEOUT = 10.0
"""Seconds for what was printed to arrive."""


class Placeholders:
    """Three descriptors to give away, and what arrives at their other ends."""

    def __init__(self, streams: Sequence[Stream | None], end: bytes) -> None:
        """`end`: what is written last to a terminal or pipe. Raises Failed."""
        self.fds: list[int] = []
        self._end = end
        self._ours: list[int] = []
        self._printed: dict[int, bytearray] = {}
        self._arrived: dict[int, asyncio.Event] = {}
        self._files: dict[int, int] = {}
        self._input: int | None = None
        """What stands for a file as the standard input."""
        try:
            for number, stream in enumerate(streams):
                self._make(number, stream)
        except OSError as error:
            self.close()
            raise Failed(f"its streams cannot be imitated ({error.strerror})") from None
        except Failed:
            self.close()
            raise

    def _make(self, number: int, stream: Stream | None) -> None:
        kind = stream.kind if stream is not None else "closed"
        if kind == "null":
            flags = os.O_WRONLY if number else os.O_RDONLY
            self.fds.append(os.open(os.devnull, flags | os.O_CLOEXEC))
        elif kind == "file" and number == 0:
            # What the caller's holds is not known: an attempt to read it is noticed.
            self._input = os.memfd_create("placeholder")
            os.pwrite(self._input, b"\n" * 64, 0)
            self.fds.append(os.dup(self._input))
        elif kind == "file":
            file = os.memfd_create("placeholder")
            self._files[number] = file
            flags = os.O_WRONLY | os.O_CLOEXEC
            self.fds.append(os.open(f"/proc/self/fd/{file}", flags))
        elif kind == "pipe":
            reading, writing = os.pipe2(os.O_CLOEXEC)
            self.fds.append(writing if number else reading)
            self._keep(number, reading if number else writing)
        elif kind == "tty" and stream is not None and stream.size is not None:
            master, slave = os.openpty()
            self.fds.append(slave)
            self._keep(number, master)
            tty.setraw(slave)
            columns, lines = stream.size
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        else:
            raise Failed(f"standard stream {number} is {kind}")

    def _keep(self, number: int, fd: int) -> None:
        """Read what is printed, so that nobody waits."""
        self._ours.append(fd)
        if number == 0:
            return
        os.set_blocking(fd, False)
        self._printed[number] = bytearray()
        self._arrived[number] = asyncio.Event()
        asyncio.get_running_loop().add_reader(fd, self._read, number, fd)

    def _read(self, number: int, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        except OSError:  # a terminal that nobody has open any more
            data = b""
        printed = self._printed[number]
        if len(printed) < MAX_OUTPUT:
            printed += data
        if not data or printed.endswith(self._end):
            self._arrived[number].set()
            asyncio.get_running_loop().remove_reader(fd)

    @property
    def was_read(self) -> bool:
        """Whether somebody has read from a file that is the standard input."""
        return self._input is not None and os.lseek(self._input, 0, os.SEEK_CUR) > 0

    async def printed(self, number: int) -> bytes:
        """All that was printed to a stream, once its end was. Raises Failed."""
        if number in self._files:
            return os.pread(self._files[number], MAX_OUTPUT, 0)
        if number not in self._printed:
            return b""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._arrived[number].wait(), DRAIN_TIMEOUT)
        printed = bytes(self._printed[number])
        if not printed.endswith(self._end):
            raise Failed("what it prints did not arrive")
        return printed.removesuffix(self._end)

    def given(self) -> None:
        """Those that were given away are of no more use here."""
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()

    def close(self) -> None:
        """Forget everything."""
        self.given()
        loop = asyncio.get_running_loop()
        for fd in self._ours:
            loop.remove_reader(fd)
            os.close(fd)
        for fd in self._files.values():
            os.close(fd)
        if self._input is not None:
            os.close(self._input)
            self._input = None
        self._ours.clear()
        self._files.clear()
