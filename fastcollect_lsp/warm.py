"""Serves runs: chooses a checkpoint for each, and knows which go on."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from . import policy
from .checkpoint import Checkpoint, await_spare, send_run, today
from .decision import ORDINARY, Decision, Manner
from .pool import Pool
from .protocol import NativeRequest, Record, RunRequest
from .sessions import Sessions
from .status import LastRun, Miss
from .turns import Turns
from .warming import Warming

log = logging.getLogger("fastcollect.warm")

MAX_MISSES = 50
FORK_TIMEOUT = 6.0
"""Seconds in which a checkpoint has to fork; longer than any caller waits."""
MAX_WAIT = 3.0
"""Seconds for which a run waits at most for a checkpoint that is being made."""

_run_ids = itertools.count(1)


def _too_light(checkpoint: Checkpoint) -> str | None:
    if checkpoint.saves_ms < policy.HAND_OVER_COST_MS:
        return f"cold is sooner (its imports take {checkpoint.saves_ms:.0f} ms)"
    return None


@dataclass
class Warm:
    """The warm processes of one project."""

    environ: dict[str, str]
    listeners: list[Callable[[], None]] = field(default_factory=list)
    """Called after every change of what `status` shows."""
    on_use: Callable[[RunRequest], None] = lambda _: None
    """Called with each run of a command that is, or natively would be, served."""
    pool: Pool = field(default_factory=Pool)
    last_run: LastRun | None = None
    runs: collections.Counter[str] = field(default_factory=collections.Counter)
    misses: collections.deque[Miss] = field(
        default_factory=lambda: collections.deque(maxlen=MAX_MISSES)
    )
    spare: bool = False
    """Whether each warm process serves one run and is replaced, instead of being forked."""
    tests: int = 0
    turns: Turns = field(default_factory=Turns)
    _forked: dict[str, asyncio.Event] = field(default_factory=dict)
    """Of runs that a checkpoint has been asked to fork: set when it has."""
    _tasks: set[asyncio.Future[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.warming = Warming(
            self.pool, self.environ, self._on_event, self._changed, spare=self.spare
        )
        self.sessions = Sessions(
            self.pool.sessions,
            self._session_parent,
            self._on_event,
            self._changed,
            self._is_busy,
        )

    def _is_busy(self) -> bool:
        return bool(self.turns.active) or not self.warming.idle.is_set()

    async def work(self) -> None:
        """Make what is wanted until cancelled."""
        await asyncio.gather(self.warming.work(), self.sessions.work())

    # ---------------------------------------------------------------- serving runs

    def decide(self, request: RunRequest, manner: Manner = ORDINARY) -> Decision:
        """The deepest checkpoint whose inputs are all proven unchanged now. Blocks meanwhile."""
        identity = self.warming.identity
        if self.pool.zygote is None or identity is None:
            return Decision(None, "the server is still starting", record=True)
        if identity != request.identity:
            what = policy.differing_option(identity, request.identity)
            return Decision(None, f"another interpreter than the warm one ({what})", record=True)
        misses: list[tuple[str, str]] = []
        too_light = False
        began = time.perf_counter()
        session, why = self.sessions.find(request) if manner.plain else (None, None)
        if session is not None:
            proof_ms = (time.perf_counter() - began) * 1000
            return Decision(session, session.name, record=False, proof_ms=proof_ms)
        if why is not None:
            misses.append(("collected", why))
        for checkpoint in self.pool.candidates(request.key):
            reason = self._doubt(checkpoint, request)
            if reason is None and not manner.native:
                reason = _too_light(checkpoint)
                too_light = too_light or reason is not None
            if reason is None:
                complete = checkpoint.name == "modules" and checkpoint.whole
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
        elif self.warming.building:
            reason = "warming"
        else:
            reason = self.warming.failure or "nothing is warm yet"
        return Decision(
            None,
            reason,
            record=not request.key.dynamic,
            misses=tuple(misses),
            too_light=too_light,
        )

    def _doubt(self, checkpoint: Checkpoint, request: RunRequest) -> str | None:
        if not checkpoint.alive or checkpoint.warmth is None:
            return "the process has ended"
        if reason := policy.mismatch(checkpoint.warmth, request, today()):
            return reason
        if changed := checkpoint.changed():
            return f"{changed[0]} changed"
        return None

    def _session_parent(self, request: RunRequest) -> Checkpoint | None:
        """What a session of this command is collected from. Blocks while that is proven."""
        if self.spare or self.warming.identity != request.identity:
            return None
        candidates = self.pool.candidates(request.key)
        return next((one for one in candidates if self._doubt(one, request) is None), None)

    def recall(self, native: NativeRequest) -> tuple[RunRequest, Decision | None] | None:
        """What a run of the native command is, and what it is served, where its session is there
        and proven; only what it is, where that is known of one that differs in its test alone.

        Blocks meanwhile.
        """
        known = self.sessions.recall(native)
        if known is None:
            return None
        request = dataclasses.replace(known, argv=native.argv, orig_argv=native.orig_argv)
        began = time.perf_counter()
        session = self.sessions.find(request)[0]
        if session is not None:
            proof_ms = (time.perf_counter() - began) * 1000
            return request, Decision(session, session.name, record=False, proof_ms=proof_ms)
        if known.argv != native.argv and self.sessions.find(known)[0] is not None:
            return request, None
        return None

    def _decide_again(self, request: RunRequest) -> Decision:
        """Of a run that `recall` has found a session for, and that had to wait. What it is was
        known with that session only: without it, the command asks again. Blocks meanwhile."""
        began = time.perf_counter()
        session, why = self.sessions.find(request)
        proof_ms = (time.perf_counter() - began) * 1000
        reason = session.name if session is not None else f"while it waited: {why or 'no session'}"
        return Decision(session, reason, record=False, proof_ms=proof_ms)

    async def serve(
        self,
        request: RunRequest,
        fds: list[int],
        tell: Callable[[str], Awaitable[None]],
        decided: Decision | None = None,
        manner: Manner = ORDINARY,
    ) -> dict[str, Any]:
        """Decide and, if warm, have the run forked. The answer for the caller.

        `tell` has the caller say why it has to wait; `decided`: a decision of this very moment.
        """
        self.warming.asked()
        run_id, channel = str(next(_run_ids)), -1
        has_to_wait = self.turns.full
        if not await self.turns.take(run_id, tell, manner.pid):
            going_on = f"{len(self.turns.active)} runs are going on"
            decision = Decision(None, going_on, record=False)
        else:
            try:
                if decided is not None and has_to_wait:  # that moment has passed
                    decided = await asyncio.to_thread(self._decide_again, request)
                decision = decided or await self._decide_or_wait(request, manner)
                if decision.checkpoint is not None:
                    self._forked[run_id] = asyncio.Event()
                    decision, channel = await self._send(run_id, request, fds, decision)
            except BaseException:
                self._end(run_id)
                raise
            if decision.checkpoint is None:
                self._end(run_id)
        self.warming.environ = request.env
        checkpoint = decision.checkpoint
        served = decision.served
        self._note(decision, served, manner.pid)
        if manner.plain:
            self.sessions.want(dataclasses.replace(request, run=""))
            if checkpoint is not None or decision.too_light:
                self.on_use(request)
        if served == "cold":
            return {"served": "cold", "reason": decision.reason, "record": decision.record}
        self.pool.use(request.key.selection)
        assert checkpoint is not None
        if checkpoint.spare:
            self._use_up(checkpoint, channel, run_id)
        else:
            self.pool.touch(checkpoint)
        self._spawn(self._see_forked(checkpoint, run_id))
        return {"served": served, "checkpoint": decision.reason}

    async def _send(
        self, run_id: str, request: RunRequest, fds: list[int], decision: Decision
    ) -> tuple[Decision, int]:
        """Have the run forked. What it is served, and for a spare a duplicate of its channel."""
        checkpoint = decision.checkpoint
        assert checkpoint is not None
        self.last_run = LastRun(
            decision.served, decision.reason, checkpoint.name, proof_ms=decision.proof_ms
        )
        channel = -1
        try:
            channel = os.dup(fds[3]) if checkpoint.spare else -1
            await send_run(checkpoint, run_id, request, fds, decision.record)
        except BaseException as error:
            if channel >= 0:
                os.close(channel)
            if not isinstance(error, OSError):
                raise
            lost = f"the checkpoint {checkpoint.name} is gone ({error.strerror})"
            return dataclasses.replace(decision, checkpoint=None, reason=lost), -1
        return decision, channel

    async def _decide_or_wait(self, request: RunRequest, manner: Manner) -> Decision:
        """What there is, or what there will be in a moment where that is sooner."""
        decision = await asyncio.to_thread(self.decide, request, manner)
        saves_ms = decision.checkpoint.saves_ms if decision.checkpoint is not None else 0.0
        left_ms = self.warming.worth_waiting(request, saves_ms)
        if left_ms is None:
            return decision
        log.info(
            "run queued for pid %d: up to %.0f ms, for %s",
            manner.pid,
            left_ms,
            self.warming.building,
        )
        await self.warming.wait(min(1.25 * left_ms / 1000, MAX_WAIT))
        return await asyncio.to_thread(self.decide, request, manner)

    def _use_up(self, spare: Checkpoint, channel: int, run_id: str) -> None:
        """A spare has become a run: see it to its end, and have another one made."""
        began = time.perf_counter()
        self.pool.points.remove(spare)
        if spare.record is not None:
            self.warming.want(spare.record, seen=False)

        async def see_to_its_end() -> None:
            status = await await_spare(spare, channel)
            wall_ms = (time.perf_counter() - began) * 1000
            self._on_event({"event": "ended", "id": run_id, "status": status, "wall_ms": wall_ms})

        self._spawn(see_to_its_end())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, run_id: str) -> None:
        if (forked := self._forked.pop(run_id, None)) is not None:
            forked.set()  # or never will be: nobody has to wait for it any more
        self.turns.end(run_id)
        self.sessions.look()

    async def _see_forked(self, checkpoint: Checkpoint, run_id: str) -> None:
        """Give up a checkpoint that does not fork, as one that was stopped: the caller has gone on
        without it by then, but its descriptors would lie there for ever."""
        forked = asyncio.ensure_future(self._forked[run_id].wait())
        closed = asyncio.ensure_future(checkpoint.link.closed.wait())
        await asyncio.wait(
            {forked, closed}, timeout=FORK_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        if not forked.done() and not closed.done():
            log.warning("checkpoint %s does not answer: killed", checkpoint.name)
            checkpoint.kill()
            self.pool.remove([checkpoint])
            if checkpoint.record is not None:
                self.warming.want(checkpoint.record, seen=False)
        if not forked.done():
            self._end(run_id)
        forked.cancel()
        closed.cancel()

    def _watch_end(self, run_id: str, pid: int) -> None:
        """See a run end even if its checkpoint is given up before and cannot tell."""
        try:
            fd = os.pidfd_open(pid)
        except (AttributeError, OSError):
            return  # it has ended; or its checkpoint will tell
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(fd)
            os.close(fd)
            loop.call_later(1.0, self._end, run_id)  # its checkpoint may have more to tell

        loop.add_reader(fd, ended)

    def _note(self, decision: Decision, served: str, pid: int) -> None:
        self.runs[served] += 1
        if served == "cold":
            self.last_run = LastRun("cold", decision.reason, proof_ms=decision.proof_ms)
        what = served if served == "cold" else f"{served} ({decision.reason})"
        for name, reason in decision.misses:
            self.misses.append(Miss(time.strftime("%H:%M:%S"), name, reason, what))
        log.info(
            "run %s for pid %d: %s, proof %.1f ms%s",
            served,
            pid,
            decision.reason,
            decision.proof_ms,
            "".join(f"; not {name}: {reason}" for name, reason in decision.misses),
        )
        self._changed()

    def _on_event(self, message: dict[str, Any]) -> None:
        event, run_id = message.get("event"), str(message.get("id"))
        if event == "forked":
            if run_id in self._forked:
                self._forked[run_id].set()
                self._watch_end(run_id, int(message["pid"]))
            if self.last_run is not None:
                fork_ms = float(message["fork_ms"])
                self.last_run = dataclasses.replace(self.last_run, fork_ms=fork_ms)
        elif event == "unforked":
            self._end(run_id)
            self.last_run = LastRun("cold", str(message["reason"]))
            log.warning("run not begun, it is cold: %s", message["reason"])
            self._changed()
        elif event == "ended":
            self._end(run_id)
            status = int(message["status"])
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if self.last_run is not None and self.last_run.served != "cold":
                self.last_run = dataclasses.replace(
                    self.last_run, wall_ms=float(message["wall_ms"]), exit=code
                )
            log.info("run ended: exit %d after %.0f ms", code, float(message["wall_ms"]))
            self._changed()

    def _changed(self) -> None:
        self.sessions.look()
        for listener in list(self.listeners):
            listener()

    # ---------------------------------------------------------------- warming

    def want(self, record: Record) -> None:
        """Have the selection of a run warm soon, by the record that the run has left."""
        self.tests = max(record.tests, self.tests if record.key.dynamic else 0)
        if not record.key.dynamic:
            self.warming.want(record)

    async def end(self) -> None:
        """End every warm process; runs in progress go on to their end."""
        await self.pool.end(running=bool(self.turns.active))

    # ---------------------------------------------------------------- status

    @property
    def state(self) -> str:
        """starting | warming | warm | degraded"""
        if self.warming.building:
            return "warming" if self.pool.zygote is not None else "starting"
        if any(point.alive for point in self.pool.points):
            return "warm"
        if self.warming.failure:
            return "degraded"
        return "starting"
