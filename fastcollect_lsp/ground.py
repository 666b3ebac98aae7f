"""What a server stands on: where it would be looked for, the project, its own installation.

A server whose ground is gone is of no use to anybody, and would be found by nobody: it ends.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass

from .rendezvous import Place

Identity = tuple[int, ...] | None
"""Device, inode and, but for directories, the time of the last change in ns: of the path itself,
and of what it leads to. None: not there."""


@dataclass(frozen=True)
class Ground:
    """What was there when the server started."""

    root: str
    lasting: dict[str, tuple[str, Identity]]
    """By path: what is to be said when it is another or none, and what it was."""

    @classmethod
    def of(cls, place: Place) -> Ground:
        """As it is now; the server listens already."""
        lasting = {
            str(place.socket): "its socket is gone",
            place.root: "the project was moved or removed",
            os.path.abspath(__file__): "its installation has changed",
            sys.executable: "its interpreter has changed",
        }
        return cls(place.root, {path: (why, _identity(path)) for path, why in lasting.items()})

    def gone(self) -> str | None:
        """What is not as it was, in words; None: nothing. A few `stat` calls."""
        for path, (why, before) in self.lasting.items():
            if _identity(path) != before:
                return f"{why} ({path})"
        return None


def _identity(path: str) -> Identity:
    found: tuple[int, ...] = ()
    for look in (os.lstat, os.stat):
        try:
            state = look(path)
        except OSError:
            return None
        changed = 0 if stat.S_ISDIR(state.st_mode) else state.st_mtime_ns
        found += (state.st_dev, state.st_ino, changed)
    return found
