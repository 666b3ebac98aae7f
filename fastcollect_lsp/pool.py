"""The warm processes of one project: which there are, and which are given up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import policy, shortage
from .checkpoint import Checkpoint, today
from .protocol import RunKey
from .status import CheckpointStatus

log = logging.getLogger("fastcollect.pool")

MEMORY_AGE = 2.0
"""Seconds for which what was measured before will do, to show a state or to choose what goes."""
MAX_SELECTIONS = 3
"""Selections (command lines with files of their own) that are kept warm at the same time."""
END_TIMEOUT = 2.0
"""Seconds that a stopping server waits for its warm processes."""


@dataclass
class Pool:
    """Owner of the zygote and the checkpoints."""

    zygote: Checkpoint | None = None
    points: list[Checkpoint] = field(default_factory=list)
    """Checkpoints, in no order."""
    sessions: dict[str, Checkpoint] = field(default_factory=dict)
    """Sessions collected ahead of time, by the fingerprint of their command."""
    _used: dict[str, float] = field(default_factory=dict)
    """When each selection was last asked for or warmed (monotonic)."""

    def candidates(self, key: RunKey) -> list[Checkpoint]:
        """Checkpoints that a run of this key could be forked from, the deepest first."""
        found = [point for point in self.points if self._is_for(point, key.selection)]
        return sorted(found, key=lambda point: (point.last, point.libraries), reverse=True)

    @staticmethod
    def _is_for(point: Checkpoint, selection: str) -> bool:
        warmth = point.warmth
        return warmth is not None and (warmth.shared or warmth.key.selection == selection)

    def chain(self, selection: str) -> list[Checkpoint]:
        """The checkpoints of this selection alone."""
        return [
            point
            for point in self.points
            if point.warmth is not None
            and not point.warmth.shared
            and point.warmth.key.selection == selection
        ]

    def use(self, selection: str) -> None:
        """This selection is of interest now."""
        self._used[selection] = time.monotonic()

    @staticmethod
    def touch(point: Checkpoint) -> None:
        """This checkpoint is of interest now, and so are those that it was grown from."""
        now = time.monotonic()
        for each in point.lineage():
            each.used = now

    def add(self, point: Checkpoint) -> None:
        """A checkpoint has been made."""
        self.points.append(point)

    def remove(self, gone: Iterable[Checkpoint]) -> None:
        """End these processes. What was grown from them stays: it has its own proof."""
        for point in list(gone):
            point.link.close()
            if point in self.points:
                self.points.remove(point)
            for key in [key for key, session in self.sessions.items() if session is point]:
                del self.sessions[key]

    def tidy(self) -> None:
        """Give up what has ended, and more than there may be."""
        self.remove([point for point in self.points if not point.alive])
        latest = sorted(self._used, key=self._used.__getitem__, reverse=True)
        for old in latest[MAX_SELECTIONS:]:
            self.remove(self.chain(old))
            del self._used[old]
        self._evict()

    def _evict(self) -> None:
        held = [*self.points, *self.sessions.values()]
        points = [
            policy.Point(
                depth=len(point.lineage()),
                used=point.used
                if point.warmth is None or point.warmth.shared
                else self._used.get(point.warmth.key.selection, 0.0),
                own_bytes=point.memory(MEMORY_AGE),
            )
            for point in held
        ]
        gone = [held[index] for index in policy.evict(points, shortage.capacity())]
        for point in gone:
            log.info("checkpoint %s given up: too many processes or too much memory", point.name)
        self.remove(gone)

    def stale(self, point: Checkpoint) -> bool:
        """Whether this checkpoint can serve nobody any more. Blocks while it is proven."""
        return (
            not point.alive
            or point.warmth is None
            or point.warmth.day != today()
            or point.lineage()[0] is not self.zygote
            or bool(point.changed())
        )

    def statuses(self) -> list[CheckpointStatus]:
        """All warm processes, the zygote first, then from shallow to deep."""
        points = sorted(self.points, key=lambda point: (point.last, point.libraries))
        return [
            CheckpointStatus(
                name=point.name,
                pid=point.pid,
                modules=point.modules,
                inputs=len(point.inputs),
                rss_bytes=point.memory(MEMORY_AGE),
                left_out=point.left_out,
            )
            for point in (self.zygote, *points, *self.sessions.values())
            if point is not None and point.alive
        ]

    def close(self) -> None:
        """End every warm process; runs in progress go on to their end."""
        self.remove([*self.points, *self.sessions.values()])
        if self.zygote is not None:
            self.zygote.link.close()
        self.zygote = None

    async def end(self, running: bool) -> None:
        """`close`, and wait a moment until the processes are gone; not for runs in progress."""
        pidfds = []
        for status in self.statuses():
            with contextlib.suppress(OSError):
                pidfds.append(os.pidfd_open(status.pid))
        self.close()
        deadline = time.monotonic() + END_TIMEOUT
        while pidfds and not running and time.monotonic() < deadline:
            ended, _, _ = select.select(pidfds, [], [], 0)
            for fd in ended:
                os.close(fd)
                pidfds.remove(fd)
            await asyncio.sleep(0.005)
        for fd in pidfds:
            os.close(fd)
