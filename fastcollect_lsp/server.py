"""The server process, `python -m fastcollect_lsp.server ROOT [PID]`: one per root and interpreter.

It can be met at once, and imports what it needs to serve when somebody comes, or when the first
run, process PID, is over: beside that it would cost the run time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import socket
import stat
import sys
import time

from . import __version__, rendezvous, shortage
from .rendezvous import Place

log = logging.getLogger("fastcollect.server")

LOCK_ATTEMPTS = 20
"""Tries to get the lock, 50 ms apart: a probe for it holds it for a moment."""
FIRST_RUN_TIMEOUT = 3.0
"""Seconds that are left to the first run alone: of a longer one the start costs next to nothing."""


def _lock(place: Place) -> int | None:
    for _ in range(LOCK_ATTEMPTS):
        with contextlib.suppress(rendezvous.Busy):
            return rendezvous.acquire_lock(place)
        time.sleep(0.05)
    return None


def serve(root: str, first_run: int | None) -> int:
    """Be the server of a root, unless another one is. The exit status of the process.

    `first_run`: the process of the run that has started this one.
    """
    place = rendezvous.place(root)
    lock = _lock(place)
    if lock is None:
        log.info("another server is there already")
        return 0
    try:
        rendezvous.write_holder(
            lock,
            {
                "pid": os.getpid(),
                "id": secrets.token_hex(8),
                "started": time.time(),
                "version": __version__,
                "root": root,
            },
        )
        with rendezvous.listen(place) as listener:
            _reopen_log(place)
            log.info("serving %s with %s as pid %d", root, place.interpreter, os.getpid())
            if first_run is not None:
                _leave_alone(first_run, listener)
            from . import serving

            serving.serve(place, listener)
    finally:
        rendezvous.remove(place, lock)
        os.close(lock)
    return 0


def _leave_alone(run: int, listener: socket.socket) -> None:
    """Until the run has ended, or somebody wants something of this server, or it takes long."""
    try:
        running = os.pidfd_open(run)
    except (AttributeError, OSError):  # it has ended; no such function on this system
        return
    poll = select.poll()
    poll.register(running, select.POLLIN)
    poll.register(listener, select.POLLIN)
    poll.poll(FIRST_RUN_TIMEOUT * 1000)
    os.close(running)


def _reopen_log(place: Place) -> None:
    """Another server that has just stopped may have taken our log away with its own."""
    with contextlib.suppress(OSError, rendezvous.Unsafe):
        state = os.fstat(sys.stderr.fileno())
        if stat.S_ISREG(state.st_mode) and state.st_nlink == 0:
            fd = rendezvous.open_log(place)
            for number in (1, 2):
                os.dup2(fd, number)
            os.close(fd)


def main() -> int:
    """Entry point of the process."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    shortage.volunteer(shortage.SERVER)
    logging.getLogger("pygls").setLevel(logging.WARNING)  # it logs whole messages
    root, *first_run = sys.argv[1:]
    try:
        return serve(root, int(first_run[0]) if first_run else None)
    except (OSError, rendezvous.Unsafe) as error:
        log.error("the server cannot start: %s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
