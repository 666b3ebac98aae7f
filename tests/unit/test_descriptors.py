"""Numbers that are kept free for descriptors that a caller has inherited."""

from __future__ import annotations

import errno
import os

import pytest

from pytest_fastcollect.descriptors import reserve


@pytest.fixture
def free() -> list[int]:
    """Three numbers that are free, the lowest one first."""
    found = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    for number in found:
        os.close(number)
    return found


@pytest.mark.parametrize("which", [[], [0], [1], [2, 0], [0, 1, 2]])
def test_nothing_is_opened_there(which: list[int], free: list[int]) -> None:
    numbers = [free[index] for index in which]
    reserve(numbers)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    try:
        assert not {*opened} & {*numbers}
        assert {*free} <= {*opened, *numbers}, "others are left open"
        for number in numbers:
            assert os.get_inheritable(number)
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                os.read(number, 1)
    finally:
        for number in (*opened, *numbers):
            os.close(number)


def test_what_is_in_use_stays(free: list[int]) -> None:
    read, write = os.pipe()
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
            reserve([write])
        os.write(write, b"still a pipe")
        assert os.read(read, 100) == b"still a pipe"
        assert not os.path.lexists(f"/proc/self/fd/{free[2]}")
    finally:
        os.close(read)
        os.close(write)
