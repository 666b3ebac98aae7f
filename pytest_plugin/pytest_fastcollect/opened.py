"""Files of the project that C code opens by itself: no audit event tells of those.

The kernel does, for directories (inotify(7)). It tells of everybody's opens, so a file may be taken
for an input that is none; that costs a checkpoint when it changes, and never a wrong result.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct

MAX_DIRECTORIES = 1000
"""Directories that are watched, from the top."""
_OPEN, _MODIFY, _CLOSE_WRITE = 0x20, 0x02, 0x08
_IS_DIRECTORY = 0x40000000
_EVENT = struct.Struct("iIII")
"""`struct inotify_event`: watch, mask, cookie, length of the name that follows."""
_PYTHON = (".py", ".pyc", ".pyi", ".pth")
"""What Python opens, and the server for its scans: told of by audit events."""
_FOREIGN = frozenset(("node_modules", "__pycache__"))


class Opened:
    """Looks at who opens what below a directory. For disposable processes only."""

    def __init__(self, root: str) -> None:
        self._directories: dict[int, str] = {}
        self._fd = -1
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            self._fd = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            for directory in _directories(os.path.realpath(root)):
                mask = _OPEN | _MODIFY | _CLOSE_WRITE
                watch = library.inotify_add_watch(self._fd, os.fsencode(directory), mask)
                if watch < 0:
                    break  # there may be no more
                self._directories[watch] = directory

    def take(self) -> set[str]:
        """Files opened since the last call, but for those that somebody was writing to."""
        opened: set[str] = set()
        written: set[str] = set()
        with contextlib.suppress(OSError):  # nothing more to read; or there is no inotify
            while self._fd >= 0:
                self._parse(os.read(self._fd, 65536), opened, written)
        return opened - written

    def _parse(self, data: bytes, opened: set[str], written: set[str]) -> None:
        offset = 0
        while offset < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size
            name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
            offset += length
            directory = self._directories.get(watch)
            if directory is None or not name or mask & _IS_DIRECTORY or name.endswith(_PYTHON):
                continue
            (opened if mask & _OPEN else written).add(os.path.join(directory, name))


def _directories(root: str) -> list[str]:
    """The project's own, breadth first."""
    found = [root]
    for directory in found:
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if len(found) >= MAX_DIRECTORIES:
                    return found
                if (
                    not entry.name.startswith(".")
                    and entry.name not in _FOREIGN
                    and entry.is_dir(follow_symlinks=False)
                    and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
                ):
                    found.append(entry.path)
    return found
