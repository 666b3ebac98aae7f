"""Pure decisions: where to put checkpoints, and which one a run may be forked from."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .protocol import Record, RunKey, RunRequest

HAND_OVER_COST_MS = 40.0
"""What a hand-over costs: the run child parses the command line again and is forked. A checkpoint
that saves less is left alone: cold is sooner."""

_VOLATILE_VARIABLES = frozenset(
    ("_", "OLDPWD", "PWD", "SHLVL", "COLUMNS", "LINES", "WINDOWID", "PYTEST_VERSION")
)
"""Differ from shell to shell; no reason to doubt a module that has copied the whole environment."""


@dataclass(frozen=True)
class Stage:
    """One checkpoint to be made: the segments up to `last` executed."""

    name: str
    """plugins | conftests | modules"""
    last: int


def stages(record: Record, shared: bool = True) -> list[Stage]:
    """Where on a record's path to stop: after the plugins, after the conftests, at the end.

    The first two serve other command lines of the same project; the last serves this selection.
    Without `shared` there is only the last: a process that is not forked cannot be shared.
    """
    kinds = [segment.kind for segment in record.segments]
    if not shared:
        return [Stage("modules", len(kinds))]
    plugins = next((i for i, kind in enumerate(kinds) if kind != "names"), len(kinds))
    conftests = plugins
    wanted = set(record.key.conftests)
    for index in range(plugins, len(kinds)):
        segment = record.segments[index]
        if segment.kind == "conftest" and segment.path in wanted:
            conftests = index + 1
        elif segment.kind != "names":
            break
    found = [Stage("plugins", plugins), Stage("conftests", conftests), Stage("modules", len(kinds))]
    return [
        stage
        for stage, before in zip(found, [0, plugins, conftests], strict=True)
        if stage.last > before
    ]


def loaded_conftests(record: Record, last: int) -> tuple[str, ...]:
    """The conftests among the first `last` segments, in order."""
    return tuple(
        segment.path or "" for segment in record.segments[:last] if segment.kind == "conftest"
    )


@dataclass(frozen=True)
class Warmth:
    """What a checkpoint has executed, as far as it matters to who may be forked from it."""

    name: str
    key: RunKey
    conftests: tuple[str, ...]
    environ: Mapping[str, str | None]
    whole_environ: Mapping[str, str] | None
    """The environment it was made in, where its modules have read all of it."""
    day: datetime.date
    saves_ms: float
    """Time that its imports took, its ancestors' included."""


def mismatch(warmth: Warmth, request: RunRequest, today: datetime.date) -> str | None:
    """Why a run must not be forked from this checkpoint, files apart; None if it may.

    What the checkpoint has executed has to be what the run itself would execute first: the same
    selection for `modules`, a prefix of the same conftests for `conftests`.
    """
    key = request.key
    if warmth.key.base != key.base:
        return f"{differing_option(warmth.key.base, key.base)} differs"
    if warmth.name == "modules":
        if key.dynamic:
            return "--lf or --ff choose the files"
        if warmth.key.conftests != key.conftests:
            return "another set of conftests"
        if warmth.key.selection != key.selection:
            return "another selection of files"
    elif warmth.conftests and key.conftests[: len(warmth.conftests)] != warmth.conftests:
        return "another set of conftests"
    if warmth.day != today:
        return "made before midnight"
    for name, value in sorted(warmth.environ.items()):
        if request.env.get(name) != value and name not in _VOLATILE_VARIABLES:
            return f"environment variable {name} changed"
    if warmth.whole_environ is not None:
        differing = _differing_variable(warmth.whole_environ, request.env)
        if differing is not None:
            return f"environment variable {differing} changed (all of it is read at import)"
    return None


def _differing_variable(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    for name in sorted(before.keys() | now.keys()):
        if name not in _VOLATILE_VARIABLES and before.get(name) != now.get(name):
            return name
    return None


def differing_option(before: str, now: str) -> str:
    """Which part of two canonical JSON objects differs first."""
    old, new = json.loads(before), json.loads(now)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            return str(name)
    return "the command line"


def same_prefix(old: Record, new: Record, last: int) -> bool:
    """Whether two records begin with the same `last` segments."""
    return old.segments[:last] == new.segments[:last] and old.key.base == new.key.base


def changed_paths(record: Record, changed: Sequence[str]) -> list[str]:
    """Those of the changed files that are a step of the record themselves."""
    steps = {segment.path for segment in record.segments}
    return [path for path in changed if path in steps]
