"""Runs as editors see them, whoever began them: the terminal, an editor, or a change of a file."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import client, coverage, protocol, reports
from .cli import pytest_command
from .editor import wire
from .editor.outcomes import Result
from .findings import Findings
from .launch import INTERRUPT_TIMEOUT, Launched
from .rendezvous import Place
from .run import Listener, Progress, Refused, Run, Wanted

if TYPE_CHECKING:
    from .tree import ProjectTree

log = logging.getLogger("fastcollect.runs")

BATCH_S = 0.03
"""Seconds for which events are gathered before they are sent."""
EARLY, EARLY_S = 20, 0.005
"""The same for the first messages of a run: a person waits for them."""
BUSY_S = 0.002
"""Seconds for which reports are taken in before others have their turn."""
REPORT_TIMEOUT = 10.0
"""Seconds for which the end of a run waits for the rest of its reports."""
DECIDED_TIMEOUT = 5.0
"""Seconds for which the answer to `runTests` waits to know how the run is served."""

MOST_MEASUREMENTS = 4
"""Runs whose coverage is kept: an editor asks for details when a person looks at a file."""

_numbers = itertools.count(1)


class Runs:
    """All runs of one project that anybody looks at, and what became of its tests last."""

    def __init__(self, place: Place, tree: ProjectTree) -> None:
        self.place = place
        self.tree = tree
        self._findings = Findings(tree)
        self.listeners: list[Listener] = []
        self.going: dict[str, Run] = {}
        self.latest: dict[wire.NodeId, Result] = {}
        """What became of each test when it was run last."""
        self.last: Run | None = None
        self._measurements: deque[Run] = deque(maxlen=MOST_MEASUREMENTS)
        self._tasks: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------- beginning

    def expect(self) -> str:
        """The id of a run that a terminal is about to begin; empty where nobody looks on."""
        return f"terminal-{os.getpid()}-{next(_numbers)}" if self.listeners else ""

    def begin(
        self,
        wanted: Wanted,
        command: Sequence[str],
        *,
        origin: str = "editor",
        hidden: bool = False,
    ) -> Run:
        """Start a run. Raises Refused."""
        if wanted.id in self.going:
            raise Refused(f"a run {wanted.id!r} is going on already")
        args = [*wanted.args, *(wanted.include or ())]
        run = Run(wanted.id, wanted.kind, origin, args, wanted.exclude, hidden)
        loop = asyncio.get_running_loop()
        run.served, run.debug = loop.create_future(), loop.create_future()
        run.environ = {**wanted.environ, client.RUN_VARIABLE: wanted.id}
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        run.began_ns = time.time_ns()
        try:
            run.process = Launched(
                [*self._measured(run, command), *args],
                self.place.root,
                run.environ,
                lambda data: self._add(run, wire.Output(decode(data))),
            )
        except OSError as error:
            raise Refused(f"{command[0]} cannot be started ({error.strerror})") from None
        self._start(run)
        self._spawn(self._see_to_its_end(run, run.process))
        return run

    def _measured(self, run: Run, command: Sequence[str]) -> Sequence[str]:
        """The command, measured where that is wanted. Raises Refused."""
        if run.kind != "coverage":
            return command
        try:
            run.data = coverage.new_data_file()
            return coverage.command(pytest_command(), run.data)
        except coverage.Missing as missing:
            raise Refused(str(missing)) from None

    async def coverage_of(self, run_id: str) -> coverage.Measured:
        """What a run has measured, once it has ended. Raises Refused."""
        run = self.going.get(run_id)
        if run is not None:
            await run.ended.wait()
        run = run or next((run for run in self._measurements if run.id == run_id), None)
        if run is None or run.measured is None:
            why = run.trouble if run is not None else None
            raise Refused(why or f"there is no coverage of a run {run_id!r}")
        return run.measured

    def is_plain(self, run_id: str) -> bool:
        """Whether a run is, up to its first test, what its command is where nobody looks on: it may
        go on with a session that was collected for that command."""
        run = self.going.get(run_id)
        return run is None or (run.kind == "run" and not run.exclude and not run.hidden)

    async def served(self, run: Run) -> str:
        """How a run is served, as soon as that is known."""
        assert run.served is not None
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(run.served), DECIDED_TIMEOUT)
        return run.served.result() if run.served.done() else "cold"

    async def debugger(self, run: Run) -> wire.DebugAddress:
        """Where the debugger of a run listens. Raises Refused where there will be none."""
        assert run.debug is not None
        try:
            return await run.debug
        except asyncio.CancelledError:
            raise Refused(run.trouble or "the run ended before a debugger listened") from None

    async def none_watched(self) -> None:
        """Wait until no run is going on that anybody waits for."""
        while watched := [run for run in self.going.values() if not run.hidden]:
            await watched[0].ended.wait()

    def decided(self, run_id: str, served: str) -> None:
        """The server has decided how a run is served."""
        if run := self.going.get(run_id):
            run.decide(served)

    def cancel(self, run_id: str) -> bool:
        """Interrupt a run; kill it if that does not end it. Whether there was one to cancel."""
        run = self.going.get(run_id)
        if run is None or run.process is None:
            return False
        run.process.interrupt()
        self._spawn(self._kill_later(run, run.process))
        return True

    async def _kill_later(self, run: Run, process: Launched) -> None:
        deadline = time.monotonic() + INTERRUPT_TIMEOUT
        while run.id in self.going and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        if run.id in self.going:
            log.info("run %s does not end: killed", run.id)
            run.trouble = f"killed: it did not end within {INTERRUPT_TIMEOUT:.0f} s"
            await asyncio.to_thread(process.kill, run.child)

    async def _see_to_its_end(self, run: Run, process: Launched) -> None:
        code = await process.wait()
        run.decide("cold")
        if run.connected:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(run.quiet.wait(), REPORT_TIMEOUT)
        elif run.trouble is None and code not in (2, -2):
            run.trouble = "pytest ran without the plugin fastcollect: see the run's output"
        if run.data is not None:
            await self._read_coverage(run, run.data)
        self._end(run, code)

    async def _read_coverage(self, run: Run, data: Path) -> None:
        try:
            environ = {n: v for n, v in run.environ.items() if n != client.RUN_VARIABLE}
            run.measured = await asyncio.to_thread(coverage.read, data, self.place.root, environ)
        except coverage.Missing as missing:
            run.trouble = run.trouble or str(missing)
        self._measurements.append(run)

    # ---------------------------------------------------------------- reports

    async def follow(
        self,
        hello: protocol.Hello,
        next_frame: Callable[[], Awaitable[dict[str, Any] | None]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """The connection of a run that reports, until it ends. Raises OSError, ProtocolError."""
        message = await asyncio.wait_for(next_frame(), protocol.HANDSHAKE_TIMEOUT)
        began = reports.parse(message) if message is not None else None
        if not isinstance(began, reports.Begun):
            raise protocol.ProtocolError("a report has to begin with `Begun`")
        run = self._joined(hello, began)
        if run is None:
            await send(reports.to_orders(reports.Orders()))
            return
        await send(reports.to_orders(reports.Orders(True, run.kind, list(run.exclude))))
        try:
            resumed = time.monotonic()
            while (message := await next_frame()) is not None:
                self._take(run, reports.parse(message))
                # Reading what has come already does not yield: a run that tells much would keep
                # every editor waiting.
                if time.monotonic() - resumed > BUSY_S:
                    await asyncio.sleep(0)
                    resumed = time.monotonic()
        finally:
            run.quiet.set()
            if run.process is None:
                run.trouble = None if run.exit is not None else "the run ended without a word"
                self._end(run, -1 if run.exit is None else run.exit)

    def _joined(self, hello: protocol.Hello, began: reports.Begun) -> Run | None:
        """The run that reports: one of ours, or a terminal's that somebody wants to see."""
        run = self.going.get(hello.run)
        if run is None:
            if not self.listeners:
                return None
            run = Run(hello.run or self.expect(), "run", "terminal", began.args)
            run.began_ns = began.began_ns
            self._start(run)
        if run.process is not None and run.process.pid != hello.pid:
            run.child = hello.pid
        run.connected = True
        if began.cold is not None:
            run.decide("cold")
        return run

    def _take(self, run: Run, report: reports.Report) -> None:
        if isinstance(report, reports.FileCollected):
            self._findings.collected(run, report)
        elif isinstance(report, reports.Finished):
            run.exit = report.exit
        elif isinstance(report, reports.Debugging):
            if run.debug is not None and not run.debug.done():
                run.debug.set_result(wire.DebugAddress(report.host, report.port))
        else:
            if isinstance(report, reports.Trouble):
                run.trouble = report.text
            if isinstance(report, reports.CollectionFailed):
                self._findings.not_collected(run, report)
            for event in run.outcomes.events(report):
                self._add(run, event)
                nodeid = getattr(event, "id", None)
                if nodeid in run.outcomes.results:
                    self.latest[nodeid] = run.outcomes.results[nodeid]

    # ---------------------------------------------------------------- events

    def _start(self, run: Run) -> None:
        self.going[run.id] = run
        if not run.hidden:
            self.last = run
            for listener in tuple(self.listeners):
                listener.started(run)

    def _add(self, run: Run, event: wire.RunEvent) -> None:
        if run.hidden:
            return
        if not run.pending:
            wait = BATCH_S if run.seq >= EARLY else EARLY_S
            asyncio.get_running_loop().call_later(wait, self._flush, run)
        run.pending.append(event)

    def _flush(self, run: Run) -> None:
        if not run.pending:
            return
        self.tree.show_gathered()  # first the tests, then what became of them
        events, run.pending = run.pending, []
        progress = Progress(wire.RunProgress(run.id, run.seq, events))
        run.seq += 1
        for listener in tuple(self.listeners):
            listener.progress(run, progress)

    def _end(self, run: Run, code: int) -> None:
        if self.going.pop(run.id, None) is None:
            return
        self.tree.show_gathered()
        if run.debug is not None and not run.debug.done():
            run.debug.cancel()
        self._add(run, wire.Ended(code, run.trouble))
        self._flush(run)
        run.ended.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """The server ends: runs that it has begun end with it."""
        for run in tuple(self.going.values()):
            if run.process is not None:
                await asyncio.to_thread(run.process.kill, run.child)
