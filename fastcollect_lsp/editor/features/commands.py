"""`workspace/executeCommand`: what people can do with tests in any editor."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from fastcollect_lsp.cli import run_command
from fastcollect_lsp.editor import command_names as commands
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.asking import ask
from fastcollect_lsp.editor.features.running import RunFailed, refuse_if_static
from fastcollect_lsp.editor.output import Outputs
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.results import counted, file_of
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import PlainItem
from fastcollect_lsp.editor.uris import path_of
from fastcollect_lsp.run import Listener, Progress, Refused, Run, Wanted

_numbers = itertools.count(1)

Plain = dict[str, Any]


class Commands(Listener):
    """Runs that one client has begun by commands, and what it can ask about them."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._own: dict[str, dict[wire.NodeId, str]] = {}
        """States by test, of runs that are going on."""
        self._last: Run | None = None
        self._outputs = Outputs()
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def begin(self) -> None:
        """The client is ready."""
        self._peer.host.runs.listeners += [self._outputs, self]
        self._peer.at_end(self._end)

    def _end(self) -> None:
        """The editor is gone, and its runs with it."""
        runs = self._peer.host.runs
        runs.listeners.remove(self._outputs)
        runs.listeners.remove(self)
        for run_id in self._own.keys() & runs.going.keys():
            runs.cancel(run_id)
        if self._directory is not None:
            self._directory.cleanup()

    # ---- running ----

    async def run(self, ids: Sequence[str]) -> Plain:
        """Run these tests; all where there are none."""
        await self._check(ids)
        return self._start(list(ids) or None)

    async def run_last(self) -> Plain:
        """Run again what an editor has run last."""
        if self._last is None:
            raise RunFailed("nothing has been run in an editor yet")
        return self._start(None, self._last.args, self._last.exclude)

    async def run_failed(self) -> Plain | None:
        """Run again what failed when it was run last, whoever ran it."""
        await self._peer.tree.known()
        failed = [nodeid for nodeid in self._peer.results.failed() if exists(self._peer, nodeid)]
        if not failed:
            self._say("No test has failed.")
            return None
        return self._start(failed)

    async def debug(self, ids: Sequence[str]) -> Plain:
        """Begin a run that waits for a debugger; where that is."""
        await self._check(ids)
        run = self._begin(list(ids) or None, kind="debug")
        try:
            address = await self._peer.host.runs.debugger(run)
        except Refused as refused:
            raise RunFailed(str(refused)) from None
        if commands.DEBUG not in self._peer.can.commands:
            where = f"{address.host}:{address.port}"
            self._say(f"The tests wait for a debugger (Debug Adapter Protocol) at {where}.")
        return {"runId": run.id, "host": address.host, "port": address.port}

    def cancel(self, ids: Sequence[str]) -> bool:
        """Cancel these runs, all of editors where there are none."""
        runs, following = self._peer.host.runs, self._peer.host.following
        wanted = list(ids) or [run.id for run in runs.going.values() if not run.hidden]
        for run_id in wanted:
            continuous = following.forget(run_id)
            if not continuous and run_id not in runs.going:
                raise RunFailed(f"no such run is going on: {run_id}")
            wanted += following.generation(run_id)
        cancelled = [runs.cancel(run_id) for run_id in wanted]
        return any(cancelled)

    async def _check(self, ids: Sequence[str]) -> None:
        """Raises RunFailed for a test that is not there."""
        await self._peer.tree.known()
        await self._peer.buffers.settle()
        for nodeid in ids:
            if not exists(self._peer, nodeid):
                raise RunFailed(f"no such test in {self._peer.tree.root}: {nodeid}")

    def _start(
        self, include: list[str] | None, args: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> Plain:
        return {"runId": self._begin(include, args, exclude).id}

    def _begin(
        self,
        include: list[str] | None,
        args: Sequence[str] = (),
        exclude: Sequence[str] = (),
        kind: str = "run",
    ) -> Run:
        refuse_if_static(self._peer)
        host = self._peer.host
        run_id = f"command-{next(_numbers)}"
        wanted = Wanted(run_id, kind, include, exclude, args, host.environ)
        self._own[run_id] = {}
        try:
            return host.runs.begin(wanted, run_command())
        except Refused as refused:
            del self._own[run_id]
            raise RunFailed(str(refused)) from None

    def started(self, run: Run) -> None:
        """A run has begun."""
        if run.origin == "editor":
            self._last = run

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in it."""
        if (states := self._own.get(run.id)) is None:
            return
        for event in progress.events:
            if isinstance(event, (wire.Passed, wire.Failed, wire.Skipped)):
                nodeid, state = event.id, event.event
                states[nodeid] = state
            elif isinstance(event, wire.Ended):
                del self._own[run.id]
                # Who has asked for it is told; clients with progress show it there.
                if event.reason or not self._peer.can.progress:
                    what = counted(states.values()) or "no tests ran"
                    self._say(f"{what} ({event.reason})" if event.reason else what)

    # ---- output ----

    async def show_output(self, ids: Sequence[str]) -> Plain | None:
        """Show what tests, or the last run, have written; the document that holds it."""
        text = self._outputs.of_tests(ids, self._peer.results) if ids else self._outputs.of_run()
        if text is None:
            self._say(f"{ids[0]} has not been run." if ids else "Nothing has been run.")
            return None
        uri = await asyncio.to_thread(self._write, text)
        if self._peer.can.show_document:
            params = types.ShowDocumentParams(uri=uri, take_focus=False)
            shown, _ = await ask(self._peer.protocol, types.WINDOW_SHOW_DOCUMENT, params)
            if shown:
                return {"uri": uri}
        self._notify(types.WINDOW_LOG_MESSAGE, text)
        self._say(f"Output: {path_of(uri)}")
        return {"uri": uri}

    def _write(self, text: str) -> str:
        """Put a text into a file that nobody else can read, and that is gone with the editor."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(
                prefix="fastcollect-", ignore_cleanup_errors=True
            )
        path = Path(self._directory.name) / f"output-{next(_numbers)}.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        return path.as_uri()

    def _say(self, text: str) -> None:
        self._notify(types.WINDOW_SHOW_MESSAGE, text)

    def _notify(self, method: str, text: str) -> None:
        params = {"type": types.MessageType.Info.value, "message": text}
        self._peer.protocol.notify_plain(method, params)


def exists(peer: EditorPeer, nodeid: str) -> bool:
    """Whether there is such an item, as far as can be known before it is collected."""
    file = file_of(nodeid)
    path = Path(peer.tree.root, file)
    entry = peer.tree.snapshot.entries.get(str(path))
    if entry is None:
        return False
    items: dict[str, PlainItem] = {item["id"]: item for item in entry.plain()}
    while nodeid not in items:
        above, bracket, _ = nodeid.partition("[")
        nodeid = above if bracket else nodeid.rpartition("::")[0]
        if not nodeid:
            return False
        if nodeid in items:
            return bool(items[nodeid]["dynamic"])
    return True


def strings(command: str, arguments: Sequence[Any], most: int | None = None) -> list[str]:
    """A command's arguments. Raises JsonRpcInvalidParams where they are no such strings."""
    for argument in arguments:
        if not isinstance(argument, str) or not argument or "\0" in argument:
            raise JsonRpcInvalidParams(f"{command}: expected strings, not {argument!r}"[:200])
        if argument.startswith("-"):
            raise JsonRpcInvalidParams(f"{command}: not a node id: {argument!r}"[:200])
    if most is not None and len(arguments) > most:
        raise JsonRpcInvalidParams(f"{command}: at most {most} arguments, not {len(arguments)}")
    return list(arguments)


def file_argument(peer: EditorPeer, argument: str) -> str:
    """The node id of a file that is given as such, or by its URI. Raises JsonRpcInvalidParams."""
    path = path_of(argument)
    if path is None:
        return argument
    entry = peer.tree.snapshot.entries.get(path)
    if entry is None:
        raise RunFailed(f"no tests in {path}")
    return str(entry.plain()[0]["id"])


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    own = Commands(peer)
    peer.at_beginning(own.begin)

    @server.command(commands.RUN)
    async def run(*arguments: Any) -> Plain:
        return await own.run(strings(commands.RUN, arguments))

    @server.command(commands.RUN_FILE)
    async def run_file(*arguments: Any) -> Plain:
        (argument,) = strings(commands.RUN_FILE, arguments, 1) or [""]
        if not argument:
            raise JsonRpcInvalidParams(f"{commands.RUN_FILE}: which file?")
        await peer.tree.known()
        return await own.run([file_argument(peer, argument)])

    @server.command(commands.RUN_LAST)
    async def run_last(*arguments: Any) -> Plain:
        strings(commands.RUN_LAST, arguments, 0)
        return await own.run_last()

    @server.command(commands.RUN_FAILED)
    async def run_failed(*arguments: Any) -> Plain | None:
        strings(commands.RUN_FAILED, arguments, 0)
        return await own.run_failed()

    @server.command(commands.CANCEL)
    def cancel(*arguments: Any) -> bool:
        return own.cancel(strings(commands.CANCEL, arguments))

    @server.command(commands.SHOW_OUTPUT)
    async def show_output(*arguments: Any) -> Plain | None:
        return await own.show_output(strings(commands.SHOW_OUTPUT, arguments))

    @server.command(commands.DEBUG)
    async def debug(*arguments: Any) -> Plain:
        return await own.debug(strings(commands.DEBUG, arguments))
