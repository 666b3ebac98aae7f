"""Code lenses: *Run*, *Debug* and the last outcome, above every test, class and file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lsprotocol import types

from fastcollect_lsp.editor.asking import Refresh
from fastcollect_lsp.editor.command_names import DEBUG, RUN, SHOW_OUTPUT
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.results import Results
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem
from fastcollect_lsp.editor.uris import path_of
from fastcollect_lsp.editor.verdicts import verdicts

REFRESH_S = 0.2
"""Seconds for which outcomes are gathered before the client is told to look again."""

START = {"line": 0, "character": 0}


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))
    async def code_lens(params: types.CodeLensParams) -> list[PlainItem]:
        entry = await entry_of(peer, params.text_document.uri)
        return [] if entry is None else list(lenses(entry, peer.results))

    def begin() -> None:
        if peer.can.refreshes_lenses:
            refresh = Refresh(peer, types.WORKSPACE_CODE_LENS_REFRESH, REFRESH_S)
            peer.results.listen(refresh.due)

    peer.at_beginning(begin)


async def entry_of(peer: EditorPeer, uri: str) -> Entry | None:
    """What the tree has of a document, as it is in the editor; None where it has no tests."""
    await peer.tree.known()
    await peer.buffers.settle()
    path = path_of(uri)
    entry = peer.tree.snapshot.entries.get(path) if path else None
    return entry if entry is not None and entry.uri == uri_of_file(entry) else None


def uri_of_file(entry: Entry) -> str | None:
    """The URI of an entry that is a file's, not a directory's."""
    first = entry.plain()[0]
    return entry.uri if first["kind"] == "file" else None


def lenses(entry: Entry, results: Results) -> Iterator[PlainItem]:
    """LSP `CodeLens`es of one file, plain."""
    items = entry.plain()
    found = verdicts(items, results)
    for ids, place, what in places(entry.uri, items):
        yield _lens(place, f"Run{what}", RUN, ids)
        yield _lens(place, f"Debug{what}", DEBUG, ids)
        texts = [text for nodeid in ids if (text := found[nodeid].text)]
        if texts:
            yield _lens(place, "; ".join(texts), SHOW_OUTPUT, ids)


def places(uri: str, items: Iterable[PlainItem]) -> Iterator[tuple[list[str], PlainItem, str]]:
    """Ids, range, and what to say beyond "Run", of each place that has lenses.

    A function that is inherited by several classes of its file is several tests in one place.
    """
    by_place: dict[tuple[int, int], tuple[list[str], PlainItem, str]] = {}
    for item in items:
        if item["kind"] == "file":
            yield [item["id"]], {"start": START, "end": START}, " file"
        elif item["kind"] in ("class", "function") and item.get("uri") == uri and "range" in item:
            start = item["range"]["start"]
            place = by_place.setdefault(
                (start["line"], start["character"]), ([], {"start": start, "end": start}, "")
            )
            place[0].append(item["id"])
    yield from by_place.values()


def _lens(place: PlainItem, title: str, command: str, ids: list[str]) -> PlainItem:
    return {"range": place, "command": {"title": title, "command": command, "arguments": ids}}
