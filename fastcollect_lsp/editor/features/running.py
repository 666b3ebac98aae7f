"""Runs: begun and cancelled by an editor, and seen by all of them, whoever began them."""

from __future__ import annotations

from collections.abc import Sequence

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from fastcollect_lsp.cli import pytest_command, run_command
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams, params_of
from fastcollect_lsp.run import Listener, Progress, Refused, Run, Wanted

RUN_TESTS = "fastcollect/runTests"
CANCEL_RUN = "fastcollect/cancelRun"
RESOLVE_RUN = "fastcollect/resolveRun"
RUN_STARTED = "fastcollect/runStarted"
RUN_PROGRESS = "fastcollect/runProgress"


class RunFailed(JsonRpcException):
    """A run cannot be begun (LSP 3.17, RequestFailed)."""

    CODE = -32803


class Running(Listener):
    """What one client is told of runs, and which of them are its own."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._own: set[str] = set()

    def begin(self) -> None:
        """The client is ready."""
        runs = self._peer.host.runs
        runs.listeners.append(self)
        self._peer.at_end(self._end)
        if not self._peer.static_only:
            self._peer.host.following.begin(self._peer.host.environ)

    def _end(self) -> None:
        """The editor is gone, and its runs with it, as a closing terminal takes its own."""
        runs = self._peer.host.runs
        runs.listeners.remove(self)
        for run_id in self._own:
            self.cancel(run_id)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run, and what it has begun by itself. Whether there was one."""
        host = self._peer.host
        continuous = host.following.forget(run_id)
        cancelled = host.runs.cancel(run_id)
        for rerun in host.following.generation(run_id):
            cancelled |= host.runs.cancel(rerun)
        return cancelled or continuous

    def started(self, run: Run) -> None:
        """A run has begun."""
        self._push(RUN_STARTED, wire.RunStarted(run.id, run.kind, run.origin, run.args))  # type: ignore[arg-type]

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in it."""
        self._push(RUN_PROGRESS, progress.json)

    def _push(self, method: str, params: object) -> None:
        if self._peer.announced:
            self._peer.protocol.notify_plain(method, params)

    async def run(self, params: wire.RunTestsParams) -> wire.RunTestsResult:
        """Begin a run."""
        self._refuse_if_static()
        include = None if params.include is None else known(self._peer, params.include)
        exclude = known(self._peer, params.exclude or ())
        host = self._peer.host
        wanted = Wanted(
            params.runId, params.kind, include, exclude, params.args or (), host.environ
        )
        self._own.add(params.runId)
        try:
            run = host.runs.begin(wanted, run_command())
        except Refused as refused:
            raise RunFailed(str(refused)) from None
        if params.continuous:
            host.following.keep_running(wanted)
        debug = await self._listening(run) if params.kind == "debug" else None
        served = await host.runs.served(run)
        return wire.RunTestsResult("all" if include is None else include, served, debug)  # type: ignore[arg-type]

    async def resolve(self, params: wire.ResolveRunParams) -> wire.ResolveRunResult:
        """What to start, where the client starts things itself."""
        include = known(self._peer, params.include)
        program, *args = [*pytest_command(), *include]
        host = self._peer.host
        self._refuse_if_static()
        debug = await self._begin_debugging(include) if params.kind == "debug" else None
        return wire.ResolveRunResult(program, args, host.root, dict(host.environ), debug)

    async def _begin_debugging(self, include: Sequence[str]) -> wire.DebugAddress:
        """Begin a run that waits for a debugger."""
        host = self._peer.host
        run_id = f"debug-{id(self)}-{len(self._own)}"
        self._own.add(run_id)
        wanted = Wanted(run_id, "debug", include, (), (), host.environ)
        try:
            return await self._listening(host.runs.begin(wanted, run_command()))
        except Refused as refused:
            raise RunFailed(str(refused)) from None

    async def _listening(self, run: Run) -> wire.DebugAddress:
        """Where the debugger of a run listens."""
        try:
            return await self._peer.host.runs.debugger(run)
        except Refused as refused:
            raise RunFailed(str(refused)) from None

    def _refuse_if_static(self) -> None:
        refuse_if_static(self._peer)


def refuse_if_static(peer: EditorPeer) -> None:
    """Raises RunFailed where nothing may be imported."""
    if peer.static_only:
        raise RunFailed("static only: nothing of this project is imported or run")


def known(peer: EditorPeer, ids: Sequence[str]) -> list[str]:
    """Node ids as pytest takes them for arguments. Raises JsonRpcInvalidParams for no such ids."""
    for nodeid in ids:
        if not nodeid or nodeid.startswith("-") or "\0" in nodeid:
            raise JsonRpcInvalidParams(f"not a node id: {nodeid!r}")
    return list(ids)


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    running = Running(peer)
    peer.at_beginning(running.begin)

    @server.feature(RUN_TESTS)
    async def run_tests(params: PlainParams) -> wire.RunTestsResult:
        return await running.run(params_of(wire.RunTestsParams, params))

    @server.feature(CANCEL_RUN)
    def cancel_run(params: PlainParams) -> bool:
        return running.cancel(params_of(wire.CancelRunParams, params).runId)

    @server.feature(RESOLVE_RUN)
    async def resolve_run(params: PlainParams) -> wire.ResolveRunResult:
        return await running.resolve(params_of(wire.ResolveRunParams, params))
