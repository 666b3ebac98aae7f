"""The descriptors of a session that was begun with others than its caller's.

pytest duplicates the standard ones when it begins to capture, and writes what it captures to files
without a name. In a run child the duplicates become the caller's, and each run has its own files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Descriptors:
    """What a session has open beyond what was open before it."""

    duplicates: list[tuple[int, int]] = field(default_factory=list)
    """(number, the standard descriptor that it is, or is a duplicate of)."""
    unnamed: list[int] = field(default_factory=list)
    """Files that only this process and its forks can find."""
    null: list[int] = field(default_factory=list)

    @property
    def numbers(self) -> set[int]:
        """All that are looked after."""
        return {number for number, _ in self.duplicates} | {*self.unnamed, *self.null}

    @classmethod
    def of_session(cls, standard: Sequence[Identity], before: Collection[int]) -> Descriptors:
        """Those that a session can take along.

        `standard`: what its standard descriptors were; `before`: others that were open before it.
        """
        found = cls()
        null = os.stat(os.devnull).st_rdev
        for name in os.listdir("/proc/self/fd"):
            number = int(name)
            if number > 2 and number in before:
                continue
            with contextlib.suppress(OSError):  # the one of the listing itself
                state = os.fstat(number)
                same = [of for of, known in enumerate(standard) if known == identity(number)]
                if same:
                    found.duplicates.append((number, number if number in same else same[0]))
                elif stat.S_ISREG(state.st_mode) and state.st_nlink == 0:
                    found.unnamed.append(number)
                elif stat.S_ISCHR(state.st_mode) and state.st_rdev == null:
                    found.null.append(number)
        return found

    def take_over(self, standard: Sequence[int]) -> None:
        """In a run child: have the caller's descriptors, in the place of those before and of their
        duplicates, and files of its own. Raises OSError."""
        for number, of in self.duplicates:
            os.dup2(standard[of], number, os.get_inheritable(number))
        for fd in standard:
            os.close(fd)
        for number in self.unnamed:
            _renew(number)


Identity = tuple[int, int, int, int]
"""Device and inode of what a descriptor leads to, of which device that is, and its access mode: of
`/dev/null` there may be several."""


def identity(number: int) -> Identity:
    """What a descriptor leads to. Raises OSError."""
    state = os.fstat(number)
    mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
    return state.st_dev, state.st_ino, state.st_rdev, mode


def reserve(numbers: Sequence[int]) -> None:
    """Open nothing under numbers that a caller has inherited: a place is taken there that nobody
    can read or write, so that who tries fails. Raises OSError, also where one is in use."""
    for number in numbers:
        if os.path.lexists(f"/proc/self/fd/{number}"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        place = os.open(os.devnull, os.O_PATH)
        if place == number:
            os.set_inheritable(place, True)
        else:
            os.dup2(place, number)
            os.close(place)


@contextlib.contextmanager
def untried_tempdir() -> Iterator[None]:
    """Have who asks find out where temporary files go, as `tempfile._get_default_tempdir` does, but
    not try it out: ahead of time nothing appears in a directory that its owner may be about to
    remove."""
    original = tempfile._get_default_tempdir  # type: ignore[attr-defined]

    def choose() -> str:
        for directory in tempfile._candidate_tempdir_list():  # type: ignore[attr-defined]
            path: str = os.path.abspath(directory)
            if os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
                return path
        return str(original())

    tempfile._get_default_tempdir = choose  # type: ignore[attr-defined]
    try:
        yield
    finally:
        tempfile._get_default_tempdir = original  # type: ignore[attr-defined]


def _renew(number: int) -> None:
    """Another unnamed file with the same content: a fork shares the position in this one."""
    position = os.lseek(number, 0, os.SEEK_CUR)
    content = os.pread(number, os.fstat(number).st_size, 0)
    flags = fcntl.fcntl(number, fcntl.F_GETFL) & (os.O_APPEND | os.O_NOFOLLOW)
    fresh = os.open(tempfile.gettempdir(), os.O_RDWR | os.O_TMPFILE | os.O_EXCL | flags, 0o600)
    os.write(fresh, content)
    os.lseek(fresh, position, os.SEEK_SET)
    os.dup2(fresh, number, os.get_inheritable(number))
    os.close(fresh)
