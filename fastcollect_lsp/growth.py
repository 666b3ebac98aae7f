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

from . import protocol
from ._core import InputSet
from .checkpoint import Checkpoint, Failed, next_message, today
from .link import Link
from .policy import Stage, Warmth, loaded_conftests
from .protocol import Record

log = logging.getLogger("fastcollect.growth")

STEP_TIMEOUT = 120.0
"""Seconds that one step of imports may take before it is given up."""
RACY_NS = 20_000_000
"""A file that changed this shortly before its snapshot may change again within the same tick of the
file system's clock, unseen."""
MAX_CHANGES = 5
"""Times that a checkpoint is begun again because a file was edited meanwhile."""
MAX_SKIPS = 16
"""Test modules of one selection that are left to the run child, before all after it are."""
_SKIPPABLE = {"module", "doctest", "broken", "opaque"}

_ids = itertools.count(1)


@dataclass(frozen=True)
class _Outcome:
    """How the execution of a plan ended."""

    checkpoint: tuple[int, Link, asyncio.Queue[dict[str, Any]]] | None
    report: dict[str, Any] | None
    barrier: int
    """The step that must not happen ahead of time; -1 if all were executed."""
    reason: str


async def grow(
    parent: Checkpoint,
    record: Record,
    stage: Stage,
    environ: dict[str, str],
    changed: Sequence[str],
) -> Checkpoint:
    """A new checkpoint that has executed the record up to `stage`, or to the step before the first
    that must not happen ahead of time. Raises Failed where not one step can be executed.
    """
    first, last = parent.last, stage.last
    skip: list[int] = []
    left_out: list[str] = []
    plan: dict[str, Any] = {
        "record": protocol.to_json(record),
        "first": first,
        "changed": list(changed),
        "environ": environ,
    }

    def leave_out(outcome: _Outcome) -> None:
        """Not ahead of time: a test module is left to the run child, anything else ends it here."""
        nonlocal last
        left_out.append(_describe(record, outcome))
        if record.segments[outcome.barrier].kind in _SKIPPABLE and len(skip) < MAX_SKIPS:
            skip.append(outcome.barrier)
        else:
            last = outcome.barrier

    changes = 0
    while changes < MAX_CHANGES:
        if last - first <= len(skip):
            raise Failed(left_out[0] if left_out else "nothing to import")
        plan |= {"last": last, "skip": skip}
        probe = await _execute(parent, {**plan, "probe": True, "generators": {}})
        if probe.report is None:
            leave_out(probe)
            continue
        inputs = await _snapshot(probe.report, [record.segments[i].path or "" for i in skip])
        generators = probe.report["generators"]
        real = await _execute(parent, {**plan, "probe": False, "generators": generators})
        if real.report is None or real.checkpoint is None:
            leave_out(real)
            continue
        pid, link, events = real.checkpoint
        unforeseen = set(real.report["files"]) - set(probe.report["files"])
        moved = await asyncio.to_thread(inputs.changed)
        if unforeseen or moved:
            log.info("%s: changed while it was imported: %s", stage.name, [*moved, *unforeseen][:3])
            link.close()
            changes += 1
            continue
        saves = parent.saves_ms + float(real.report["elapsed_ms"])
        warmth = Warmth(
            name=stage.name,
            key=record.key,
            conftests=loaded_conftests(record, last),
            environ={**_environ_of(parent), **real.report["environ"]},
            whole_environ=environ if real.report["whole_environ"] or _whole(parent) else None,
            day=today(),
            saves_ms=saves,
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
            last=last,
            left_out=left_out,
            whole=last == stage.last,
            events=events,
        )
    raise Failed("its inputs keep changing")


def _environ_of(parent: Checkpoint) -> dict[str, str | None]:
    return dict(parent.warmth.environ) if parent.warmth is not None else {}


def _whole(parent: Checkpoint) -> bool:
    return parent.warmth is not None and parent.warmth.whole_environ is not None


def _describe(record: Record, outcome: _Outcome) -> str:
    segment = record.segments[outcome.barrier]
    what = segment.path or ", ".join(segment.modules[:3])
    return f"{what}: {outcome.reason}"


async def _snapshot(report: dict[str, Any], extra: Sequence[str]) -> InputSet:
    """The inputs as they are now, taken when no file is younger than the clock can tell."""
    files = [*report["files"], *filter(None, extra)]
    while True:
        inputs = await asyncio.to_thread(InputSet, files, report["directories"])
        age = time.time_ns() - inputs.newest_ctime_ns
        if age > RACY_NS or age < -RACY_NS:
            return inputs
        await asyncio.sleep(RACY_NS / 1e9)


async def _execute(parent: Checkpoint, plan: dict[str, Any]) -> _Outcome:
    """Fork the parent and let the child execute a plan. Raises Failed."""
    grown = await _fork(parent, plan)
    pid, link, events = grown
    step, report, barrier, reason = int(plan["first"]), None, -1, ""
    while True:
        try:
            message = await asyncio.wait_for(next_message(link, events), STEP_TIMEOUT)
        except asyncio.TimeoutError:
            link.close()
            return _Outcome(None, None, step, f"takes longer than {STEP_TIMEOUT:.0f} s")
        if message is None:
            break
        event = message.get("event")
        if event == "step":
            step = int(message["index"])
        elif event == "barrier":
            barrier, reason = max(int(message["index"]), step), str(message["reason"])
        elif event == "ready":
            report = message
            if not plan["probe"]:
                return _Outcome((pid, link, events), report, -1, "")
    link.close()
    if report is None and barrier < 0:
        barrier, reason = step, "ends the process when imported ahead of time"
    return _Outcome(None, report, barrier, reason)


async def _fork(
    parent: Checkpoint, plan: dict[str, Any]
) -> tuple[int, Link, asyncio.Queue[dict[str, Any]]]:
    """The socket to a new child of `parent`. Raises Failed."""
    grow_id = str(next(_ids))
    answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    listener = parent.link.on_message

    def on_message(message: dict[str, Any]) -> None:
        if message.get("event") == "grown" and message.get("id") == grow_id:
            if not answer.done():
                answer.set_result(message)
        else:
            listener(message)

    parent.link.on_message = on_message
    try:
        await parent.link.send({"do": "grow", "id": grow_id, "plan": plan})
        message = await asyncio.wait_for(answer, STEP_TIMEOUT)
    except (OSError, asyncio.TimeoutError) as error:
        raise Failed(f"the checkpoint {parent.name!r} does not answer ({error!r})") from None
    finally:
        parent.link.on_message = listener
    if not message["fds"]:
        raise Failed("no descriptor came with a new checkpoint")
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    link = Link(socket.socket(fileno=message["fds"][0]), events.put_nowait)
    return int(message["pid"]), link, events
