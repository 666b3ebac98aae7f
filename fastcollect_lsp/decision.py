"""What a run is asked for like, and what it is served."""

from __future__ import annotations

from dataclasses import dataclass

from .checkpoint import Checkpoint


@dataclass(frozen=True)
class Manner:
    """How a run is asked for, as far as it matters to what serves it."""

    plain: bool = True
    """Up to its first test it does what its command does in a terminal: it can go on with a session
    that was collected for that command, and one had better be there when it is repeated."""
    native: bool = False
    """Its caller has not imported pytest, which a fork of any warm process saves."""
    pid: int = 0
    """Its caller, as it says itself: for the log alone."""


ORDINARY = Manner()
"""Of a `pytest` in a terminal."""


@dataclass(frozen=True)
class Decision:
    """What a run is served."""

    checkpoint: Checkpoint | None
    reason: str
    record: bool
    """Whether the run's import path is wanted: nothing as deep as it could be was there."""
    misses: tuple[tuple[str, str], ...] = ()
    """(checkpoint, reason) for each that was looked at and not used."""
    proof_ms: float = 0.0
    too_light: bool = False
    """Whether it is cold because a `pytest` that has begun is sooner by itself."""

    @property
    def served(self) -> str:
        """warm | collected | cold"""
        if self.checkpoint is None:
            return "cold"
        return "collected" if self.checkpoint.name == "collected" else "warm"
