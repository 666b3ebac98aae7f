"""How many warm runs go on at the same time, and who has to wait for one of them to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

log = logging.getLogger("fastcollect.turns")

MAX_RUNS = max(8, 4 * (os.cpu_count() or 1))
"""Warm runs at the same time, unless FASTCOLLECT_MAX_RUNS says otherwise."""
TURN_TIMEOUT = 10.0
"""Seconds for which one waits, before it runs cold."""


def max_runs(environ: Mapping[str, str]) -> int:
    """How many warm runs there may be at once. A value that is no number counts as none."""
    value = environ.get("FASTCOLLECT_MAX_RUNS", "")
    if value.isdecimal() and int(value) > 0:
        return int(value)
    if value:
        log.warning("FASTCOLLECT_MAX_RUNS=%s is not a number above 0: %d", value, MAX_RUNS)
    return MAX_RUNS


@dataclass
class Turns:
    """Owner of who has begun and not ended."""

    most: int = MAX_RUNS
    active: set[str] = field(default_factory=set)
    """Runs that are being decided, or have begun and not ended."""
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a run ends."""

    @property
    def full(self) -> bool:
        """Whether the next run has to wait."""
        return len(self.active) >= self.most

    async def take(self, run_id: str, tell: Callable[[str], Awaitable[None]], pid: int) -> bool:
        """Be active, after a wait if need be, which `tell` is told of; False where that takes too
        long. There is no moment between finding room and having it: many may wait for it."""
        if self.full:
            log.info("run queued for pid %d: %d runs are going on", pid, len(self.active))
            await tell(f"waiting for one of {len(self.active)} runs to end")
            deadline = time.monotonic() + TURN_TIMEOUT
            while self.full and time.monotonic() < deadline:
                await self._next_end(deadline)
            if self.full:
                return False
        self.active.add(run_id)
        return True

    def end(self, run_id: str) -> None:
        """A run is over, or has not begun after all."""
        self.active.discard(run_id)
        self._ended.set()

    async def quiet(self, timeout: float) -> bool:
        """Wait until no run goes on; False where one still does after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.active and time.monotonic() < deadline:
            await self._next_end(deadline)
        return not self.active

    async def _next_end(self, deadline: float) -> None:
        self._ended.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), deadline - time.monotonic())
