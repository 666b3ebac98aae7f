"""Pure decisions: where to put checkpoints, which to keep, which one a run may be forked from."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .protocol import Record, RunKey, RunRequest

HAND_OVER_COST_MS = 40.0
"""What a hand-over costs: the run child parses the command line again and is forked. A checkpoint
that saves less is left alone: cold is sooner."""
CUT_MS = 100.0
"""Import time between two checkpoints below which one of them is not worth a process."""
MAX_CUTS = 3
"""Checkpoints spread over the test modules of one selection, besides those for what is edited."""
MAX_VOLATILE = 2
"""Files edited lately that have a checkpoint of their own just before them."""
STAGE_MS = 60.0
"""What making one checkpoint costs besides its imports: two forks and a snapshot of the inputs."""
MODULE_MS = 3.0
"""What importing one module takes, as long as it has not been measured."""
MAX_PROCESSES = 12
MAX_BYTES = 1 << 30
"""Bounds on the warm processes of a project, and on the memory that only they use (USS)."""
MAX_SHARE = 0.25
"""The part of all memory there is that this may be at most."""

_VOLATILE_VARIABLES = frozenset(("_", "OLDPWD", "PWD", "SHLVL", "WINDOWID", "PYTEST_VERSION"))
"""Differ from shell to shell; no reason to doubt a module that has copied the whole environment.
One that has asked for them by name is doubted, but for what pytest itself has made."""


@dataclass(frozen=True)
class Stage:
    """One checkpoint to be made: the segments up to `last` executed."""

    name: str
    """plugins | libraries | conftests | modules; the last two with `k/n` where they stop midway."""
    last: int
    libraries: bool = False
    """Whether the libraries that segment `last` begins with are imported as well."""
    shared: bool = True
    """Whether it serves other selections of files too."""


def stages(record: Record, cuts: Sequence[int] = (), shared: bool = True) -> list[Stage]:
    """Where on a record's path to stop: after the plugins, after the libraries that the first file
    begins with, after the conftests, at each of the `cuts`, at the end.

    Without `shared` there is only the last: a process that is not forked cannot be shared.
    """
    segments = record.segments
    end = len(segments)
    if not shared:
        return [Stage("modules", end, shared=False)]
    plugins = next((i for i, segment in enumerate(segments) if segment.kind != "names"), end)
    conftests = first_module(record)
    found = [Stage("plugins", plugins)] if plugins else []
    if _has_leading_imports(record, plugins):
        is_conftest = segments[plugins].path in record.key.conftests
        found.append(Stage("libraries", plugins, libraries=True, shared=is_conftest))
    if conftests > plugins:
        found.append(Stage("conftests", conftests))
    for cut in sorted(cuts):
        if cut > conftests:
            found.append(Stage(f"modules {cut}/{end}", cut, shared=False))
        if cut > plugins and _has_leading_imports(record, cut):
            found.append(Stage(f"libraries {cut}/{end}", cut, libraries=True, shared=False))
    if end > conftests:
        found.append(Stage("modules", end, shared=False))
    return found


def first_module(record: Record) -> int:
    """The segment that follows the initial conftests: what differs from selection to selection."""
    kinds = [segment.kind for segment in record.segments]
    plugins = next((i for i, kind in enumerate(kinds) if kind != "names"), len(kinds))
    found = plugins
    for index in range(plugins, len(kinds)):
        segment = record.segments[index]
        if segment.kind == "conftest" and segment.path in record.key.conftests:
            found = index + 1
        elif segment.kind != "names":
            break
    return found


def _has_leading_imports(record: Record, index: int) -> bool:
    return index < len(record.segments) and record.segments[index].kind in ("conftest", "module")


def cuts(
    costs: Sequence[float], first: int, volatile: Sequence[int], kept: Collection[int]
) -> list[int]:
    """Where to stop between the segments `first` and the end, given what each costs (ms).

    Just before what was edited last (`volatile`, the latest first), because that is what will be
    edited next; before what costs most, as that is mostly libraries which no edit of the project
    changes; then evenly. `kept`: stops that are there already.
    """
    end = len(costs)
    limit = MAX_CUTS + MAX_VOLATILE
    found = set([cut for cut in volatile if first <= cut < end][:MAX_VOLATILE])
    for cut in sorted(kept):
        if first < cut < end and len(found) < limit:
            found.add(cut)
    dearest = max(range(first, end), key=costs.__getitem__, default=end)
    if len(found) < limit and dearest < end and costs[dearest] > CUT_MS:
        found.add(dearest)
    total = sum(costs[first:])
    number = min(MAX_CUTS, int(total // CUT_MS))
    for part in range(1, number + 1):
        goal, cut, spent = total * part / (number + 1), first, 0.0
        while spent < goal and cut < end:
            spent += costs[cut]
            cut += 1
        far = all(sum(costs[min(cut, other) : max(cut, other)]) >= CUT_MS for other in found)
        worth = first < cut < end and sum(costs[cut:]) >= CUT_MS
        if worth and far and len(found) < limit:
            found.add(cut)
    return sorted(found)


@dataclass(frozen=True)
class Point:
    """A checkpoint, as far as it matters to whether it is kept."""

    depth: int
    """How many it was grown from."""
    used: float
    """When its selection was last used, or a shared one itself: those of another working directory
    or configuration must not stay for ever, in the place of what is needed now."""
    own_bytes: int


def evict(points: Sequence[Point], capacity: int = 1 << 60) -> list[int]:
    """Which checkpoints to give up, by index: from the tail of what was not used for longest.

    `capacity`: the bytes of memory that there are for everybody.
    """
    most = min(MAX_BYTES, int(capacity * MAX_SHARE))
    order = sorted(range(len(points)), key=lambda i: (points[i].used, -points[i].depth))
    count, size = len(points), sum(point.own_bytes for point in points)
    gone: list[int] = []
    while order and (count > MAX_PROCESSES or size > most):
        index = order.pop(0)
        gone.append(index)
        count -= 1
        size -= points[index].own_bytes
    return gone


def worth_waiting(left_ms: float, gain_ms: float) -> bool:
    """Whether a run is sooner if it waits for a checkpoint that is being made: how long that will
    still take, and how much import time it saves over what is there."""
    return left_ms * 1.25 + HAND_OVER_COST_MS < gain_ms


def fits(warmth: Warmth, environ: Mapping[str, str]) -> bool:
    """Whether a checkpoint was made in an environment like this one."""
    return environ_difference(warmth, environ) is None


def without_modules(record: Record) -> Record:
    """The part of a record that does not depend on which test files there are."""
    return dataclasses.replace(record, segments=record.segments[: first_module(record)])


def loaded_conftests(record: Record, last: int) -> tuple[str, ...]:
    """The conftests among the first `last` segments, in order."""
    return tuple(
        segment.path or "" for segment in record.segments[:last] if segment.kind == "conftest"
    )


@dataclass(frozen=True)
class Warmth:
    """What a checkpoint has executed, as far as it matters to who may be forked from it."""

    shared: bool
    """Whether it serves any selection of files that begins with its conftests."""
    key: RunKey
    conftests: tuple[str, ...]
    environ: Mapping[str, str | None]
    whole_environ: Mapping[str, str] | None
    """The environment it was made in, where its modules have read all of it."""
    captured: bool
    """Whether something in it was told that there is no terminal, as where streams are captured."""
    day: datetime.date
    saves_ms: float
    """Time that its imports took, its ancestors' included."""


def mismatch(warmth: Warmth, request: RunRequest, today: datetime.date) -> str | None:
    """Why a run must not be forked from this checkpoint, files apart; None if it may.

    What the checkpoint has executed has to be what the run itself would execute first: the same
    selection for modules, a prefix of the same conftests for what is shared.
    """
    key = request.key
    if warmth.key.base != key.base:
        return f"{differing_option(warmth.key.base, key.base)} differs"
    if warmth.captured and not request.captured:
        return "its output is not captured, and a terminal is asked for at import"
    if not warmth.shared:
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
    if (name := differing_read(warmth, request.env)) is not None:
        return f"environment variable {name} changed"
    if warmth.whole_environ is not None:
        differing = differing_variable(warmth.whole_environ, request.env)
        if differing is not None:
            return f"environment variable {differing} changed (all of it is read at import)"
    return None


def differing_read(warmth: Warmth, environ: Mapping[str, str]) -> str | None:
    """The first variable that what was executed has asked for by name and that is another one
    now."""
    for name, value in sorted(warmth.environ.items()):
        if environ.get(name) != value and name != "PYTEST_VERSION":
            return name
    return None


def environ_difference(warmth: Warmth, environ: Mapping[str, str]) -> str | None:
    """The first variable that what was executed has read and that is another one now."""
    if (name := differing_read(warmth, environ)) is not None:
        return name
    if warmth.whole_environ is not None:
        return differing_variable(warmth.whole_environ, environ)
    return None


def differing_variable(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first variable that differs, but for those that differ from shell to shell."""
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
