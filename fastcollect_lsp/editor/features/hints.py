"""Inlay hints: how long tests took. Off unless the client's settings say `inlayHints: true`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from fastcollect_lsp.editor.asking import Refresh, ask
from fastcollect_lsp.editor.features.lenses import REFRESH_S, entry_of
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.results import duration
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem
from fastcollect_lsp.editor.verdicts import verdicts

SECTION = "fastcollect"
"""Of the client's settings (`workspace/configuration`)."""


class Hints:
    """Whether one client wants them, and has been shown them."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._refresh = Refresh(peer, types.WORKSPACE_INLAY_HINT_REFRESH, REFRESH_S)
        self.wanted = False

    def learn(self, settings: object) -> None:
        """Take settings as they come: `initializationOptions`, or a section of a configuration."""
        if isinstance(settings, dict) and isinstance(settings.get("inlayHints"), bool):
            self.wanted, before = settings["inlayHints"], self.wanted
            if self.wanted != before:
                self._look_again()

    def begin(self) -> None:
        """The client is ready."""
        self._peer.results.listen(self._outcomes)

    async def pull(self) -> None:
        """Ask the client for its settings: it says only that they have changed."""
        item = types.ConfigurationItem(section=SECTION)
        params = types.ConfigurationParams([item])
        done, answer = await ask(self._peer.protocol, types.WORKSPACE_CONFIGURATION, params)
        if done and answer:
            self.learn(answer[0])

    def _outcomes(self) -> None:
        if self.wanted:
            self._look_again()

    def _look_again(self) -> None:
        if self._peer.can.refreshes_hints:
            self._refresh.due()

    def shown(self, entry: Entry, where: types.Range) -> Iterator[PlainItem]:
        """LSP `InlayHint`s, plain: at the beginning of what has been run, of one file."""
        items = entry.plain()
        found = verdicts(items, self._peer.results)
        for item in items:
            verdict = found[item["id"]]
            if item["kind"] not in ("class", "function") or item.get("uri") != entry.uri:
                continue
            line = item["range"]["start"]["line"] if "range" in item else -1
            if verdict.results and where.start.line <= line <= where.end.line:
                took = sum(result.duration for result in verdict.results)
                yield {
                    "position": item["range"]["start"],
                    "label": duration(took),
                    "paddingRight": True,
                    "tooltip": f"{item['id']}: {verdict.text}",
                }


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    hints = Hints(peer)
    peer.at_beginning(hints.begin)
    peer.at_options(hints.learn)

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def inlay_hint(params: types.InlayHintParams) -> list[PlainItem]:
        if not hints.wanted:
            return []
        entry = await entry_of(peer, params.text_document.uri)
        return [] if entry is None else list(hints.shown(entry, params.range))

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        settings: Any = params.settings
        if isinstance(settings, dict) and SECTION in settings:
            hints.learn(settings[SECTION])
        elif peer.can.configuration:
            peer.spawn(hints.pull())
