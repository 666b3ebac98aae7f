"""`experimental/runnables`, as rust-analyzer has it: what can be run in a document, as commands.

https://github.com/rust-lang/rust-analyzer/blob/master/docs/book/src/contributing/lsp-extensions.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastcollect_lsp.cli import pytest_command
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.features.lenses import entry_of
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams, params_of
from fastcollect_lsp.editor.snapshot import Entry, PlainItem

RUNNABLES = "experimental/runnables"


@dataclass(frozen=True, slots=True)
class Document:
    """LSP's TextDocumentIdentifier."""

    uri: str


@dataclass(frozen=True, slots=True)
class RunnablesParams:
    """Asks for what can be run in a document, or at a position of it."""

    textDocument: Document
    position: wire.Position | None = None


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(RUNNABLES)
    async def runnables(params: PlainParams) -> list[PlainItem]:
        asked = params_of(RunnablesParams, params)
        entry = await entry_of(peer, asked.textDocument.uri)
        if entry is None:
            return []
        root = peer.host.root
        return [runnable(item, root) for item in items_at(entry, asked.position)]


def items_at(entry: Entry, position: wire.Position | None) -> Iterator[PlainItem]:
    """Files, classes and functions of a document, those around a position innermost first."""
    found = [
        item
        for item in entry.plain()
        if item["kind"] == "file"
        or (item["kind"] in ("class", "function") and item.get("uri") == entry.uri)
    ]
    if position is None:
        yield from found
        return
    for item in reversed(found):
        where = item.get("range")
        if item["kind"] == "file" or (
            where and where["start"]["line"] <= position.line <= where["end"]["line"]
        ):
            yield item


def runnable(item: PlainItem, root: str) -> PlainItem:
    """rust-analyzer's `Runnable` of kind `shell`."""
    program, *args = pytest_command()
    made: PlainItem = {
        "label": f"pytest {item['id']}",
        "kind": "shell",
        "args": {
            "kind": "shell",
            "program": program,
            "args": [*args, item["id"]],
            "cwd": root,
            "environment": {},
        },
    }
    if "range" in item:
        made["location"] = {
            "targetUri": item["uri"],
            "targetRange": item["range"],
            "targetSelectionRange": item["range"],
        }
    return made
