"""Something that processes wait for while they import ahead of time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support import SmallBench, eventually

WAITS = """\
import fcntl, os, sys

def wait():
    '''In a warm process only, while somebody holds the gate.'''
    if any("fastcollect.zygote" in word for word in sys.orig_argv):
        with open(os.path.dirname(__file__) + "/gate") as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)

wait()
"""


class Gate:
    """Keeps `product` from being imported ahead of time."""

    def __init__(self, bench: SmallBench) -> None:
        self._path = bench.root / "gate"
        self._file = open(self._path)  # noqa: SIM115
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def waiting(self) -> int:
        """The process that waits, once there is one."""

        def found() -> int:
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    for fd in (process / "fd").iterdir():
                        if int(process.name) != os.getpid() and fd.readlink() == self._path:
                            return int(process.name)
            return 0

        pid = eventually(found, "a process that imports")
        assert isinstance(pid, int)
        return pid

    def open(self) -> None:
        self._file.close()


@contextlib.contextmanager
def closed(bench: SmallBench) -> Iterator[Gate]:
    """The gate, closed until `open` or the end."""
    gate = Gate(bench)
    try:
        yield gate
    finally:
        gate.open()
