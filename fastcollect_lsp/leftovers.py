"""What of a stage is left to the run child, found out attempt by attempt. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .protocol import Record

MAX_LIBRARIES = 1000
"""Leading imports of one step that are executed ahead of it."""
MAX_SKIPS = 100
"""Modules of one stage that are left to the run child, before all after the first of them are."""


class Libraries:
    """How many of the libraries that a step begins with can be imported ahead. Pure."""

    ends_here = False

    def __init__(self, record: Record, last: int) -> None:
        self.last = last
        self.libraries = MAX_LIBRARIES
        self.skip: set[str] = set()
        self.reasons: list[str] = []
        self._path = record.segments[last].path

    @property
    def nothing_left(self) -> bool:
        """Whether there is none that could still be imported."""
        return self.libraries <= 0

    def add(
        self, barriers: Sequence[tuple[int, str | None, str]], contained: Collection[int]
    ) -> None:
        """Stop before the first that must not happen ahead of time."""
        if not barriers:
            self.libraries = 0
        for number, module, reason in barriers:
            self.libraries = number if module is not None else 0
            self.reasons.append(f"{module or self._path}: {reason}")

    def paths(self) -> list[str]:
        """Inputs besides those of what is imported: none, the extents say it all."""
        return []


class Leftovers:
    """What of a stage is left to the run child, found out attempt by attempt. Pure."""

    libraries = 0

    def __init__(self, record: Record, first: int, last: int) -> None:
        self.record = record
        self.first = first
        self.last = last
        self._end = last
        self.skip: set[str] = set()
        self.reasons: list[str] = []
        self.ends_here = False
        """Whether no later stage may go on from here, even where this one is at its end."""
        self._leave_influenced()
        self._given = len(self.skip)

    def _leave_influenced(self) -> None:
        """What hooks may have had a hand in comes after them: in the run child. What those modules
        import of others does not."""
        count = 0
        for step in range(self.first, self.last):
            segment = self.record.segments[step]
            if segment.influenced:
                count += len(segment.influenced)
                self.skip.update(f"{step}:{name}" for name in segment.influenced)
                if segment.path is not None:
                    self.skip.add(f"{step}:shallow")
        if count:
            self._explain(
                f"{count} modules of the project", f"{self.record.hooks} comes before them"
            )

    @property
    def nothing_left(self) -> bool:
        """Whether there is no step that could still be executed."""
        return self.last - self.first <= sum(entry.isdigit() for entry in self.skip)

    def add(
        self, barriers: Sequence[tuple[int, str | None, str]], contained: Collection[int]
    ) -> None:
        """Leave out what an attempt found, as little of it as can be.

        What follows a step may depend on what it does, and is left out with it; unless the step is
        among the `contained`.
        """
        for step, module, reason in barriers:
            if step >= self.last:
                continue
            segment = self.record.segments[step]
            if segment.kind == "names" or (module and f"{step}:shallow" in self.skip):
                self._leave_name(step, module, reason)
            elif f"{step}:shallow" not in self.skip:
                self._explain(segment.path or "", reason)
                self.skip.add(f"{step}:shallow")
                if step not in contained:
                    # Only what it imports before it does anything is had early.
                    self.last = step + 1
                    self.ends_here = True
            else:
                self.skip.discard(f"{step}:shallow")
                self.skip.add(str(step))
                if step not in contained:
                    self.last = step
                    self.ends_here = True
        if len(self.skip) - self._given > MAX_SKIPS:
            self.last = min(int(entry.partition(":")[0]) for entry in self.skip)

    def _leave_name(self, step: int, module: str | None, reason: str) -> None:
        if module is None or f"{step}:{module}" in self.skip:
            self._explain(", ".join(self.record.segments[step].modules[:3]), reason)
            self.last = step
            return
        self._explain(module, reason)
        # The import of any module of a package would execute the same once more.
        top = module.partition(".")[0]
        self.skip.update(
            f"{step}:{name}"
            for name in self.record.segments[step].modules
            if name.partition(".")[0] == top
        )
        self.skip.add(f"{step}:{module}")

    def _explain(self, what: str, reason: str) -> None:
        self.reasons.append(f"{what}: {reason}")

    def paths(self) -> list[str]:
        """Files whose change may make room for more: inputs, though they were not imported."""
        steps = {int(entry.partition(":")[0]) for entry in self.skip}
        if self.last < self._end:  # cut short; else that step is the next stage's
            steps.add(self.last)
        found = (self.record.segments[i].path for i in steps if i < len(self.record.segments))
        return [path for path in found if path is not None]
