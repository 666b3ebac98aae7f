"""Keeps a project warm: owns the zygote and the checkpoints, and chooses one for each run."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import logging
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import policy, protocol
from .checkpoint import Checkpoint, Failed, await_spare, send_run, start_zygote, today
from .growth import grow
from .protocol import Record, RunRequest
from .status import CheckpointStatus, LastRun, Miss

log = logging.getLogger("fastcollect.warm")

MAX_SELECTIONS = 3
"""Selections (command lines with files of their own) that are kept warm at the same time."""
MAX_MISSES = 50
END_TIMEOUT = 2.0
"""Seconds that a stopping server waits for its warm processes."""

_run_ids = itertools.count(1)


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


@dataclass
class Warm:
    """The warm processes of one project."""

    environ: dict[str, str]
    listeners: list[Callable[[], None]] = field(default_factory=list)
    """Called after every change of what `status` shows."""
    zygote: Checkpoint | None = None
    stages: dict[str, Checkpoint] = field(default_factory=dict)
    """The shared checkpoints: plugins, conftests."""
    selections: collections.OrderedDict[str, Checkpoint] = field(
        default_factory=collections.OrderedDict
    )
    """Checkpoints with test modules imported, by selection; the latest used last."""
    last_run: LastRun | None = None
    runs: collections.Counter[str] = field(default_factory=collections.Counter)
    misses: collections.deque[Miss] = field(
        default_factory=lambda: collections.deque(maxlen=MAX_MISSES)
    )
    spare: bool = False
    """Whether each warm process serves one run and is replaced, instead of being forked."""
    tests: int = 0
    failure: str | None = None
    building: str | None = None
    active: set[str] = field(default_factory=set)
    """Runs that have begun and not ended."""
    _identity: str | None = None
    _tasks: set[asyncio.Future[None]] = field(default_factory=set)
    _wanted: collections.OrderedDict[str, tuple[Record, bool]] = field(
        default_factory=collections.OrderedDict
    )
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing is being built."""

    def __post_init__(self) -> None:
        self.idle.set()

    # ---------------------------------------------------------------- serving runs

    def decide(self, request: RunRequest) -> Decision:
        """The deepest checkpoint whose inputs are all proven unchanged now. Blocks meanwhile."""
        if self.zygote is None or self._identity is None:
            return Decision(None, "the server is still starting", record=True)
        if self._identity != request.identity:
            what = policy.differing_option(self._identity, request.identity)
            return Decision(None, f"another interpreter than the warm one ({what})", record=True)
        misses: list[tuple[str, str]] = []
        began = time.perf_counter()
        for checkpoint in self._candidates(request):
            reason = self._doubt(checkpoint, request)
            if reason is None:
                complete = checkpoint.name == "modules"
                return Decision(
                    checkpoint,
                    checkpoint.name,
                    record=not complete and not request.key.dynamic,
                    misses=tuple(misses),
                    proof_ms=(time.perf_counter() - began) * 1000,
                )
            misses.append((checkpoint.name, reason))
        if misses:
            reason = "; ".join(dict.fromkeys(f"{name}: {why}" for name, why in misses))
        elif self.building:
            reason = "warming"
        else:
            reason = self.failure or "nothing is warm yet"
        return Decision(None, reason, record=not request.key.dynamic, misses=tuple(misses))

    def _candidates(self, request: RunRequest) -> list[Checkpoint]:
        found = [self.selections.get(request.key.selection)]
        found += [self.stages.get(name) for name in ("conftests", "plugins")]
        return [checkpoint for checkpoint in found if checkpoint is not None]

    def _doubt(self, checkpoint: Checkpoint, request: RunRequest) -> str | None:
        if not checkpoint.alive or checkpoint.warmth is None:
            return "the process has ended"
        if reason := policy.mismatch(checkpoint.warmth, request, today()):
            return reason
        if changed := checkpoint.changed():
            return f"{changed[0]} changed"
        if checkpoint.saves_ms < policy.HAND_OVER_COST_MS:
            return f"cold is sooner (its imports take {checkpoint.saves_ms:.0f} ms)"
        return None

    async def serve(self, request: RunRequest, fds: list[int]) -> dict[str, Any]:
        """Decide and, if warm, have the run forked. The answer for the caller."""
        decision = await asyncio.to_thread(self.decide, request)
        self.environ = request.env
        checkpoint = decision.checkpoint
        if checkpoint is not None:
            run_id = str(next(_run_ids))
            self.active.add(run_id)
            self.last_run = LastRun(
                "warm", decision.reason, checkpoint.name, proof_ms=decision.proof_ms
            )
            try:
                channel = os.dup(fds[3]) if checkpoint.spare else -1
                await send_run(checkpoint, run_id, request, fds, decision.record)
            except OSError as error:
                self.active.discard(run_id)
                lost = f"the checkpoint {checkpoint.name} is gone ({error.strerror})"
                decision = dataclasses.replace(decision, checkpoint=None, reason=lost)
        served = "warm" if decision.checkpoint is not None else "cold"
        self._note(decision, served)
        if served == "cold":
            return {"served": "cold", "reason": decision.reason, "record": decision.record}
        if checkpoint is not None and checkpoint.spare:
            self._use_up(checkpoint, channel, run_id)
        elif request.key.selection in self.selections:
            self.selections.move_to_end(request.key.selection)
        return {"served": "warm", "checkpoint": decision.reason}

    def _use_up(self, spare: Checkpoint, channel: int, run_id: str) -> None:
        """A spare has become a run: see it to its end, and have another one made."""
        began = time.perf_counter()
        for selection, checkpoint in list(self.selections.items()):
            if checkpoint is spare:
                del self.selections[selection]
        if spare.record is not None:
            self.want(spare.record, seen=False)

        async def see_to_its_end() -> None:
            status = await await_spare(spare, channel)
            wall_ms = (time.perf_counter() - began) * 1000
            self._on_event({"event": "ended", "id": run_id, "status": status, "wall_ms": wall_ms})

        task = asyncio.ensure_future(see_to_its_end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, decision: Decision, served: str) -> None:
        self.runs[served] += 1
        if served == "cold":
            self.last_run = LastRun("cold", decision.reason, proof_ms=decision.proof_ms)
        what = f"{served} ({decision.reason})" if served == "warm" else served
        for name, reason in decision.misses:
            self.misses.append(Miss(time.strftime("%H:%M:%S"), name, reason, what))
        log.info(
            "run %s: %s, proof %.1f ms%s",
            served,
            decision.reason,
            decision.proof_ms,
            "".join(f"; not {name}: {reason}" for name, reason in decision.misses),
        )
        self._changed()

    def _on_event(self, message: dict[str, Any]) -> None:
        event, run_id = message.get("event"), str(message.get("id"))
        if event == "forked" and self.last_run is not None:
            self.last_run = dataclasses.replace(self.last_run, fork_ms=float(message["fork_ms"]))
        elif event == "ended":
            self.active.discard(run_id)
            status = int(message["status"])
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if self.last_run is not None and self.last_run.served == "warm":
                self.last_run = dataclasses.replace(
                    self.last_run, wall_ms=float(message["wall_ms"]), exit=code
                )
            log.info("run ended: exit %d after %.0f ms", code, float(message["wall_ms"]))
            self._changed()

    def _changed(self) -> None:
        for listener in list(self.listeners):
            listener()

    # ---------------------------------------------------------------- warming

    def refresh(self) -> None:
        """A file may have changed: make again what no longer holds, before a run asks for it."""
        for checkpoint in list(self.selections.values()):
            if checkpoint.record is not None:
                self.want(checkpoint.record, seen=False)

    def want(self, record: Record, seen: bool = True) -> None:
        """Have this selection warm soon; replaces an older wish for the same selection.

        `seen`: the record comes from a run just now, so it knows of every edit before.
        """
        self.tests = max(record.tests, self.tests if record.key.dynamic else 0)
        if record.key.dynamic:
            return
        self._wanted.pop(record.key.selection, None)
        self._wanted[record.key.selection] = (record, seen)
        self.idle.clear()
        self._wake.set()

    async def work(self) -> None:
        """Build what is wanted, the latest wish first, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._wanted:
                _, (record, seen) = self._wanted.popitem()
                self.building = "starting the interpreter"
                self._changed()
                try:
                    await self._build(record, seen)
                except Failed as failed:
                    self.failure = str(failed)
                    log.warning("not warm: %s", failed)
                finally:
                    self.building = None
                    self._changed()
            self.idle.set()

    async def _build(self, record: Record, seen: bool) -> None:
        began = time.monotonic()
        self.failure = None
        parent = await self._zygote_for(record)
        for stage in policy.stages(record, shared=not self.spare):
            self.building = f"importing {stage.name}"
            self._changed()
            existing = self._existing(stage.name, record)
            if existing is not None and await self._reusable(existing, parent, record, stage):
                parent = existing
                continue
            changed = [] if seen or existing is None else existing.inputs.changed(limit=1000)
            fresh = await grow(parent, record, stage, self.environ, changed)
            fresh.link.on_message = self._on_event
            self._replace(stage.name, record, fresh)
            log.info(
                "checkpoint %s: pid %d, %d modules, %d inputs%s",
                stage.name,
                fresh.pid,
                fresh.modules,
                len(fresh.inputs),
                "".join(f"; left out {what}" for what in fresh.left_out),
            )
            parent = fresh
            if not fresh.whole:
                break
        log.info("warm after %.0f ms", (time.monotonic() - began) * 1000)

    async def _zygote_for(self, record: Record) -> Checkpoint:
        """The zygote, started again where it is another interpreter or its inputs changed."""
        zygote = self.zygote
        if zygote is not None and zygote.alive and self._identity == record.identity:
            if not await asyncio.to_thread(zygote.inputs.changed):
                return zygote
            log.info("the interpreter or pytest changed: starting again")
        self.close()
        zygote, identity = await start_zygote(record.identity, self.environ)
        if identity != record.identity:
            zygote.link.close()
            what = policy.differing_option(record.identity, identity)
            raise Failed(f"an interpreter like the run's cannot be started ({what} differs)")
        zygote.spare = self.spare
        zygote.link.on_message = self._on_event
        self.zygote, self._identity = zygote, identity
        return zygote

    def _existing(self, name: str, record: Record) -> Checkpoint | None:
        if name == "modules":
            return self.selections.get(record.key.selection)
        return self.stages.get(name)

    async def _reusable(
        self, existing: Checkpoint, parent: Checkpoint, record: Record, stage: policy.Stage
    ) -> bool:
        """Whether a checkpoint is what growing it again would give."""
        if not existing.alive or existing.parent is not parent or existing.record is None:
            return False
        if existing.last != stage.last or existing.warmth is None:
            return False
        if not policy.same_prefix(existing.record, record, stage.last):
            return False
        if existing.warmth.day != today():
            return False
        if any(self.environ.get(name) != value for name, value in existing.warmth.environ.items()):
            return False
        return not await asyncio.to_thread(existing.changed)

    def _replace(self, name: str, record: Record, fresh: Checkpoint) -> None:
        """Put a new checkpoint in place; what was grown from the old one goes with it."""
        old = self._existing(name, record)
        if old is not None:
            self._drop(old)
        if name != "modules":
            self.stages[name] = fresh
            return
        self.selections[record.key.selection] = fresh
        while len(self.selections) > MAX_SELECTIONS:
            _, evicted = self.selections.popitem(last=False)
            evicted.link.close()

    def _drop(self, old: Checkpoint) -> None:
        for stages in (self.stages, self.selections):
            for key, checkpoint in list(stages.items()):
                if old in checkpoint.lineage():
                    checkpoint.link.close()
                    del stages[key]
        old.link.close()

    async def end(self) -> None:
        """`close`, and wait a moment until the processes are gone; not for runs in progress."""
        pidfds = []
        for status in self.checkpoints():
            with contextlib.suppress(OSError):
                pidfds.append(os.pidfd_open(status.pid))
        self.close()
        deadline = time.monotonic() + END_TIMEOUT
        while pidfds and not self.active and time.monotonic() < deadline:
            ended, _, _ = select.select(pidfds, [], [], 0)
            for fd in ended:
                os.close(fd)
                pidfds.remove(fd)
            await asyncio.sleep(0.005)
        for fd in pidfds:
            os.close(fd)

    def close(self) -> None:
        """End every warm process; runs in progress go on to their end."""
        for checkpoint in (*self.selections.values(), *self.stages.values(), self.zygote):
            if checkpoint is not None:
                checkpoint.link.close()
        self.selections.clear()
        self.stages.clear()
        self.zygote = self._identity = None

    # ---------------------------------------------------------------- status

    @property
    def state(self) -> str:
        """starting | warming | warm | degraded"""
        if self.building:
            return "warming" if self.zygote is not None else "starting"
        if any(
            checkpoint.alive for checkpoint in (*self.selections.values(), *self.stages.values())
        ):
            return "warm"
        if self.failure:
            return "degraded"
        return "starting"

    def checkpoints(self) -> list[CheckpointStatus]:
        """All warm processes, the zygote first."""
        found = (self.zygote, *self.stages.values(), *self.selections.values())
        return [
            CheckpointStatus(
                name=checkpoint.name,
                pid=checkpoint.pid,
                modules=checkpoint.modules,
                inputs=len(checkpoint.inputs),
                rss_bytes=checkpoint.memory(),
                left_out=checkpoint.left_out,
            )
            for checkpoint in found
            if checkpoint is not None and checkpoint.alive
        ]


def read_records(directory: os.PathLike[str]) -> list[Record]:
    """Take the records that runs have left, oldest first; what cannot be read is dropped."""
    records: list[tuple[float, Record]] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(directory)):
            if entry.name.startswith("."):
                continue
            try:
                with open(entry.path, "rb") as file:
                    stat = os.fstat(file.fileno())
                    data = file.read(protocol.MAX_CONTROL_FRAME)
                records.append((stat.st_mtime, protocol.parse_record(json.loads(data))))
            except (OSError, ValueError, protocol.ProtocolError) as error:
                log.warning("record %s dropped: %s", entry.name, error)
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]
