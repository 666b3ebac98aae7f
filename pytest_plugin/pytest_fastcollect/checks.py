"""Looks at the process between steps: as often as can be without slowing them down."""

from __future__ import annotations

import contextlib
from time import perf_counter  # as it is before a probe watches who asks for the time

from .audit import Audit
from .census import Census, Output

SHARE = 25.0
"""Imports take at least this many times as long as the looks at what they did."""


class Unattributed(Exception):
    """One of several steps did what a fork cannot keep: a careful execution will tell which."""


class Checks:
    """What steps did to the process that a fork would lose, share or repeat.

    A look costs about as much as the import of a small module. What it finds is still there later,
    so small steps are looked at together: there is mostly nothing to be found.
    """

    def __init__(self, audit: Audit | None, careful: bool) -> None:
        self.output = Output()
        self._audit = audit
        self._careful = careful
        self._pending = 0
        """Steps since the last look."""
        self._cost = 0.0
        self._looked = 0.0
        self._baseline = Census.take()

    def rebase(self) -> None:
        """Compare with the state now from here on."""
        with self.unwatched():
            self.output.rebase()
            self._baseline = Census.take()
        self._pending = 0

    def unwatched(self) -> contextlib.AbstractContextManager[None]:
        """What we do ourselves meanwhile is not looked at."""
        return self._audit.paused() if self._audit is not None else contextlib.nullcontext()

    def hazard(self) -> str | None:
        """After a step: what it did that cannot be kept in a checkpoint, as one phrase; None also
        where it is not yet time to look. Raises Unattributed."""
        self._pending += 1
        wait = 0.0 if self._careful else SHARE * self._cost
        return self._look() if perf_counter() - self._looked >= wait else None

    def rest(self) -> str | None:
        """`hazard` of the steps that have not been looked at."""
        return self._look() if self._pending else None

    def _look(self) -> str | None:
        began = perf_counter()
        with self.unwatched():
            found = self._baseline.hazard() or self.output.hazard()
        self._looked = perf_counter()
        self._cost = self._looked - began
        several, self._pending = self._pending > 1, 0
        if found is not None and several:
            raise Unattributed(found)
        return found
