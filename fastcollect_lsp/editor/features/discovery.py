"""The test tree: `fastcollect/discoverTests` and `fastcollect/testsChanged`."""

from __future__ import annotations

import orjson

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams, params_of
from fastcollect_lsp.editor.snapshot import TreeChange

DISCOVER_TESTS = "fastcollect/discoverTests"
TESTS_CHANGED = "fastcollect/testsChanged"


class Discovery:
    """What one client knows of the tree."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._asking = 0
        self._informed = False
        """It has had the tree as of some generation; changes follow on that."""

    def begin(self) -> None:
        """The client is ready."""
        self._peer.at_end(self._peer.tree.listen(self._changed))
        self._peer.spawn(self._first_scan())

    async def discover(self, params: wire.DiscoverTestsParams) -> orjson.Fragment:
        """The tree, or a part of it, once it is known at all."""
        self._asking += 1
        try:
            await self._peer.tree.known()
            await self._peer.buffers.settle()
        finally:
            self._asking -= 1
        self._informed = True
        tree = self._peer.tree
        return tree.snapshot.discover(params.parent, params.depth, tree.root)

    async def _first_scan(self) -> None:
        """Scan, and hand the tree to a client that has not asked for it."""
        await self._peer.tree.refresh()
        if not self._informed and not self._asking:
            self._informed = True
            self._push(self._peer.tree.snapshot.everything())

    def _changed(self, change: TreeChange) -> None:
        if self._informed:
            self._push(change)

    def _push(self, change: TreeChange) -> None:
        if self._peer.announced:
            self._peer.protocol.notify_plain(TESTS_CHANGED, change.json)


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    discovery = Discovery(peer)
    peer.at_beginning(discovery.begin)

    @server.feature(DISCOVER_TESTS)
    async def discover_tests(params: PlainParams) -> orjson.Fragment:
        return await discovery.discover(params_of(wire.DiscoverTestsParams, params))
