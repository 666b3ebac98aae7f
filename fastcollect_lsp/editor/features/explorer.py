"""rust-analyzer's test explorer, for clients that know it (`experimental.testExplorer`).

https://github.com/rust-lang/rust-analyzer/blob/master/docs/book/src/contributing/lsp-extensions.md

That protocol knows one run at a time and no run ids: what it is told of is the run that its client
has begun, and only that.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fastcollect_lsp.cli import run_command
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.features.runnables import runnable
from fastcollect_lsp.editor.features.running import RunFailed, known, refuse_if_static
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams, params_of
from fastcollect_lsp.editor.snapshot import PlainItem, TreeChange
from fastcollect_lsp.run import Listener, Progress, Refused, Run, Wanted

DISCOVER_TEST = "experimental/discoverTest"
DISCOVERED_TESTS = "experimental/discoveredTests"
RUN_TEST = "experimental/runTest"
ABORT_RUN_TEST = "experimental/abortRunTest"
CHANGE_TEST_STATE = "experimental/changeTestState"
APPEND_OUTPUT = "experimental/appendOutputToRunTest"
END_RUN_TEST = "experimental/endRunTest"

KINDS = {"dir": "package", "package": "package", "file": "module", "class": "module"}
"""Of rust-analyzer's three kinds; all else is a `test`."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class DiscoverTestParams:
    """Asks for the children of an item, or for the items without a parent."""

    testId: wire.NodeId | None = None


@dataclass(frozen=True, slots=True)
class RunTestParams:
    """Starts a run."""

    include: Sequence[wire.NodeId] | None = None
    exclude: Sequence[wire.NodeId] | None = None


class Explorer(Listener):
    """What one client knows of the tree, and its run."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._run_id: str | None = None
        self._informed = False

    def begin(self) -> None:
        """The client is ready."""
        if not self._peer.can.test_explorer:
            return
        runs = self._peer.host.runs
        runs.listeners.append(self)
        self._peer.at_end(self._end)
        self._peer.at_end(self._peer.tree.listen(self._changed))

    def _end(self) -> None:
        """The editor is gone, and its run with it."""
        self._peer.host.runs.listeners.remove(self)
        self.abort()

    # ---- the tree ----

    async def discover(self, parent: wire.NodeId | None) -> PlainItem:
        """The children of an item, as one scope."""
        await self._peer.tree.known()
        await self._peer.buffers.settle()
        self._informed = True
        children = self._peer.tree.snapshot.children(parent, self._peer.tree.root)
        tests = [explorer_item(item, self._peer.host.root) for item in children]
        return {"tests": tests, "scope": [parent] if parent else None, "scopeFile": None}

    def _changed(self, change: TreeChange) -> None:
        """Files have other tests: each is a scope of its own, with all that is in it."""
        if not self._informed:
            return
        tests = [item for entry in change.replaced for item in entry.plain()]
        files = [*(entry.uri for entry in change.replaced), *change.removed]
        root = self._peer.host.root
        params = {
            "tests": [explorer_item(item, root) for item in tests],
            "scope": None,
            "scopeFile": [{"uri": uri} for uri in files],
        }
        self._peer.protocol.notify_plain(DISCOVERED_TESTS, params)

    # ---- its run ----

    def run(self, params: RunTestParams) -> None:
        """Begin a run. Raises RunFailed while one is going on: this protocol has one at a time."""
        refuse_if_static(self._peer)
        host = self._peer.host
        if self._run_id in host.runs.going:
            raise RunFailed("a run is going on already")
        include = None if params.include is None else known(self._peer, params.include)
        exclude = known(self._peer, params.exclude or ())
        self._run_id = f"explorer-{next(_numbers)}"
        wanted = Wanted(self._run_id, "run", include, exclude, (), host.environ)
        try:
            host.runs.begin(wanted, run_command())
        except Refused as refused:
            raise RunFailed(str(refused)) from None

    def abort(self) -> None:
        """Cancel its run, if there is one."""
        if self._run_id is not None:
            self._peer.host.runs.cancel(self._run_id)

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in a run."""
        if run.id == self._run_id:
            for event in progress.events:
                self._show(event)

    def _show(self, event: wire.RunEvent) -> None:
        notify = self._peer.protocol.notify_plain
        if isinstance(event, wire.Ended):
            notify(END_RUN_TEST, None)
        elif isinstance(event, wire.Output):
            if event.id is None:
                notify(APPEND_OUTPUT, event.value)
        elif (state := state_of(event)) is not None:
            notify(CHANGE_TEST_STATE, state)


def state_of(event: wire.RunEvent) -> PlainItem | None:
    """An event as rust-analyzer's `ChangeTestStateParams`."""
    if isinstance(event, wire.Failed):
        text = "\n\n".join(message.text for message in event.messages)
        return {"testId": event.id, "state": {"tag": "failed", "message": text}}
    if isinstance(event, wire.Passed):
        tag = "skipped" if event.event == "xfailed" else "passed"
        return {"testId": event.id, "state": {"tag": tag}}
    if isinstance(event, (wire.Enqueued, wire.Started, wire.Skipped)):
        return {"testId": event.id, "state": {"tag": event.event}}
    return None


def explorer_item(item: PlainItem, root: str) -> PlainItem:
    """An item as rust-analyzer's `TestItem`."""
    made: PlainItem = {
        "id": item["id"],
        "label": item["label"],
        "kind": KINDS.get(item["kind"], "test"),
        "canResolveChildren": item["canResolveChildren"],
    }
    for key in ("parent", "range"):
        if key in item:
            made[key] = item[key]
    if "uri" in item and item["kind"] not in ("dir", "package"):
        made["textDocument"] = {"uri": item["uri"]}
        made["runnable"] = runnable(item, root)
    return made


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    explorer = Explorer(peer)
    peer.at_beginning(explorer.begin)

    @server.feature(DISCOVER_TEST)
    async def discover_test(params: PlainParams) -> PlainItem:
        return await explorer.discover(params_of(DiscoverTestParams, params).testId)

    @server.feature(RUN_TEST)
    def run_test(params: PlainParams) -> None:
        explorer.run(params_of(RunTestParams, params))

    @server.feature(ABORT_RUN_TEST)
    def abort_run_test(_: PlainParams) -> None:
        explorer.abort()
