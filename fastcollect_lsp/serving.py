"""What a server does for those who connect to it, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from . import __version__, client, natively, protocol, rendezvous
from .decision import Decision, Manner
from .freshness import Freshness
from .ground import Ground
from .link import next_frame
from .protocol import Hello, NativeRequest, RunRequest
from .records import read_records
from .rendezvous import Place
from .status import Status, to_json
from .studying import Studying
from .turns import Turns, max_runs
from .warm import Warm

if TYPE_CHECKING:
    from ._core import Scan
    from .following import Following
    from .runs import Runs
    from .tree import ProjectTree

log = logging.getLogger("fastcollect.server")

DEFAULT_IDLE_TIMEOUT = 30 * 60.0
"""Seconds without a run, an editor or a question after which the server ends."""
END_TIMEOUT = 10.0
"""Seconds after which a server that was told to stop is gone, whatever holds it up."""
QUIET_TIMEOUT = 3.0
"""Seconds for a run that has just told its caller its status to be gone."""
GROUND_INTERVAL = 5.0
"""Seconds between looks at whether the project and the installation are still there."""
ACCEPT_PAUSE = 0.2
"""Seconds until the next try where a connection could not be accepted."""


class Server:
    """Everything one project's server does, on one event loop."""

    def __init__(self, place: Place) -> None:
        self.place = place
        spare = os.environ.get("FASTCOLLECT_START_METHOD") == "spare"
        environ = dict(os.environ)
        self.warm = Warm(
            environ,
            on_use=self._note_command,
            spare=spare,
            turns=Turns(max_runs(environ)),
        )
        self.clients = 0
        self._began = time.monotonic()
        self._used = time.monotonic()
        self._idle_timeout = DEFAULT_IDLE_TIMEOUT
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tree: ProjectTree | None = None
        self._runs: Runs | None = None
        self._following: Following | None = None
        self._farewells: list[socket.socket] = []
        self._ground = Ground.of(place)
        self._studying = Studying(place)
        self._records_ns = 0
        """When something was last put in the directory of records, or taken out."""

    def _note_command(self, request: RunRequest) -> None:
        """Have the next command of this kind come here without asking pytest for its root."""
        try:
            rendezvous.note_command(self.place, request.argv, request.cwd)
        except OSError as error:
            log.info("a command was not noted: %s", error)

    async def run(self, listener: socket.socket) -> None:
        """Serve until stopped or idle for too long."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stopping.set)
        listener.setblocking(False)
        self.freshness = Freshness(self.place.root, self.warm)
        for work in (
            self.warm.work(),
            self.freshness.work(),
            self._accept(listener),
            self._watch_idle(),
            self._watch_ground(),
            self._studying.work(),
        ):
            self._spawn(work).add_done_callback(self._lost)
        self.read_records()
        self._studying.begin()
        await self._stopping.wait()
        await self._end()

    async def _end(self) -> None:
        """End what is going on, then the warm processes, so that no new ones come; in any case end.

        Up to Python 3.11 a task can miss its cancellation (`asyncio.wait_for`, when what it waits
        for completes at that moment): it is told again.
        """
        last_resort = threading.Timer(END_TIMEOUT, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.1)
        if self._following is not None:
            self._following.end()
        if self._runs is not None:
            await self._runs.end()
        await self.freshness.close()
        await self.warm.end()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the server failed", exc_info=error)

    def _lost(self, task: asyncio.Task[None]) -> None:
        """Without one of its lasting tasks it is of no use: the next run starts another server."""
        if not task.cancelled():
            log.error("stopping: a part of the server has ended")
            self._stopping.set()

    async def _watch_ground(self) -> None:
        """Stop when what this server stands on is gone: nobody would ever find it again."""
        while (gone := await asyncio.to_thread(self._ground.gone)) is None:
            self._look_for_records()
            await asyncio.sleep(GROUND_INTERVAL)
        log.info("stopping: %s", gone)
        self._stopping.set()

    async def _watch_idle(self) -> None:
        while True:
            left = self._used + self._idle_timeout - time.monotonic()
            if left <= 0 and not self.clients and not self.warm.turns.active:
                log.info("idle for %.0f s: stopping", self._idle_timeout)
                self._stopping.set()
            await asyncio.sleep(min(max(left, 1.0), 60.0))

    # ---------------------------------------------------------------- connections

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:  # no descriptor is left, or no memory: it may be soon
                log.warning("a client was not let in: %s", error)
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            self._spawn(self._serve(sock))

    async def _serve(self, sock: socket.socket) -> None:
        self._used = time.monotonic()
        reader = protocol.FrameReader()
        self.clients += 1
        try:
            with sock:
                rendezvous.check_peer(sock)
                sock.setblocking(False)
                message = await asyncio.wait_for(
                    next_frame(sock, reader), protocol.HANDSHAKE_TIMEOUT
                )
                if message is not None:
                    await self._answer(protocol.parse_hello(message), sock, reader)
        except rendezvous.Unsafe as error:
            log.warning("refused: %s", error)
        except asyncio.TimeoutError:
            log.info("a client said nothing for %.0f s", protocol.HANDSHAKE_TIMEOUT)
        except (OSError, protocol.ProtocolError) as error:
            log.info("a client was dropped: %s", error)
        except (ValueError, OverflowError) as error:
            # Of the right types, and still nothing that a caller of ours would send.
            log.warning("a client was dropped: %r", error)
        finally:
            self.clients -= 1
            self._used = time.monotonic()
            for fd in reader.take_fds():
                os.close(fd)

    async def _answer(
        self, hello: Hello, sock: socket.socket, reader: protocol.FrameReader
    ) -> None:
        if hello.version != __version__ and hello.kind != "stop":
            # The newer installation wins: this server was started by one that is gone.
            await self._step_aside(sock, hello, f"the server was v{__version__}")
            return
        if hello.kind != "stop" and (gone := await asyncio.to_thread(self._ground.gone)):
            await self._step_aside(sock, hello, gone)
            return
        if hello.kind in ("run", "native", "recall"):
            await self._run(sock, reader, hello)
        elif hello.kind == "report":
            await self._report(hello, sock, reader)
        elif hello.kind == "status":
            await _send(sock, to_json(self.status()))
        elif hello.kind == "recorded":
            self.read_records()
            self._studying.begin()
            await _send(sock, {})
        elif hello.kind == "warm":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._warmed(), hello.patience_s)
            await _send(sock, to_json(self.status()))
        elif hello.kind == "editor":
            await self._edit(hello, sock, reader.rest)
        elif hello.kind == "stop":
            log.info("told to stop by pid %d", hello.pid)
            self._farewells.append(sock.dup())  # closes when this process ends: that is the answer
            self._stopping.set()
        else:
            raise protocol.ProtocolError(f"unknown kind {hello.kind!r}")

    async def _step_aside(self, sock: socket.socket, hello: Hello, reason: str) -> None:
        """Make room for another server, which whoever comes next will start."""
        if hello.kind in ("run", "native"):
            log.info("run cold for pid %d: %s", hello.pid, reason)
        log.info("stopping: %s", reason)
        self._stopping.set()
        await _send(sock, {"served": "cold", "reason": reason})

    async def _warmed(self) -> None:
        """Wait until all is warm, of the files as they are now."""
        self._look_for_records()
        await self._studying.idle.wait()
        self.warm.warming.asked()
        await self.warm.warming.idle.wait()
        await self.freshness.look()
        await self.warm.warming.idle.wait()
        sessions = self.warm.sessions.idle
        while not sessions.is_set() and await self.warm.turns.quiet(QUIET_TIMEOUT):
            # A run that begins meanwhile, an editor's say, has them wait: at a breakpoint, long.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(sessions.wait(), QUIET_TIMEOUT)

    async def _run(self, sock: socket.socket, reader: protocol.FrameReader, hello: Hello) -> None:
        message = await asyncio.wait_for(next_frame(sock, reader), protocol.HANDSHAKE_TIMEOUT)
        fds = reader.take_fds()
        try:
            if message is None:
                return
            if len(fds) != protocol.RUN_FDS:
                raise protocol.ProtocolError(f"{len(fds)} descriptors came with a run")
            decided = None
            if hello.kind != "run":
                native = protocol.parse_native_request(message)
                run_id = native.env.pop(client.RUN_VARIABLE, "")
                request, decided = await self._described(native, hello.kind == "recall")
                request = dataclasses.replace(request, run=run_id)
            else:
                request = protocol.parse_run_request(message)
            if self._runs is not None:
                request = dataclasses.replace(request, run=request.run or self._runs.expect())
            plain = self._is_plain(request)
            manner = Manner(plain, native=hello.kind == "native", pid=hello.pid)

            async def tell(text: str) -> None:
                await _send(sock, {"waiting": text})

            answer = await self.warm.serve(
                request, fds, tell, decided if manner.plain else None, manner
            )
        except natively.Undescribed as undescribed:
            # No decision yet: the same process asks again as pytest, which knows what it is to run.
            log.info("left to pytest, pid %d: %s", hello.pid, undescribed)
            await _send(sock, {"served": "cold", "reason": str(undescribed)})
            return
        finally:
            for fd in fds:
                os.close(fd)
        if self._runs is not None:
            self._runs.decided(request.run, answer["served"])
        await _send(sock, {**answer, "run": request.run} if request.run else answer)

    def _is_plain(self, request: RunRequest) -> bool:
        return self._runs is None or self._runs.is_plain(request.run)

    async def _described(
        self, native: NativeRequest, only_known: bool
    ) -> tuple[RunRequest, Decision | None]:
        """Raises Undescribed."""
        recalled = await asyncio.to_thread(self.warm.recall, native)
        if recalled is not None and (recalled[1] is not None or not only_known):
            return recalled
        if only_known:
            raise natively.Undescribed("not known")
        return await natively.describe(self.warm, native, self.place.root), None

    async def _report(
        self, hello: Hello, sock: socket.socket, reader: protocol.FrameReader
    ) -> None:
        """A run tells what happens in it, where an editor looks on."""
        reports = protocol.FrameReader(protocol.MAX_CONTROL_FRAME, 0, reader.rest)
        if self._runs is None:
            await _send(sock, {"wanted": False})
            return
        self.clients -= 1  # a run, not a client that would keep the server from ending
        try:
            await self._runs.follow(
                hello, lambda: next_frame(sock, reports), lambda message: _send(sock, message)
            )
        finally:
            self.clients += 1

    async def _edit(self, hello: Hello, sock: socket.socket, rest: bytes) -> None:
        """An editor's connection, until it ends. LSP is imported now: that takes its time, which
        runs that come meanwhile need not wait for.

        `rest`: what the editor has sent already, right behind its hello.
        """
        if self._tree is None:
            scan = await asyncio.to_thread(_prepare_for_editors, self.place.root)
            if self._tree is None:  # no other editor was sooner
                self._begin_tree(scan)
        from .editor.attached import Editor
        from .editor.connection import serve_connection

        editor = Editor(self, hello)
        try:
            await serve_connection(sock, editor, rest)
        finally:
            editor.close()

    # ---------------------------------------------------------------- state

    @property
    def tree(self) -> ProjectTree:
        """The project's tests, as editors see them; there since the first editor came."""
        assert self._tree is not None
        return self._tree

    def _begin_tree(self, scan: Scan) -> None:
        from .tree import ProjectTree

        self._tree = ProjectTree(scan, self.place.root)
        self.freshness.follow(self._tree)

    @property
    def runs(self) -> Runs:
        """The runs that editors see."""
        if self._runs is None:
            from .runs import Runs

            self._runs = Runs(self.place, self.tree)
        return self._runs

    @property
    def following(self) -> Following:
        """What happens by itself while an editor looks on."""
        if self._following is None:
            from .cli import pytest_command
            from .following import Following

            self._following = Following(self.runs, self.tree, self.warm, pytest_command())
        return self._following

    def _look_for_records(self) -> None:
        """Those of runs that have started a server, and so tell none."""
        with contextlib.suppress(OSError):
            changed_ns = os.stat(self.place.records).st_mtime_ns
            if changed_ns != self._records_ns:
                self.read_records()
                self._records_ns = changed_ns

    def read_records(self) -> None:
        """Take in what cold runs have left. Raises OSError."""
        for record in read_records(self.place.records):
            self._idle_timeout = max(record.idle_timeout_min * 60.0, 1.0)
            self.warm.want(record)

    def status(self) -> Status:
        """What `fastcollect status` shows."""
        warm = self.warm
        return Status(
            state=warm.state,
            root=self.place.root,
            interpreter=self.place.interpreter,
            version=__version__,
            pid=os.getpid(),
            uptime_s=round(time.monotonic() - self._began, 3),
            idle_timeout_s=self._idle_timeout,
            rss_bytes=_rss(),
            tests=warm.tests or (self._tree.counts[1] if self._tree is not None else 0),
            detail=warm.warming.building or warm.warming.failure or "",
            checkpoints=warm.pool.statuses(),
            last_run=warm.last_run,
            runs=dict(warm.runs),
            clients=self.clients - 1,
            why=list(warm.misses),
            warmups=list(warm.warming.history),
            log=str(self.place.log),
            watch=self.freshness.status,
        )


def _prepare_for_editors(root: str) -> Scan:
    """All that takes its time before the first editor can be served."""
    from .editor import attached, connection  # noqa: F401  # LSP: 0.3 s
    from .static import project_scan

    scan = project_scan(root)
    # LSP's types alone are a hundred thousand objects: going through them again and again would be
    # what editors wait for longest.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return scan


async def _send(sock: socket.socket, message: dict[str, Any]) -> None:
    data = protocol.encode(message, protocol.MAX_CONTROL_FRAME)
    await asyncio.wait_for(
        asyncio.get_running_loop().sock_sendall(sock, data), protocol.HANDSHAKE_TIMEOUT
    )


def _rss() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def serve(place: Place, listener: socket.socket) -> None:
    """Serve those who connect to `listener`, until stopped or idle for too long."""

    async def main() -> None:
        await Server(place).run(listener)

    asyncio.run(main())
