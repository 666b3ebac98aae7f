"""Diagnostics: files that cannot be collected, and tests that failed, where the error is.

The one owner of `textDocument/publishDiagnostics`: each publication is all that a document has.

A failure is shown until its test is run anew, or is no more in the tree, or the line that failed is
edited. Edits elsewhere move it along with its line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.asking import Later
from fastcollect_lsp.editor.documents import LINE_END
from fastcollect_lsp.editor.marks import SOURCE, Mark, line_in, marks, raised, range_of
from fastcollect_lsp.editor.outcomes import Result
from fastcollect_lsp.editor.peer import Changes, EditorPeer
from fastcollect_lsp.editor.results import file_of
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem, TreeChange
from fastcollect_lsp.editor.uris import path_of
from fastcollect_lsp.run import Listener, Progress, Run

START = {"line": 0, "character": 0}
LINE = re.compile(r"\Aline \d+: ")
"""What the scan begins its errors with; a diagnostic stands in its line."""
PUBLISH_S = 0.05
"""Seconds for which failures are gathered before they are shown."""
MAX_FAILURES = 500
"""Failures shown in one document: a broken fixture may fail thousands."""


class Diagnostics(Listener):
    """What one client is shown."""

    def __init__(self, server: EditorServer, peer: EditorPeer) -> None:
        self._server = server
        self._peer = peer
        self._static: dict[str, list[PlainItem]] = {}
        """By URI: what the tree says."""
        self._marks: dict[str, dict[wire.NodeId, list[Mark]]] = {}
        """By URI: what runs have said, by test."""
        self._places: dict[wire.NodeId, set[str]] = {}
        """The URIs that hold marks of a test."""
        self._failed: dict[str, set[wire.NodeId]] = {}
        """By URI of a test file: which of its tests have marks, anywhere."""
        self._shown: set[str] = set()
        """URIs with diagnostics."""
        self._changed_uris: set[str] = set()
        self._later = Later(peer, self._publish_changed, PUBLISH_S)
        self._lines: dict[str, list[str]] = {}
        """Open documents that have marks, as they were before the edit that comes."""
        self._begun = False
        self._failures_wanted = True

    def learn(self, options: object) -> None:
        """Take the client's `initializationOptions`."""
        if isinstance(options, dict) and options.get("failures") is False:
            self._failures_wanted = False

    def begin(self) -> None:
        """The client is ready."""
        self._root_uri = Path(self._peer.host.root).as_uri()
        runs = self._peer.host.runs
        runs.listeners.append(self)
        self._peer.at_end(lambda: runs.listeners.remove(self))
        self._peer.at_end(self._peer.tree.listen(self._changed))
        self._peer.at_edit(self._edited)
        self._peer.spawn(self._show_all())

    async def _show_all(self) -> None:
        await self._peer.tree.known()
        self._begun = True
        self._show(entry for _, entry in self._peer.tree.snapshot.files())
        entries = self._peer.tree.snapshot.entries
        for nodeid, result in self._peer.host.runs.latest.items():
            if os.path.join(self._peer.host.root, file_of(nodeid)) in entries:
                self._mark(nodeid, result)

    # ---- the tree ----

    def _changed(self, change: TreeChange) -> None:
        if self._begun:
            self._show(change.replaced)
            for uri in change.removed:
                self._static.pop(uri, None)
                self._forget_deleted(uri, None)
                if uri in self._shown:
                    self._publish(uri)

    def _show(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            uri = entry.uri
            self._forget_deleted(uri, entry)
            if entry.may_have_errors or uri in self._static:
                if found := diagnostics(entry):
                    self._static[uri] = found
                else:
                    self._static.pop(uri, None)
                self._publish(uri)

    def _forget_deleted(self, uri: str, entry: Entry | None) -> None:
        """Tests of a file that are no more have not failed."""
        own = tuple(self._failed.get(uri, ()))
        if not own:
            return
        items = {} if entry is None else {item["id"]: item for item in entry.plain()}
        dynamic = {nodeid for nodeid, item in items.items() if item["dynamic"]}
        for test in own:
            above = {test.partition("[")[0], test.rpartition("::")[0], file_of(test)}
            if test not in items and not dynamic & above:
                self._unmark(test)

    # ---- runs ----

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in a run."""
        latest = self._peer.host.runs.latest
        for event in progress.events:
            if isinstance(event, (wire.Started, wire.Passed, wire.Skipped)):
                self._unmark(event.id)
            elif isinstance(event, wire.Failed) and (result := latest.get(event.id)):
                self._mark(event.id, result)

    def _mark(self, test: wire.NodeId, result: Result) -> None:
        if not self._failures_wanted:
            return
        self._unmark(test)
        own_uri = self._uri(test)
        for mark in marks(test, result, own_uri, self._root_uri):
            self._failed.setdefault(own_uri, set()).add(test)
            self._marks.setdefault(mark.uri, {}).setdefault(test, []).append(mark)
            self._places.setdefault(test, set()).add(mark.uri)
            if mark.uri not in self._lines:
                self._remember(mark.uri)
            self._due(mark.uri)

    def _unmark(self, test: wire.NodeId) -> None:
        if test not in self._places:
            return
        self._failed[self._uri(test)].discard(test)
        for uri in self._places.pop(test):
            tests = self._marks[uri]
            del tests[test]
            if not tests:
                del self._marks[uri]
                self._lines.pop(uri, None)
            self._due(uri)

    def _uri(self, test: wire.NodeId) -> str:
        return Path(self._peer.host.root, file_of(test)).as_uri()

    # ---- edits ----

    def _edited(self, uri: str, changes: Changes) -> None:
        """Marks keep to their lines."""
        uri = self._own_uri(uri)
        if uri not in self._marks:
            return
        before = self._lines.get(uri, [])
        single = len(changes) == 1
        for test, found in list(self._marks[uri].items()):
            kept = []
            for mark in found:
                now: Mark | None = mark
                for change in changes:
                    # Several edits at once: of the texts between them nothing is kept.
                    now = now and now.moved(change, before if single else [])
                kept += [now] if now else []
            if kept:
                self._marks[uri][test] = kept
            else:
                self._unmark_at(uri, test)
        if uri in self._marks:
            self._remember(uri)
            self._due(uri)

    def _unmark_at(self, uri: str, test: wire.NodeId) -> None:
        """A test's marks in one document are outdated."""
        del self._marks[uri][test]
        self._places[test].discard(uri)
        if not self._marks[uri]:
            del self._marks[uri]
            self._lines.pop(uri, None)
        self._due(uri)

    def _remember(self, uri: str) -> None:
        """Keep the text of an open document until it is edited."""
        documents = self._server.workspace.text_documents
        same = (one for known, one in documents.items() if self._own_uri(known) == uri)
        if (document := documents.get(uri) or next(same, None)) is not None:
            self._lines[uri] = LINE_END.split(document.source)

    def _own_uri(self, uri: str) -> str:
        """A document's URI as we write it; editors escape differently."""
        path = path_of(uri)
        return uri if path is None else Path(path).as_uri()

    # ---- showing ----

    def _due(self, uri: str) -> None:
        self._changed_uris.add(uri)
        self._later.due()

    def _publish_changed(self) -> None:
        uris, self._changed_uris = self._changed_uris, set()
        for uri in uris:
            self._publish(uri)

    def _publish(self, uri: str) -> None:
        found = [*self._static.get(uri, ()), *self._failures(uri)]
        if found:
            self._shown.add(uri)
        elif uri in self._shown:
            self._shown.discard(uri)
        else:
            return
        self._peer.protocol.notify_plain(
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, {"uri": uri, "diagnostics": found}
        )

    def _failures(self, uri: str) -> list[PlainItem]:
        """What runs have said of a document."""
        lines = self._lines.get(uri)
        shown = []
        for found in self._marks.get(uri, {}).values():
            for mark in found:
                text = lines[mark.line] if lines and mark.line < len(lines) else None
                shown.append(mark.diagnostic(text, related=self._peer.can.related_information))
                if len(shown) == MAX_FAILURES:
                    return shown
        return shown


def diagnostics(entry: Entry) -> list[PlainItem]:
    """LSP diagnostics of one file's items, plain."""
    return [
        {
            "range": item.get("range") or _place(item),
            "severity": types.DiagnosticSeverity.Error.value,
            "source": SOURCE,
            "message": raised(LINE.sub("", item["error"])),
        }
        for item in entry.plain()
        if item.get("error")
    ]


def _place(item: PlainItem) -> PlainItem:
    """Where an item's error is, by what it says."""
    line = line_in(item["error"], item["label"])
    return {"start": START, "end": START} if line is None else range_of(line, None)


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add this module's notifications to a connection."""
    diagnostics_of_peer = Diagnostics(server, peer)
    peer.at_beginning(diagnostics_of_peer.begin)
    peer.at_options(diagnostics_of_peer.learn)
