"""Tests as symbols: `textDocument/documentSymbol` and `workspace/symbol`.

Parameter sets are no symbols: they have no definition of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from lsprotocol import types

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem, Snapshot
from fastcollect_lsp.editor.uris import path_of

MAX_WORKSPACE_SYMBOLS = 1000
"""More is no help to anybody; clients ask again with every character typed."""

KINDS = {
    "class": types.SymbolKind.Class.value,
    "function": types.SymbolKind.Function.value,
    "method": types.SymbolKind.Method.value,
}


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def document_symbol(params: types.DocumentSymbolParams) -> list[PlainItem]:
        await peer.tree.known()
        await peer.buffers.settle()
        path = path_of(params.text_document.uri)
        entry = peer.tree.snapshot.entries.get(path) if path else None
        if entry is None:
            return []
        if wants_hierarchy(server.client_capabilities):
            return hierarchy(entry)
        return list(flat(entry))

    @server.feature(types.WORKSPACE_SYMBOL)
    async def workspace_symbol(params: types.WorkspaceSymbolParams) -> list[PlainItem]:
        await peer.tree.known()
        await peer.buffers.settle()
        # In a thread: 100,000 tests take 0.2 s, and a snapshot does not change.
        return await asyncio.to_thread(matching, peer.tree.snapshot, params.query)


def wants_hierarchy(capabilities: types.ClientCapabilities) -> bool:
    """Whether the client takes `DocumentSymbol`, not only `SymbolInformation`."""
    documents = capabilities.text_document
    symbol = documents.document_symbol if documents else None
    return bool(symbol and symbol.hierarchical_document_symbol_support)


def hierarchy(entry: Entry) -> list[PlainItem]:
    """`DocumentSymbol`s of one file, plain."""
    top: list[PlainItem] = []
    known: dict[str, PlainItem] = {}
    for item, kind in definitions(entry):
        symbol = {
            "name": item["label"],
            "kind": kind,
            "range": item["range"],
            "selectionRange": item["range"],
            "children": [],
        }
        known[item["id"]] = symbol
        above = known.get(item.get("parent", ""))
        (top if above is None else above["children"]).append(symbol)
    return top


def flat(entry: Entry) -> Iterator[PlainItem]:
    """`SymbolInformation`s of one file, plain."""
    labels: dict[str, str] = {}
    for item, kind in definitions(entry):
        labels[item["id"]] = item["label"]
        symbol = {
            "name": item["label"],
            "kind": kind,
            "location": {"uri": item["uri"], "range": item["range"]},
        }
        if container := labels.get(item.get("parent", "")):
            symbol["containerName"] = container
        yield symbol


def definitions(entry: Entry) -> Iterator[tuple[PlainItem, int]]:
    """Items that are defined in this very file, and their `SymbolKind`."""
    classes = set()
    for item in entry.plain():
        kind = item["kind"]
        if kind not in KINDS or item.get("uri") != entry.uri or "range" not in item:
            continue
        if kind == "class":
            classes.add(item["id"])
        elif item.get("parent") in classes:
            kind = "method"
        yield item, KINDS[kind]


def matching(snapshot: Snapshot, query: str) -> list[PlainItem]:
    """`SymbolInformation`s of the tests whose names have the query's characters in that order.

    LSP 3.17, "Workspace Symbols": match in a relaxed way, the client filters further.
    """
    found: list[PlainItem] = []
    wanted = query.casefold()
    for _, entry in snapshot.files():
        for symbol in flat(entry):
            if is_subsequence(wanted, symbol["name"].casefold()):
                found.append(symbol)
                if len(found) == MAX_WORKSPACE_SYMBOLS:
                    return found
    return found


def is_subsequence(wanted: str, text: str) -> bool:
    """Whether all characters of `wanted` occur in `text`, in that order."""
    characters = iter(text)
    return all(character in characters for character in wanted)
