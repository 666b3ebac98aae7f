"""What the server has learned of a project: what is edited, what steps cost, where to stop next."""

from __future__ import annotations

import collections
import time
from collections.abc import Collection
from dataclasses import dataclass

from . import policy
from .checkpoint import Checkpoint
from .pool import Pool
from .protocol import Record

MAX_HISTORY = 50
"""Edited files and times of warming that are remembered."""


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


class Learned:
    """Remembers what warming has shown, and plans the next one by it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._edited: collections.OrderedDict[str, str] = collections.OrderedDict()
        """Files that were edited, the latest last, each with the file whose step read it first."""
        self._costs_ms: dict[str, float] = {}
        """What the step of each file took the last time."""
        self._without_libraries: set[str | None] = set()
        """Files that begin with no libraries to speak of."""

    def concerns(self, path: str) -> bool:
        """Whether a file is known to matter: it was edited before, or a step has read it."""
        return path in self._edited or self._reader(path) is not None

    def _reader(self, path: str) -> str | None:
        """The file whose step was the first to read `path`, as far as known."""
        for point in self._pool.points:
            index = point.first_reads.get(path)
            if index is not None and point.record is not None:
                return point.record.segments[index].path
        return None

    def note_edits(self, changed: Collection[str]) -> None:
        """These have been edited."""
        self._without_libraries.difference_update(changed)
        for path in changed:
            self._edited.pop(path, None)
            self._edited[path] = self._reader(path) or path
        while len(self._edited) > MAX_HISTORY:
            self._edited.popitem(last=False)

    def note_costs(self, record: Record, point: Checkpoint) -> None:
        """A checkpoint has been made: what its steps took."""
        if point.libraries:
            return  # the rest of that step is the next checkpoint's
        begun = point.parent.costs_ms if point.parent is not None and point.parent.libraries else {}
        for index, cost in point.costs_ms.items():
            path = record.segments[index].path
            if path is not None:
                self._costs_ms[path] = begun.get(index, 0.0) + cost

    def note_no_libraries(self, record: Record, stage: policy.Stage) -> None:
        """What a stage was about begins with no libraries to speak of."""
        self._without_libraries.add(record.segments[stage.last].path)

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

    def foresee(
        self,
        record: Record,
        stages: Collection[policy.Stage],
        kept: Collection[Checkpoint],
    ) -> Progress:
        """How long it will take to make what is missing: every step is executed twice."""
        todo = [stage for stage in stages if same_stage(kept, stage) is None]
        costs = self._costs(record)
        done = max((point.last for point in kept), default=0)
        missing = sum(costs[done:]) if todo else 0.0
        return Progress(
            record,
            time.monotonic(),
            total_ms=2 * missing + policy.STAGE_MS * len(todo),
            saves_ms=max((point.saves_ms for point in kept), default=0.0) + missing,
        )

    def stages(
        self, record: Record, kept: Collection[Checkpoint], shared: bool
    ) -> list[policy.Stage]:
        """What there is to be: nothing new before what is there already."""
        stages = policy.stages(record, self._cuts(record, kept), shared=shared)
        deepest = max(((point.last, point.libraries) for point in kept), default=(-1, False))
        return [
            stage
            for stage in stages
            if same_stage(kept, stage) is not None
            or (
                (stage.last, stage.libraries) > deepest
                and not (
                    stage.libraries and record.segments[stage.last].path in self._without_libraries
                )
            )
        ]


def same_stage(kept: Collection[Checkpoint], stage: policy.Stage) -> Checkpoint | None:
    """The one of these checkpoints that is at this stage."""
    for point in kept:
        there = point.stage
        if there is not None and (there.last, there.libraries) == (stage.last, stage.libraries):
            return point
    return None
