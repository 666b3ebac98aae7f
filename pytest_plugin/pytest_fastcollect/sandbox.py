"""Keeps a disposable process from reaching anybody through C code, which raises no audit event.

A database driver connects, and creates what is there once, without Python's knowledge. The kernel
ends the process before it has happened (seccomp(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from dataclasses import dataclass

_ALLOW, _KILL, _NOT_THERE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.ENOSYS
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
"""BPF: load a word, jump where it is equal or has a bit, return (linux/bpf_common.h)."""
_THREAD = 0x10000
"""CLONE_THREAD: not a process."""


@dataclass(frozen=True)
class _Machine:
    """How the kernel calls a machine (linux/audit.h), and numbers of its system calls."""

    audit: int
    forbidden: tuple[int, ...]
    """connect, bind, execve, execveat; fork and vfork where they are."""
    clone: int
    clone3: int
    """Its flags cannot be looked at: the C library does without it where it is not there."""


_MACHINES = {
    "x86_64": _Machine(0xC000003E, (42, 49, 59, 322, 57, 58), 56, 435),
    "aarch64": _Machine(0xC00000B7, (203, 200, 221, 281), 220, 435),
}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def forbid_contacts() -> bool:
    """From now on this process is killed if it connects, listens or starts another process.

    It can not be undone. False where the kernel does not do that.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    count = len(machine.forbidden)
    # Jumps skip so many of the steps that follow.
    program = [
        _step(_LOAD, 4),
        _step(_EQUAL, machine.audit, otherwise=count + 5),
        _step(_LOAD, 0),
        *(_step(_EQUAL, call, then=count - n + 4) for n, call in enumerate(machine.forbidden)),
        _step(_EQUAL, machine.clone3, then=5),
        _step(_EQUAL, machine.clone, otherwise=2),
        _step(_LOAD, 16),
        _step(_ANY_BIT, _THREAD, otherwise=1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _KILL),
        _step(_RETURN, _NOT_THERE),
    ]
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    length, address = len(code) // 8, ctypes.addressof(buffer)
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", length, address))
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return int(library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, filters, 0, 0)) == 0
    return False


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)
