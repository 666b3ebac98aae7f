"""Results that may no longer be right: `fastcollect/outdated`."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer

OUTDATED = "fastcollect/outdated"


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    def changed(files: Set[str]) -> None:
        if peer.announced:
            uris = [Path(path).as_uri() for path in sorted(files)]
            peer.protocol.notify_plain(OUTDATED, wire.Outdated(uris))

    def begin() -> None:
        peer.at_end(peer.tree.follow(changed))

    peer.at_beginning(begin)
