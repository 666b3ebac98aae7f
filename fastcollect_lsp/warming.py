"""Makes the checkpoints of a project, and makes them again when files change."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from . import listing, policy, protocol
from .checkpoint import Checkpoint, Failed, start_zygote
from .growth import grow
from .pool import MAX_SELECTIONS, Pool
from .protocol import Record, RunRequest
from .status import Warmup

log = logging.getLogger("fastcollect.warming")

MAX_HISTORY = 50
"""Edited files and times of warming that are remembered."""
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
class Progress:
    """What is being made, and how long that takes."""

    record: Record
    began: float
    total_ms: float = 0.0
    saves_ms: float = 0.0
    """Import time that the last of the checkpoints will save."""

    @property
    def left_ms(self) -> float:
        """An estimate, from what the same steps cost before."""
        return max(self.total_ms - (time.monotonic() - self.began) * 1000, policy.STAGE_MS / 2)


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
    _wishes: collections.OrderedDict[str, Wish] = field(default_factory=collections.OrderedDict)
    _records: collections.OrderedDict[str, Record] = field(default_factory=collections.OrderedDict)
    """The latest record of each selection that is kept warm."""
    _edited: collections.OrderedDict[str, str] = field(default_factory=collections.OrderedDict)
    """Files that were edited, the latest last, each with the file whose step read it first."""
    _unknown: dict[str, set[str]] = field(default_factory=dict)
    """By selection, files edited since its record was made: it knows nothing of them."""
    _costs_ms: dict[str, float] = field(default_factory=dict)
    """What the step of each file took the last time."""
    _without_libraries: set[str | None] = field(default_factory=set)
    """Files that begin with no libraries to speak of."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stepped: asyncio.Event = field(default_factory=asyncio.Event)
    _current: asyncio.Task[None] | None = None
    _overtaken: int = 0
    _unasked: int = 0

    def __post_init__(self) -> None:
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
            self._unasked = 0
        self._records[selection] = record
        self._records.move_to_end(selection)
        while len(self._records) > MAX_SELECTIONS:
            forgotten, _ = self._records.popitem(last=False)
            self._wishes.pop(forgotten, None)
            self._unknown.pop(forgotten, None)
        self._wishes.pop(selection, None)
        self._wishes[selection] = Wish(record, seen)
        self.idle.clear()
        self._wake.set()

    def asked(self) -> None:
        """A run came: what is warm is of interest to somebody."""
        self._unasked = 0

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
        return any(
            path in steps or path in self._edited or self._reader(path) is not None
            for path in paths
        )

    def _reader(self, path: str) -> str | None:
        """The file whose step was the first to read `path`, as far as known."""
        for point in self.pool.points:
            index = point.first_reads.get(path)
            if index is not None and point.record is not None:
                return point.record.segments[index].path
        return None

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
            await asyncio.sleep(min(0.1 * 2**excess, MAX_DELAY))

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
        unknown |= await asyncio.to_thread(_edited_since, record)
        stages = self._stages(record, kept)
        self.progress = self._foresee(record, stages, kept)
        line: list[Checkpoint] = []
        made: list[Checkpoint] = []
        for stage in stages:
            point = _same(kept, stage)
            if point is None:
                self.building = f"importing {stage.name}"
                self.on_change()
                point = await grow(parent, record, stage, self.environ, sorted(unknown))
                if point is None:
                    self._without_libraries.add(record.segments[stage.last].path)
                    continue
                point.link.on_message = self.on_event
                self.pool.add(point)
                made.append(point)
                self._note_costs(record, point)
                _log_made(point)
            line.append(point)
            parent = point
            if not point.whole:
                break
        self._replace(record, line)
        if made:
            self._note_warming(began, record, changed, line, made)

    def _stages(self, record: Record, kept: Collection[Checkpoint]) -> list[policy.Stage]:
        """What there is to be: nothing new before what is there already."""
        stages = policy.stages(record, self._cuts(record, kept), shared=not self.spare)
        deepest = max(((point.last, point.libraries) for point in kept), default=(-1, False))
        return [
            stage
            for stage in stages
            if _same(kept, stage) is not None
            or (
                (stage.last, stage.libraries) > deepest
                and not (
                    stage.libraries and record.segments[stage.last].path in self._without_libraries
                )
            )
        ]

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
        self._note_edits(changed)
        self.pool.remove(gone)
        for selection, unknown in self._unknown.items():
            if not seen or selection != record.key.selection:
                unknown.update(changed)
        return kept, list(changed)

    # ---------------------------------------------------------------- what was learned

    def _note_edits(self, changed: Collection[str]) -> None:
        self._without_libraries.difference_update(changed)
        for path in changed:
            self._edited.pop(path, None)
            self._edited[path] = self._reader(path) or path
        while len(self._edited) > MAX_HISTORY:
            self._edited.popitem(last=False)

    def _note_costs(self, record: Record, point: Checkpoint) -> None:
        for index, cost in point.costs_ms.items():
            path = record.segments[index].path
            if path is not None and not point.libraries:
                self._costs_ms[path] = cost

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

    def _costs(self, record: Record) -> list[float]:
        """What each step of a record takes (ms): as measured, else by its number of modules."""
        return [
            self._costs_ms.get(segment.path or "", policy.MODULE_MS * len(segment.modules))
            for segment in record.segments
        ]

    def _cuts(self, record: Record, kept: Collection[Checkpoint]) -> list[int]:
        steps = {segment.path: index for index, segment in enumerate(record.segments)}
        volatile = [steps[path] for path in reversed(self._edited.values()) if path in steps]
        return policy.cuts(
            self._costs(record),
            policy.first_module(record),
            list(dict.fromkeys(volatile)),
            [point.last for point in kept],
        )

    def _foresee(
        self,
        record: Record,
        stages: Collection[policy.Stage],
        kept: Collection[Checkpoint],
    ) -> Progress:
        """How long it will take to make what is missing: every step is executed twice."""
        todo = [stage for stage in stages if _same(kept, stage) is None]
        costs = self._costs(record)
        done = max((point.last for point in kept), default=0)
        missing = sum(costs[done:]) if todo else 0.0
        return Progress(
            record,
            time.monotonic(),
            total_ms=2 * missing + policy.STAGE_MS * len(todo),
            saves_ms=max((point.saves_ms for point in kept), default=0.0) + missing,
        )


def _same(kept: Collection[Checkpoint], stage: policy.Stage) -> Checkpoint | None:
    for point in kept:
        there = point.stage
        if there is not None and (there.last, there.libraries) == (stage.last, stage.libraries):
            return point
    return None


def _edited_since(record: Record) -> set[str]:
    """Files of a record's steps that are younger than the record."""
    found = set()
    for path in {segment.path for segment in record.segments}:
        if path is not None:
            with contextlib.suppress(OSError):
                if os.stat(path).st_ctime_ns >= record.began_ns:
                    found.add(path)
    return found


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


def read_records(directory: os.PathLike[str]) -> list[Record]:
    """Take the records that runs have left, oldest first; what cannot be read is dropped."""
    records: list[tuple[float, Record]] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(directory)):
            if entry.name.startswith("."):
                continue
            try:
                with open(entry.path, "rb") as file:
                    stat = os.fstat(file.fileno())
                    data = file.read(protocol.MAX_CONTROL_FRAME)
                records.append((stat.st_mtime, protocol.parse_record(json.loads(data))))
            except (OSError, ValueError, protocol.ProtocolError) as error:
                log.warning("record %s dropped: %s", entry.name, error)
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]
