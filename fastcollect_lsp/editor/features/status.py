"""The server's state: `fastcollect/status`, asked for and pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams

STATUS = "fastcollect/status"
GATHER_S = 0.05
"""Seconds for which changes are gathered."""


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    due: list[asyncio.Handle] = []

    def push() -> None:
        due.clear()
        peer.protocol.notify_plain(STATUS, peer.host.status())

    def changed() -> None:
        # A run alone changes it several times, and has more to tell that people wait for.
        if peer.announced and not due:
            due.append(asyncio.get_running_loop().call_later(GATHER_S, push))

    counted = [(0, 0)]

    def tree_changed(_: object) -> None:
        if counted[0] != peer.tree.counts:
            counted[0] = peer.tree.counts
            changed()

    def end() -> None:
        for handle in due:
            handle.cancel()

    def begin() -> None:
        peer.at_end(peer.host.subscribe(changed))
        peer.at_end(peer.tree.listen(tree_changed))
        peer.at_end(end)

    peer.at_beginning(begin)

    @server.feature(STATUS)
    def status(_: PlainParams) -> Mapping[str, object]:
        return peer.host.status()
