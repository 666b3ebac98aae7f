"""`initialize` and `initialized`: what the client can do, and when it is ready."""

from __future__ import annotations

from lsprotocol import types

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        peer.learn(params)
        peer.options(params.initialization_options)

    def follow_runs() -> None:
        peer.results.begin(peer.host.runs)
        peer.at_end(peer.results.end)

    peer.at_beginning(follow_runs)

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        peer.begin()
