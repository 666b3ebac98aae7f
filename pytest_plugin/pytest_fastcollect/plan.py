"""What a growing checkpoint is to execute, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastcollect_lsp.protocol import Record


class Barrier(Exception):
    """A step, or one module of it, must not happen ahead of time; its text says why."""

    def __init__(self, reason: str, module: str | None = None, as_recorded: bool = False) -> None:
        super().__init__(reason)
        self.module = module
        self.as_recorded = as_recorded
        """Whether the step did what it did in the recorded run: it is only not to be kept."""


@dataclass(frozen=True)
class Plan:
    """What to execute: the segments `first` to `last` of a record."""

    record: Record
    first: int
    last: int
    skip: frozenset[str]
    """What to leave to the run child: a step (`3`), what a step is about but not what it imports
    (`3:shallow`), or one module that a hook imports (`3:name`)."""
    changed: frozenset[str]
    """Files edited since the record was made: their imports may differ from it."""
    probe: bool
    """Whether this is the disposable first execution."""
    environ: Mapping[str, str]
    """The caller's environment."""
    generators: Mapping[str, str]
    """What the probe reported of generators, by `step:name`."""
    careful: bool
    """Whether to look at the process after every single step, however small."""
    libraries: int
    """How many leading imports of segment `last` to execute as well: libraries that it and the
    project's modules which it imports begin with (`leading`)."""
    pending: bool = False
    """Whether modules that come before are left to the run child already."""


@dataclass
class Report:
    """What an execution found out."""

    files: dict[str, int] = field(default_factory=dict)
    """What was read, each with the first step that did."""
    directories: set[str] = field(default_factory=set)
    """What was listed or searched."""
    kinds: set[str] = field(default_factory=set)
    """Directories that were asked for: whether they are there is what counts."""
    extents: dict[str, int] = field(default_factory=dict)
    """Files of the project whose beginning decides which libraries were imported; in bytes."""
    libraries: list[str] = field(default_factory=list)
    """Leading imports that were executed."""
    costs_ms: dict[int, float] = field(default_factory=dict)
    """What each step took."""
    environ: dict[str, str | None] = field(default_factory=dict)
    whole_environ: bool = False
    captured: bool = False
    """Whether it was told that there is no terminal, as in a run whose streams are captured."""
    generators: dict[str, str] = field(default_factory=dict)
    barriers: list[tuple[int, str | None, str]] = field(default_factory=list)
    contained: list[int] = field(default_factory=list)
    """Steps with barriers that change nothing outside of their own module: what follows them does
    not depend on them."""
    """Of a probe: (step, module, reason) for each that must not happen ahead of time."""
    modules: int = 0
    elapsed_ms: float = 0.0
