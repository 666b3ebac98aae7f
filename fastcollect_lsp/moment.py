"""When files were changed, by a clock that somebody may set."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ._core import InputSet

RACY_NS = 20_000_000
"""A file that changed this shortly before its snapshot may change again within the same tick of the
file system's clock, unseen."""
JUMP_NS = 1_000_000_000
"""A difference between the clocks that only somebody who sets one of them makes."""


@dataclass(frozen=True)
class Moment:
    """A point of time, by the clock that file systems use and by one that nobody can set."""

    wall_ns: int
    monotonic_ns: int

    @classmethod
    def now(cls) -> Moment:
        """This one."""
        return cls(time.time_ns(), time.monotonic_ns())

    def may_have_changed(self, inputs: InputSet, paths: Iterable[str]) -> bool:
        """Whether any of the inputs, which are of these paths, may have been changed since."""
        now = Moment.now()
        passed_ns = now.monotonic_ns - self.monotonic_ns
        if abs(now.wall_ns - self.wall_ns - passed_ns) > JUMP_NS:
            return True  # what the clock said then and what files say cannot be compared
        return latest_change_ns(inputs, paths, now.wall_ns) > self.wall_ns - RACY_NS


def latest_change_ns(inputs: InputSet, paths: Iterable[str], now_ns: int) -> int:
    """The latest ctime of the inputs, which are of these paths, in ns since the epoch.

    One in the future is of a clock that has been set back since, and says nothing.
    """
    latest = inputs.newest_ctime_ns
    if latest <= now_ns + RACY_NS:
        return latest
    found = [0]
    for path in paths:
        for look in (os.stat, os.lstat):
            with contextlib.suppress(OSError, ValueError):
                found.append(look(path).st_ctime_ns)
    return max(ctime for ctime in found if ctime <= now_ns + RACY_NS)
