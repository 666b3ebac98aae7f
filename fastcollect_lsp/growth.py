"""Makes one checkpoint from another: probe, snapshot of the inputs, then the real execution."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import mounts, protocol
from ._core import InputSet
from .checkpoint import (
    MAX_CHANGES,
    Checkpoint,
    Failed,
    archives,
    next_message,
    start_zygote,
    today,
)
from .leftovers import Leftovers, Libraries
from .link import Link
from .moment import RACY_NS, Moment, latest_change_ns
from .policy import CUT_MS, Stage, Warmth, loaded_conftests
from .protocol import Record

log = logging.getLogger("fastcollect.growth")

FORK_TIMEOUT = 30.0
"""Seconds for a process that only waits to fork."""
STEP_TIMEOUT = 120.0
"""Seconds that one step of imports may take before it is given up."""
SNAPSHOT_TIMEOUT = 2.0
"""Seconds to wait for a moment at which no input has just been changed."""

_ids = itertools.count(1)


@dataclass(frozen=True)
class _Outcome:
    """How the execution of a plan ended."""

    checkpoint: tuple[int, Link, asyncio.Queue[dict[str, Any]]] | None
    report: dict[str, Any] | None
    barriers: list[tuple[int, str | None, str]]
    """(step, module, reason) for each that must not happen ahead of time."""
    careful: bool = False
    """Whether it was not careful enough to tell which step is to be left out."""
    contained: frozenset[int] = frozenset()
    """Those of the steps that change nothing outside of their own module."""


async def grow(
    parent: Checkpoint,
    record: Record,
    stage: Stage,
    environ: dict[str, str],
    changed: Sequence[str],
) -> Checkpoint | None:
    """A new checkpoint that has executed the record up to `stage`, or to the step before the first
    that must not happen ahead of time; None where there is nothing to execute that is worth it.

    `changed`: files edited since the record was made. Raises Failed where not one step can be
    executed. Cancelled, it leaves no process.
    """
    plan: dict[str, Any] = {
        "record": protocol.to_json(record),
        "first": parent.last,
        "changed": list(changed),
        "environ": environ,
        "careful": False,
        "pending": any(point.left_out for point in parent.lineage()),
    }
    if stage.libraries:
        wanted: Leftovers | Libraries = Libraries(record, stage.last)
    else:
        wanted = Leftovers(record, parent.last, stage.last)
    changes = 0
    while changes < MAX_CHANGES:
        if wanted.nothing_left:
            if stage.libraries:
                return None
            raise Failed(wanted.reasons[0] if wanted.reasons else "nothing to import")
        plan |= {
            "last": wanted.last,
            "skip": sorted(wanted.skip),
            "libraries": wanted.libraries,
        }
        began = Moment.now()
        probe = await _execute(parent, {**plan, "probe": True, "generators": {}})
        if probe.careful:
            plan["careful"] = True
            continue
        if probe.report is None or probe.barriers:
            wanted.add(probe.barriers, probe.contained)
            continue
        if stage.libraries and float(probe.report["elapsed_ms"]) < CUT_MS / 2:
            return None
        collected = [] if stage.shared else record.directories
        inputs, paths = await snapshot(probe.report, wanted.paths(), collected)
        if await asyncio.to_thread(began.may_have_changed, inputs, paths):
            # Edited since the probe began: the real execution may read what the probe did not.
            log.info("%s: an input changed while it was looked at", stage.name)
            changes += 1
            continue
        generators = probe.report["generators"]
        real = await _execute(parent, {**plan, "probe": False, "generators": generators})
        if real.careful:
            plan["careful"] = True
            continue
        if real.report is None or real.checkpoint is None:
            wanted.add(real.barriers, frozenset())
            continue
        pid, link, events = real.checkpoint
        try:
            moved = await asyncio.to_thread(inputs.changed)
        except asyncio.CancelledError:
            link.close()
            raise
        moved += _unforeseen(probe.report, real.report)
        if moved:
            log.info("%s: changed while it was imported: %s", stage.name, moved[:3])
            link.close()
            changes += 1
            continue
        known = wanted.last + (1 if stage.libraries and stage.shared else 0)
        warmth = Warmth(
            shared=stage.shared,
            key=record.key,
            conftests=loaded_conftests(record, known),
            environ={**_environ_of(parent), **real.report["environ"]},
            whole_environ=environ if real.report["whole_environ"] or _whole(parent) else None,
            captured=probe.report["captured"] or real.report["captured"] or _captured(parent),
            day=today(),
            saves_ms=parent.saves_ms + float(real.report["elapsed_ms"]),
        )
        return Checkpoint(
            name=stage.name,
            pid=pid,
            link=link,
            inputs=inputs,
            modules=int(real.report["modules"]),
            parent=parent,
            warmth=warmth,
            record=record,
            last=wanted.last,
            libraries=stage.libraries,
            left_out=wanted.reasons,
            stage=stage,
            ends_here=wanted.ends_here,
            events=events,
            spare=parent.spare,
            process=parent.process if parent.spare else None,
            first_reads=probe.report["files"],
            costs_ms={int(step): ms for step, ms in real.report["costs_ms"].items()},
        )
    raise Failed("its inputs keep changing")


def _unforeseen(probe: dict[str, Any], real: dict[str, Any]) -> list[str]:
    """Inputs of the real execution that the probe's do not cover."""
    found = [path for path in real["files"] if path not in probe["files"]]
    return found + [path for path, n in real["extents"].items() if probe["extents"].get(path) != n]


def _environ_of(parent: Checkpoint) -> dict[str, str | None]:
    return dict(parent.warmth.environ) if parent.warmth is not None else {}


def _whole(parent: Checkpoint) -> bool:
    return parent.warmth is not None and parent.warmth.whole_environ is not None


def _captured(parent: Checkpoint) -> bool:
    return parent.warmth is not None and parent.warmth.captured


async def snapshot(
    report: dict[str, Any], extra: Sequence[str], collected: Sequence[str]
) -> tuple[InputSet, list[str]]:
    """The inputs as they are now, and their paths; taken when no file is younger than the clock can
    tell.

    Raises Failed where they cannot be proven later."""
    extents = report.get("extents", {})
    listings = report.get("listings", [])
    # Which libraries are imported is decided by the beginning of a file, or by all of it.
    whole = [path for path, length in extents.items() if length < 0]
    beginnings = [(path, length) for path, length in extents.items() if length >= 0]
    files = [*report["files"], *filter(None, extra), *whole]
    # A conftest may appear where no module is looked for.
    directories = list(dict.fromkeys([*report["directories"], *collected]))
    files += archives(directories)
    remote = mounts.first_remote([*files, *directories, *listings, *extents], mounts.current())
    if remote is not None:
        raise Failed(f"{remote[0]} is on a file system whose stats may lag ({remote[1].kind})")
    deadline = time.monotonic() + SNAPSHOT_TIMEOUT
    while time.monotonic() < deadline:
        inputs = await asyncio.to_thread(InputSet, files, directories, beginnings, listings)
        now_ns = time.time_ns()
        paths = [*files, *directories, *listings, *extents]
        if now_ns - await asyncio.to_thread(latest_change_ns, inputs, paths, now_ns) > RACY_NS:
            return inputs, paths
        await asyncio.sleep(RACY_NS / 1e9)
    raise Failed("its inputs keep changing")


async def _execute(parent: Checkpoint, plan: dict[str, Any]) -> _Outcome:
    """Fork the parent and let the child execute a plan. Raises Failed."""
    forking = asyncio.ensure_future(_fork(parent, plan))
    try:
        pid, link, events = await asyncio.shield(forking)
    except asyncio.CancelledError:
        # The process is on its way: the end of it is in nobody else's hands.
        forking.add_done_callback(abandon)
        raise
    try:
        return await _follow(pid, link, events, plan)
    except asyncio.CancelledError:
        link.close()
        raise


async def _follow(
    pid: int, link: Link, events: asyncio.Queue[dict[str, Any]], plan: dict[str, Any]
) -> _Outcome:
    """What the process that executes a plan reports, up to its end or to where it waits."""
    step = int(plan["first"])
    while True:
        try:
            message = await asyncio.wait_for(next_message(link, events), STEP_TIMEOUT)
        except asyncio.TimeoutError:
            link.kill(pid)
            return _Outcome(None, None, [(step, None, f"takes over {STEP_TIMEOUT:.0f} s")])
        if message is None:
            link.close()
            return _Outcome(None, None, [(step, None, "ends the process when imported")])
        event = message.get("event")
        if event == "step":
            step = int(message["index"])
        elif event == "careful":
            link.close()
            return _Outcome(None, None, [], careful=True)
        elif event == "barrier":
            link.close()
            index = max(int(message["index"]), step)
            return _Outcome(None, None, [(index, message["module"], str(message["reason"]))])
        elif event == "ready" and plan["probe"]:
            link.close()
            barriers = [(i, m, r) for i, m, r in message["barriers"]]
            contained = frozenset(message["contained"])
            return _Outcome(None, message, barriers, contained=contained)
        elif event == "ready":
            return _Outcome((pid, link, events), message, [])


def abandon(forking: asyncio.Future[tuple[int, Link, asyncio.Queue[dict[str, Any]]]]) -> None:
    """Let a process that was being forked end, when it is there."""
    if not forking.cancelled() and forking.exception() is None:
        forking.result()[1].close()


async def _fork(
    parent: Checkpoint, plan: dict[str, Any]
) -> tuple[int, Link, asyncio.Queue[dict[str, Any]]]:
    """The socket to a new child of `parent`, or to a new process like it. Raises Failed."""
    if parent.spare:
        fresh, _ = await start_zygote(parent.identity, plan["environ"])
        fresh.link.on_message = fresh.events.put_nowait
        await fresh.link.send({"do": "grow", "id": "", "plan": plan, "fork": False})
        parent.process = fresh.process
        return fresh.pid, fresh.link, fresh.events
    return await fork(parent, {"do": "grow", "plan": plan})


async def fork(
    parent: Checkpoint, message: dict[str, Any], fds: Sequence[int] = ()
) -> tuple[int, Link, asyncio.Queue[dict[str, Any]]]:
    """The socket to a new child of `parent`, which does what the message says. Raises Failed."""
    grow_id = str(next(_ids))
    answer = parent.link.expect(grow_id)
    closed = asyncio.ensure_future(parent.link.closed.wait())
    try:
        await parent.link.send({**message, "id": grow_id}, fds)
        either: set[asyncio.Future[Any]] = {answer, closed}
        await asyncio.wait(either, timeout=FORK_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and not closed.done():
            log.warning("checkpoint %s does not answer: killed", parent.name)
            parent.kill()
        if not answer.done():
            raise Failed(f"the checkpoint {parent.name!r} has ended")
    except OSError as error:
        raise Failed(f"the checkpoint {parent.name!r} does not answer ({error!r})") from None
    finally:
        closed.cancel()
        answer.cancel()
    grown = answer.result()
    if not grown["fds"]:
        why = grown.get("failure", "no descriptor came with it")
        raise Failed(f"the checkpoint {parent.name!r} could not be forked ({why})")
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    link = Link(socket.socket(fileno=grown["fds"][0]), events.put_nowait)
    return int(grown["pid"]), link, events
