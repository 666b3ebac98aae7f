"""One run as the server knows it, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import orjson

from . import coverage
from .editor import codec, wire
from .editor.outcomes import Outcomes
from .launch import Launched


class Refused(Exception):
    """A run cannot be begun; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """A run that an editor asks for."""

    id: str
    kind: str
    include: Sequence[str] | None
    exclude: Sequence[str]
    args: Sequence[str]
    environ: Mapping[str, str]


@dataclass(eq=False)
class Run:
    """One run, from its first report (or from its start, if we start it) to its last."""

    id: str
    kind: str
    origin: str
    args: Sequence[str] = ()
    exclude: Sequence[str] = ()
    hidden: bool = False
    """Of no interest to editors but for what it collects."""
    outcomes: Outcomes = field(default_factory=Outcomes)
    process: Launched | None = None
    child: int | None = None
    """Pid of the process that runs the tests, where that is not `process` itself."""
    served: asyncio.Future[str] | None = None
    debug: asyncio.Future[wire.DebugAddress] | None = None
    exit: int | None = None
    trouble: str | None = None
    connected: bool = False
    """Its reports have begun to come."""
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Its reports are over."""
    seq: int = 0
    pending: list[wire.RunEvent] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=dict)
    data: Path | None = None
    """Where it leaves its coverage."""
    measured: coverage.Measured | None = None
    began_ns: int = 0
    collected: set[str] = field(default_factory=set)
    """Files (absolute) of which it is known what pytest makes of them."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def decide(self, served: str) -> None:
        """It is known now how the run is served."""
        if self.served is not None and not self.served.done():
            self.served.set_result(served)


@dataclass(frozen=True)
class Progress:
    """What has happened in a run since listeners were told last."""

    told: wire.RunProgress

    @property
    def events(self) -> Sequence[wire.RunEvent]:
        """In order; never none."""
        return self.told.events

    @cached_property
    def json(self) -> orjson.Fragment:
        """The params of `fastcollect/runProgress`, encoded once for all editors."""
        return orjson.Fragment(codec.encode(self.told))


class Listener:
    """What wants to hear of runs. All its methods are called in the event loop's thread."""

    def started(self, run: Run) -> None:
        """A run has begun."""

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in it."""
