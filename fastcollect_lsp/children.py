"""The server's own children: seeing their ends without a thread for each.

The event loop's threads are few, and every decision takes one: a server that has them wait for runs
answers nobody any more.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

POLL_S = 0.05
"""Seconds between looks at a child where the kernel cannot tell of its end."""


async def end_of(process: subprocess.Popen[Any]) -> int:
    """Wait for the end of a child: its exit code, -N for signal N."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        while (code := process.poll()) is None:
            await asyncio.sleep(POLL_S)
        return code
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    return process.wait()
