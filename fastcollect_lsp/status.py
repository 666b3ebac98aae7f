"""What the server says about itself: the object behind `fastcollect status --json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckpointStatus:
    """One warm process."""

    name: str
    pid: int
    modules: int
    inputs: int
    rss_bytes: int
    """Memory that only this process uses (USS): its pages are shared with its ancestors."""
    left_out: list[str]
    """What has to be imported in the run itself, each with the reason."""


@dataclass(frozen=True)
class LastRun:
    """How the last run was served, and what that cost."""

    served: str
    """warm | collected | cold"""
    reason: str
    checkpoint: str | None = None
    proof_ms: float = 0.0
    fork_ms: float = 0.0
    wall_ms: float | None = None
    """None while the run goes on, and for cold runs, which the server does not see end."""
    exit: int | None = None
    """Exit code, or minus the signal that ended the run; None while it goes on."""


@dataclass(frozen=True)
class Miss:
    """One checkpoint that a run could not use."""

    at: str
    """Time of day, HH:MM:SS."""
    checkpoint: str
    reason: str
    served: str
    """What the run was served instead."""


@dataclass(frozen=True)
class Warmup:
    """Checkpoints that were made, because of a run or of a change."""

    at: str
    """Time of day, HH:MM:SS."""
    cause: str
    """What changed."""
    kept: str
    """The deepest checkpoint that still held."""
    modules: int
    """Modules that were imported again."""
    ms: float


@dataclass(frozen=True)
class WatchStatus:
    """Whether the server hears of it when files change. No answer depends on that."""

    directories: int
    """How many are watched."""
    wanted: int
    """How many should be."""
    trouble: str | None
    """Why fewer are."""
    text: str
    """All of that for people: "watching 120 directories", "not watching: …"."""


@dataclass(frozen=True)
class Status:
    """The state of a server, or its absence."""

    state: str
    """stopped | starting | warming | warm | degraded"""
    root: str
    interpreter: str
    version: str
    pid: int | None = None
    uptime_s: float = 0.0
    idle_timeout_s: float = 0.0
    rss_bytes: int = 0
    tests: int = 0
    detail: str = ""
    """What it is doing, or why it is degraded."""
    checkpoints: list[CheckpointStatus] = field(default_factory=list)
    last_run: LastRun | None = None
    runs: dict[str, int] = field(default_factory=dict)
    clients: int = 0
    why: list[Miss] = field(default_factory=list)
    warmups: list[Warmup] = field(default_factory=list)
    log: str = ""
    watch: WatchStatus | None = None


def to_json(status: Status) -> dict[str, Any]:
    """Plain data, as it goes over the wire."""
    return dataclasses.asdict(status)


def from_json(data: dict[str, Any]) -> Status:
    """The status that a server of the same version sent. Raises TypeError, KeyError."""
    plain = dict(data)
    plain["checkpoints"] = [CheckpointStatus(**item) for item in plain["checkpoints"]]
    plain["why"] = [Miss(**item) for item in plain["why"]]
    plain["warmups"] = [Warmup(**item) for item in plain["warmups"]]
    if plain["last_run"] is not None:
        plain["last_run"] = LastRun(**plain["last_run"])
    if plain["watch"] is not None:
        plain["watch"] = WatchStatus(**plain["watch"])
    return Status(**plain)
