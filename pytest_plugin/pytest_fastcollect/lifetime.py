"""Processes that end with whoever is at the other end of a socket: the kernel sees to that."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket


def die_with_peer(sock: socket.socket, target: int) -> None:
    """Have the kernel kill `target` (a pid, or minus a group) when the peer of `sock` closes.

    Only for sockets on which nothing is received meanwhile: any arrival would do the same. This
    works while user code runs, and when whoever else would have watched is gone already.
    """
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        fd = sock.fileno()
        fcntl.fcntl(fd, fcntl.F_SETOWN, target)
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        # Of a peer that has closed already, the kernel tells nothing any more.
        poll = select.poll()
        poll.register(fd, 0)
        if poll.poll(0):
            os.kill(target, signal.SIGKILL)


def dies_with_peer(fd: int) -> bool:
    """Whether `die_with_peer` is in force for a socket."""
    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ASYNC)
    except OSError:
        return False


def survive_peer(channel: socket.socket | int) -> None:
    """Undo `die_with_peer`."""
    with contextlib.suppress(AttributeError, OSError):
        fd = channel if isinstance(channel, int) else channel.fileno()
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC)
