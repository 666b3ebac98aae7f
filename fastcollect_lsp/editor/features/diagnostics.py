"""Items that cannot be collected, as diagnostics where the error is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lsprotocol import types

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem, TreeChange

SOURCE = "fastcollect"
START = {"line": 0, "character": 0}
LINE = re.compile(r"\Aline \d+: ")
"""What the scan begins its errors with; a diagnostic stands in its line."""


class Diagnostics:
    """What one client has been shown."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._shown: set[str] = set()
        """URIs with diagnostics."""
        self._begun = False

    def begin(self) -> None:
        """The client is ready."""
        self._peer.at_end(self._peer.tree.listen(self._changed))
        self._peer.spawn(self._show_all())

    async def _show_all(self) -> None:
        await self._peer.tree.known()
        self._begun = True
        self._show(entry for _, entry in self._peer.tree.snapshot.files())

    def _changed(self, change: TreeChange) -> None:
        if self._begun:
            self._show(change.replaced)
            for uri in self._shown.intersection(change.removed):
                self._publish(uri, [])

    def _show(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.may_have_errors or entry.uri in self._shown:
                self._publish(entry.uri, diagnostics(entry))

    def _publish(self, uri: str, found: list[PlainItem]) -> None:
        if found:
            self._shown.add(uri)
        elif uri in self._shown:
            self._shown.discard(uri)
        else:
            return
        self._peer.protocol.notify_plain(
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, {"uri": uri, "diagnostics": found}
        )


def diagnostics(entry: Entry) -> list[PlainItem]:
    """LSP diagnostics of one file's items, plain."""
    return [
        {
            "range": item.get("range") or {"start": START, "end": START},
            "severity": types.DiagnosticSeverity.Error.value,
            "source": SOURCE,
            "message": LINE.sub("", item["error"]),
        }
        for item in entry.plain()
        if item.get("error")
    ]


def register(_: EditorServer, peer: EditorPeer) -> None:
    """Add this module's notifications to a connection."""
    peer.at_beginning(Diagnostics(peer).begin)
