"""Hearing of changes of files: waits for a burst of events to end, then says so once.

No answer depends on it. What is told is looked at by those who are told, so that a change may be
reported late, twice or for nothing; one that is missed is found by the next proof or scan.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ._core import InputSet, Watcher
from .status import WatchStatus

log = logging.getLogger("fastcollect.watch")

QUIET_S = 0.05
"""A burst is over when nothing has happened for so long."""
LONGEST_S = 0.5
"""A burst is over when it has lasted so long, whatever goes on."""
SLOWEST = 16
"""The most by which both grow while bursts follow each other in one directory without a rest: a log
file that grows all day is no reason to look at it all day."""
MOST = 10_000
"""Paths of one burst that are told apart."""
REST_S = 1.0
"""A pause between two bursts that makes them unrelated."""


@dataclass(frozen=True)
class Changes:
    """What may have changed."""

    paths: tuple[str, ...] = ()
    """Absolute, sorted."""
    everything: bool = False
    """More than can be named: anything may have changed."""

    def __bool__(self) -> bool:
        return bool(self.paths) or self.everything


class Burst:
    """Changes that belong together, and the time at which to look at them. Pure: given the time."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._everything = False
        self._began: float | None = None
        self._last = 0.0
        self._ended: float | None = None
        self._before: set[str] = set()
        self._slowness = 1

    @property
    def due(self) -> float | None:
        """When the burst is over, as things stand; None while nothing has changed."""
        if self._began is None:
            return None
        quiet = self._last + QUIET_S * self._slowness
        return min(quiet, self._began + LONGEST_S * self._slowness)

    def add(self, paths: Sequence[str] | None, now: float) -> None:
        """Something has changed at the time `now`, in seconds; None: anything may have."""
        if self._began is None:
            is_related = self._ended is not None and now - self._ended < REST_S
            if paths is not None:
                # A run that writes its cache is no reason to look at an edit later.
                is_related = is_related and not self._before.isdisjoint(_directories(paths))
            self._slowness = min(self._slowness * 2, SLOWEST) if is_related else 1
            self._began = now
        self._last = now
        self._everything |= paths is None
        self._paths.update(paths or ())
        self._everything |= len(self._paths) > MOST

    def end(self, now: float) -> Changes:
        """All that has changed; the next burst begins with the next change."""
        changes = Changes(() if self._everything else tuple(sorted(self._paths)), self._everything)
        self._before = _directories(self._paths)
        self._paths.clear()
        self._everything, self._began, self._ended = False, None, now
        return changes


def _directories(paths: Iterable[str]) -> set[str]:
    return {os.path.dirname(path) for path in paths}


class FileWatch:
    """Watches what it is told to and calls back, in the event loop's thread."""

    def __init__(self, changed: Callable[[Changes], None], watcher: Watcher | None = None) -> None:
        """`changed` is called once for each burst. Raises OSError where no descriptor is left."""
        self._changed = changed
        self._watcher = Watcher() if watcher is None else watcher
        self._burst = Burst()
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: tuple[Sequence[str], Sequence[InputSet]] | None = None
        self._aiming: asyncio.Task[None] | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._watcher.fileno(), self._take)

    @property
    def status(self) -> WatchStatus:
        """Whether events are awaited."""
        return WatchStatus(*self._watcher.state())

    def aim(self, directories: Sequence[str], inputs: Sequence[InputSet]) -> None:
        """Watch these directories and those of the inputs, instead of what was watched before.

        Takes effect soon. Directories that are new to us count as changed: something may have
        happened in them after they were looked at and before they were watched.
        """
        self._wanted = directories, inputs
        if not self._closed and (self._aiming is None or self._aiming.done()):
            self._aiming = self._loop.create_task(self._aim())

    async def aimed(self) -> None:
        """Wait until what was asked for by now is watched."""
        if self._aiming is not None:
            await asyncio.shield(self._aiming)

    async def close(self) -> None:
        """Stop watching; `changed` is not called any more."""
        self._closed = True
        self._loop.remove_reader(self._watcher.fileno())
        if self._timer is not None:
            self._timer.cancel()
        await self.aimed()
        self._watcher.close()

    async def _aim(self) -> None:
        while self._wanted is not None:
            (directories, inputs), self._wanted = self._wanted, None
            before = self._watcher.state()
            try:
                fresh = await asyncio.to_thread(self._watcher.watch, directories, inputs)
            except RuntimeError:  # a panic in Rust
                log.exception("not watching")
                continue
            if self.status.text != before[-1]:
                log.info("%s", self.status.text)
            if fresh and not self._closed:
                self._add(fresh)

    def _take(self) -> None:
        """There is something to take. The kernel's queue is read by the watcher's own thread."""
        self._add(self._watcher.take())

    def _add(self, paths: Sequence[str] | None) -> None:
        if paths is None or paths:
            self._burst.add(paths, self._loop.time())
            self._wait()

    def _wait(self) -> None:
        if self._timer is None and (due := self._burst.due) is not None:
            self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        now, due = self._loop.time(), self._burst.due
        if due is not None and due > now:
            self._wait()  # more has happened since the timer was set
            return
        changes = self._burst.end(now)
        log.debug("changed: %s", "everything" if changes.everything else changes.paths[:5])
        self._changed(changes)
