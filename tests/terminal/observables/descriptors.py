"""The descriptors of the process, and its terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import Any

from .asking import seen


@seen
def descriptors() -> Any:
    found = {}
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        with contextlib.suppress(OSError):
            mode = os.fstat(int(name)).st_mode
            target = os.readlink(f"/proc/self/fd/{name}")
            found[name] = [stat.S_IFMT(mode), "" if "pts" in target else target.split(":")[0]]
    return found


@seen
def descriptor_flags() -> Any:
    return {fd: [fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD)] for fd in range(3)}


@seen
def next_descriptor() -> Any:
    with open(os.devnull) as file:
        return file.fileno()


@seen
def inheritable_descriptors() -> Any:
    return [fd for fd in range(64) if _inheritable(fd)]


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


@seen
def terminal_descriptors() -> Any:
    return [os.isatty(fd) for fd in range(3)]


@seen
def terminal_name() -> Any:
    return [os.ttyname(fd).startswith("/dev/pts/") for fd in range(3) if os.isatty(fd)]


@seen
def controlling_terminal() -> Any:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError as error:
        return error.strerror
    return "opened"


@seen
def foreground_group() -> Any:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError as error:
        return error.strerror
