"""Runs that the server begins: `pytest` in a pseudo-terminal, as a person would start it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence

import psutil

from . import shortage
from .children import end_of

INTERRUPT_TIMEOUT = 5.0
"""Seconds after an interrupt until the run is killed with all that it has started."""
COLUMNS, LINES = 120, 40
"""The size of the pseudo-terminal."""


class Launched:
    """One process and its terminal. Its methods are called in the event loop's thread."""

    def __init__(
        self,
        command: Sequence[str],
        cwd: str,
        environ: Mapping[str, str],
        on_output: Callable[[bytes], None],
    ) -> None:
        """Start it. Raises OSError."""
        ours, theirs = os.openpty()
        try:
            size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        shortage.release(self._process.pid)
        os.set_blocking(ours, False)
        self._terminal = ours
        self._on_output = on_output
        self._drained = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours, self._read)

    @property
    def pid(self) -> int:
        """The caller's pid; the tests may run in a child of a checkpoint."""
        return self._process.pid

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other end any more
            data = b""
        if data:
            self._on_output(data)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if not self._drained.is_set():
            self._loop.remove_reader(self._terminal)
            os.close(self._terminal)
            self._drained.set()

    async def wait(self) -> int:
        """Its exit code, -N for signal N; all of its output has been read by then.

        What a test leaves running may keep the terminal open: that is not waited for.
        """
        code = await end_of(self._process)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._drained.wait(), 0.1)
        self._hang_up()
        return code

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGINT)

    def kill(self, child: int | None) -> None:
        """End it at once with everything below it, and below its run child (a pid)."""
        for pid in (self.pid, child):
            for process in tree(pid):
                with contextlib.suppress(psutil.Error):
                    process.kill()


def tree(pid: int | None) -> list[psutil.Process]:
    """A process and all below it, itself last; nothing where it has ended."""
    if pid is None:
        return []
    try:
        top = psutil.Process(pid)
        return [*top.children(recursive=True), top]
    except psutil.Error:
        return []
