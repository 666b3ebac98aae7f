"""Makes the checkpoints of a project, and makes them again when files change."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from . import listing, policy, records
from .checkpoint import Checkpoint, Failed, start_zygote
from .growth import grow
from .learned import MAX_HISTORY, Learned, Progress, same_stage
from .pool import MAX_SELECTIONS, Pool
from .protocol import Record, RunRequest
from .status import Warmup

log = logging.getLogger("fastcollect.warming")

MAX_OVERTAKEN = 3
"""Times in a row that warming is broken off because of a newer change: then it is seen through."""
FREE_WARMINGS = 8
"""Times that changes alone, without a run in between, have all made again at once; from then on
each time waits twice as long."""
MAX_DELAY = 30.0
"""Seconds of that wait at most."""


@dataclass(frozen=True)
class Wish:
    """A selection to be made warm."""

    record: Record
    seen: bool
    """The record comes from a run just now, so it knows of every edit before."""


@dataclass
class Warming:
    """Takes wishes, one at a time, the latest first."""

    pool: Pool
    environ: dict[str, str]
    on_event: Callable[[dict[str, object]], None]
    """Called with what checkpoints tell about runs."""
    on_change: Callable[[], None]
    """Called after every change of what `status` shows."""
    spare: bool = False
    """Whether each warm process serves one run and is replaced, instead of being forked."""
    identity: str | None = None
    """The zygote's interpreter (canonical JSON)."""
    failure: str | None = None
    building: str | None = None
    progress: Progress | None = None
    history: collections.deque[Warmup] = field(
        default_factory=lambda: collections.deque(maxlen=MAX_HISTORY)
    )
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing is being made."""
    learned: Learned = field(init=False)
    _wishes: collections.OrderedDict[str, Wish] = field(default_factory=collections.OrderedDict)
    _records: collections.OrderedDict[str, Record] = field(default_factory=collections.OrderedDict)
    """The latest record of each selection that is kept warm."""
    _unknown: dict[str, set[str]] = field(default_factory=dict)
    """By selection, files edited since its record was made: it knows nothing of them."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stepped: asyncio.Event = field(default_factory=asyncio.Event)
    _current: asyncio.Task[None] | None = None
    _overtaken: int = 0
    _unasked: int = 0
    _interest: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.learned = Learned(self.pool)
        self.idle.set()

    # ---------------------------------------------------------------- wishes

    @property
    def wishes(self) -> list[Wish]:
        """What is still to be made; the last is the next."""
        return list(self._wishes.values())

    def want(self, record: Record, seen: bool = True) -> None:
        """Have this selection warm soon; replaces an older wish for the same selection.

        `seen`: the record comes from a run just now, so it knows of every edit before.
        """
        selection = record.key.selection
        if seen:
            self._unknown[selection] = set()
            self.pool.use(selection)
            self.asked()
            self._forget_others(record.identity)
        self._records[selection] = record
        self._records.move_to_end(selection)
        while len(self._records) > MAX_SELECTIONS:
            self._forget(next(iter(self._records)))
        self._wishes.pop(selection, None)
        self._wishes[selection] = Wish(record, seen)
        self.idle.clear()
        self._wake.set()

    def _forget_others(self, identity: str) -> None:
        """What another interpreter, or one with other flags, has imported: one is warm at a time,
        and making the other's again would take away what was just wanted."""
        for selection, record in list(self._records.items()):
            if record.identity != identity:
                self._forget(selection)

    def _forget(self, selection: str) -> None:
        del self._records[selection]
        self._wishes.pop(selection, None)
        self._unknown.pop(selection, None)

    def asked(self) -> None:
        """A run came, or somebody waits: what is warm is of interest."""
        self._unasked = 0
        self._interest.set()

    def refresh(self, paths: Collection[str] | None = None) -> None:
        """Files may have changed (None: any): make again what no longer holds."""
        if self._current is not None and self._concerns_current(paths):
            if self._overtaken >= MAX_OVERTAKEN:
                return  # it will find out by itself whether what it makes holds
            self._overtaken += 1
            self._current.cancel()
        for record in list(self._records.values()):
            self.want(record, seen=False)

    def _concerns_current(self, paths: Collection[str] | None) -> bool:
        if self.progress is None or paths is None:
            return self.progress is not None
        record = self.progress.record
        steps = {segment.path for segment in record.segments}
        return any(path in steps or self.learned.concerns(path) for path in paths)

    # ---------------------------------------------------------------- waiting

    def worth_waiting(self, request: RunRequest, saves_ms: float) -> float | None:
        """Milliseconds for which a run had better wait, given what it would save now; else None."""
        progress = self.progress
        if progress is None or progress.record.key != request.key:
            return None
        left = progress.left_ms
        return left if policy.worth_waiting(left, progress.saves_ms - saves_ms) else None

    async def wait(self, timeout: float) -> None:
        """Wait until something has been made, or for `timeout` seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stepped.wait(), timeout)

    # ---------------------------------------------------------------- work

    async def work(self) -> None:
        """Make what is wanted until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._wishes:
                _, wish = self._wishes.popitem()
                if not wish.seen:
                    await self._hold_back()
                self._stepped.clear()
                self._current = asyncio.ensure_future(self._make(wish))
                try:
                    await asyncio.wait({self._current})
                except asyncio.CancelledError:
                    while not self._current.done():
                        self._current.cancel()
                        await asyncio.wait({self._current}, timeout=0.1)
                    raise
                if not self._current.cancelled():
                    self._overtaken = 0
                    if (error := self._current.exception()) is not None:
                        self.failure = repr(error)
                        log.error("warming failed", exc_info=error)
                self._current = None
                self._stepped.set()
            self.idle.set()
            self.on_change()

    async def _hold_back(self) -> None:
        """What changes all the time is not followed at full speed when nobody asks."""
        self._unasked += 1
        excess = self._unasked - FREE_WARMINGS
        if excess > 0:
            self._interest.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._interest.wait(), min(0.1 * 2**excess, MAX_DELAY))

    async def _make(self, wish: Wish) -> None:
        self.building = "starting the interpreter" if self.pool.zygote is None else "proving"
        self.failure = None
        self.on_change()
        try:
            await self._build(wish)
        except Failed as failed:
            self.failure = str(failed)
            log.warning("not warm: %s", failed)
        finally:
            self.building = self.progress = None
            self.on_change()

    async def _build(self, wish: Wish) -> None:
        began, record = time.monotonic(), wish.record
        if not await asyncio.to_thread(listing.holds, record.listings):
            # Which test files there are, and in which order, only the next run will say.
            record = policy.without_modules(record)
        parent = await self._zygote_for(record)
        kept, changed = await self._still_good(record, wish.seen)
        unknown = self._unknown.setdefault(wish.record.key.selection, set())
        unknown |= await asyncio.to_thread(records.edited_since, record)
        stages = self.learned.stages(record, kept, shared=not self.spare)
        self.progress = self.learned.foresee(record, stages, kept)
        line: list[Checkpoint] = []
        made: list[Checkpoint] = []
        for stage in stages:
            point = same_stage(kept, stage)
            if point is None:
                self.building = f"importing {stage.name}"
                self.on_change()
                point = await grow(parent, record, stage, self.environ, sorted(unknown))
                if point is None:
                    self.learned.note_no_libraries(record, stage)
                    continue
                point.link.on_message = self.on_event
                self.pool.add(point)
                made.append(point)
                self.learned.note_costs(record, point)
                _log_made(point)
            line.append(point)
            parent = point
            if not point.whole:
                break
        self._replace(record, line)
        if made:
            self._note_warming(began, record, changed, line, made)

    def _replace(self, record: Record, line: Collection[Checkpoint]) -> None:
        """Give up what the new checkpoints of a selection stand for."""
        line_ids = {id(point) for point in line}
        self.pool.remove(
            [
                point
                for point in self.pool.chain(record.key.selection)
                if id(point) not in line_ids
                and point.warmth is not None
                and policy.fits(point.warmth, self.environ)
            ]
        )
        for point in line:
            self.pool.touch(point)
        self.pool.tidy()

    async def _zygote_for(self, record: Record) -> Checkpoint:
        """The zygote, started again where it is another interpreter or its inputs changed."""
        zygote = self.pool.zygote
        if zygote is not None and zygote.alive and self.identity == record.identity:
            if not await asyncio.to_thread(zygote.inputs.changed):
                return zygote
            log.info("the interpreter or pytest changed: starting again")
        self.pool.close()
        zygote, identity = await start_zygote(record.identity, self.environ)
        if identity != record.identity:
            zygote.link.close()
            what = policy.differing_option(record.identity, identity)
            raise Failed(f"an interpreter like the run's cannot be started ({what} differs)")
        zygote.spare = self.spare
        zygote.link.on_message = self.on_event
        self.pool.zygote, self.identity = zygote, identity
        return zygote

    async def _still_good(self, record: Record, seen: bool) -> tuple[list[Checkpoint], list[str]]:
        """Checkpoints that this record's path leads through; and what has changed since those were
        made that no longer hold, which are given up."""
        kept: list[Checkpoint] = []
        gone: list[Checkpoint] = []
        changed: dict[str, None] = {}
        for point in reversed(self.pool.candidates(record.key)):
            if await asyncio.to_thread(self.pool.stale, point):
                news = await asyncio.to_thread(point.inputs.changed, 1000)
                changed.update(dict.fromkeys(news))
                gone.append(point)
                continue
            if point.warmth is None or point.record is None:
                continue
            if policy.fits(point.warmth, self.environ) and policy.same_prefix(
                point.record, record, point.last
            ):
                kept.append(point)
        self.learned.note_edits(changed)
        self.pool.remove(gone)
        for selection, unknown in self._unknown.items():
            if not seen or selection != record.key.selection:
                unknown.update(changed)
        return kept, list(changed)

    def _note_warming(
        self,
        began: float,
        record: Record,
        changed: Collection[str],
        line: Collection[Checkpoint],
        made: Collection[Checkpoint],
    ) -> None:
        kept = [point.name for point in line if point not in made]
        before = max((point.modules for point in line if point not in made), default=0)
        elapsed_ms = (time.monotonic() - began) * 1000
        self.history.append(
            Warmup(
                at=time.strftime("%H:%M:%S"),
                cause=_cause(changed, os.path.dirname(record.root)),
                kept=kept[-1] if kept else "nothing",
                modules=max(point.modules for point in made) - before,
                ms=round(elapsed_ms, 1),
            )
        )
        log.info("warm after %.0f ms: %s", elapsed_ms, self.history[-1])


def _cause(changed: Collection[str], base: str) -> str:
    if not changed:
        return "a run that imports something else"
    first = os.path.relpath(next(iter(changed)), base)
    return f"{first} changed" + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")


def _log_made(point: Checkpoint) -> None:
    log.info(
        "checkpoint %s: pid %d, %d modules, %d inputs%s",
        point.name,
        point.pid,
        point.modules,
        len(point.inputs),
        "".join(f"; left out {what}" for what in point.left_out),
    )
