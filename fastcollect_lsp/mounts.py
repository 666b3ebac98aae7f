"""File systems on which a file's stat may lag behind its content: nothing is proven there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_REMOTE = frozenset(
    """
    9p afs beegfs ceph cifs coda drvfs fakeowner fuse glusterfs gpfs lustre ncpfs nfs nfs4 osxfs
    prl_fs smb2 smb3 smbfs vboxsf virtiofs vmhgfs
    """.split()
)
"""Types whose clients answer from a cache, or whose clock is another machine's."""


@dataclass(frozen=True)
class Mount:
    """One mounted file system."""

    point: str
    kind: str
    """As the kernel names it: `ext4`, `nfs4`, `fuse.sshfs`."""

    @property
    def is_remote(self) -> bool:
        """Whether the file system is another machine's, or a program's."""
        return self.kind.partition(".")[0] in _REMOTE


def parse(text: str) -> list[Mount]:
    """Mounts in the format of `/proc/PID/mountinfo` (proc(5)), the latest last."""
    found = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        words = before.split(" ")
        if separator and len(words) > 4:
            found.append(Mount(_unescape(words[4]), after.split(" ")[0]))
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), text)


def first_remote(paths: Iterable[str], mounts: Iterable[Mount]) -> tuple[str, Mount] | None:
    """The first of the paths that is on a remote file system, and that; None if none is."""
    by_point = {mount.point: mount for mount in mounts}
    if not any(mount.is_remote for mount in by_point.values()):
        return None
    for path in paths:
        directory = os.path.realpath(path)
        while directory not in by_point and directory != "/":
            directory = os.path.dirname(directory)
        mount = by_point.get(directory)
        if mount is not None and mount.is_remote:
            return path, mount
    return None


def current() -> list[Mount]:
    """What is mounted now; empty where that cannot be told."""
    try:
        return parse(MOUNTS.read_text("utf-8", "surrogateescape"))
    except OSError:
        return []
