"""Failures as marks in documents: where they stand, and how they move when text is edited. Pure.

A mark stays with the line that failed: edits above it move it, an edit of that line removes it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.documents import LINE_END
from fastcollect_lsp.editor.outcomes import Result
from fastcollect_lsp.editor.results import FAILED
from fastcollect_lsp.editor.snapshot import PlainItem

SOURCE = "fastcollect"
MAX_RELATED = 20
"""Frames of a stack that are shown."""

# What a failed collection's text has of places: `test_a.py:3: in <module>`, and SyntaxError's own.
_PLACE = re.compile(r"^(?P<path>\S[^\n]*?):(?P<line>\d+): in ", re.MULTILINE)
_SYNTAX = re.compile(r'^E\s+File "(?P<path>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)


@dataclass(frozen=True)
class Mark:
    """One failure in one document."""

    test: wire.NodeId
    uri: str
    line: int
    message: str
    related: tuple[tuple[str, str, int], ...] = ()
    """(label, URI, line) of the other frames, innermost first."""

    def diagnostic(self, text: str | None, *, related: bool) -> PlainItem:
        """An LSP `Diagnostic`, plain. `text`: the line, where it is at hand."""
        shown: PlainItem = {
            "range": range_of(self.line, text),
            "severity": types.DiagnosticSeverity.Error.value,
            "source": SOURCE,
            "message": self.message,
        }
        if related and self.related:
            shown["relatedInformation"] = [
                {"message": label, "location": {"uri": uri, "range": range_of(line, None)}}
                for label, uri, line in self.related
            ]
        return shown

    def moved(
        self, change: types.TextDocumentContentChangeEvent, before: Sequence[str]
    ) -> Mark | None:
        """Where it stands after an edit; None: its line was edited. `before`: lines until then."""
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return self._found(before, LINE_END.split(change.text))
        first, last = change.range.start, change.range.end
        added = len(LINE_END.findall(change.text)) - (last.line - first.line)
        if last.line < self.line:
            return replace(self, line=self.line + added)
        if (last.line, last.character) == (self.line, 0):
            # Up to the line's beginning: the line is whole if a line's end comes before it.
            whole = change.text.endswith(("\n", "\r")) if change.text else first.character == 0
            return replace(self, line=self.line + added) if whole else None
        if first.line > self.line:
            return self
        length = len(before[self.line].encode("utf-16-le")) // 2 if self.line < len(before) else 0
        behind = first.line == self.line and first.character >= length > 0
        return self if behind and (not change.text or change.text[0] in "\r\n") else None

    def _found(self, before: Sequence[str], after: Sequence[str]) -> Mark | None:
        """The same line in another text: the nearest one that says the same."""
        if self.line >= len(before):
            return None
        wanted = before[self.line]
        places = [index for index, line in enumerate(after) if line == wanted]
        if not places:
            return None
        return replace(self, line=min(places, key=lambda index: abs(index - self.line)))


def marks(nodeid: wire.NodeId, result: Result, file_uri: str, root_uri: str) -> Iterator[Mark]:
    """The marks of a test. A file that could not be collected has its error in the tree.

    Each failure stands at the innermost line of the test's own file that led to it: that is where
    its author looks. Where none did (a fixture of a conftest.py), in the project; else where the
    exception was raised.
    """
    if result.state not in FAILED or "::" not in nodeid:
        return
    seen = set()
    for number, message in enumerate(result.messages):
        frames = [(f.label, f.uri, f.range.start.line) for f in message.stack]
        if not frames and message.location is not None:
            frames = [("", message.location.uri, message.location.range.start.line)]
        frames = frames or [("", file_uri, 0)]
        inside = [i for i, frame in enumerate(frames) if frame[1] == file_uri] or [
            i for i, frame in enumerate(frames) if frame[1].startswith(f"{root_uri}/")
        ]
        at = inside[-1] if inside else len(frames) - 1
        _, uri, line = frames[at]
        others = [frame for index, frame in enumerate(frames) if index != at and frame[1]]
        summary = result.summaries[number].strip() if number < len(result.summaries) else ""
        mark = Mark(nodeid, uri, line, summary or message.text, tuple(others[::-1])[:MAX_RELATED])
        if mark not in seen:
            seen.add(mark)
            yield mark


def line_in(text: str, label: str) -> int | None:
    """The last line of a file (by its name) that the text of a failed collection names."""
    lines = [
        int(found["line"]) - 1
        for found in [*_PLACE.finditer(text), *_SYNTAX.finditer(text)]
        if found["path"] == label or found["path"].endswith(f"/{label}")
    ]
    return max(lines[-1], 0) if lines else None


def raised(text: str) -> str:
    """The exception in a failure as pytest shows it: the lines marked `E`. Without any, all."""
    lines = [line[1:] for line in text.splitlines() if line.startswith("E ")]
    return textwrap.dedent("\n".join(lines)).strip() or text


def range_of(line: int, text: str | None) -> PlainItem:
    """A whole line; without its indentation where its text is known."""
    start = {"line": line, "character": 0}
    if text is None or not text.strip():
        return {"start": start, "end": {"line": line + 1, "character": 0}}
    indent = len(text) - len(text.lstrip())
    end = len(text.rstrip().encode("utf-16-le")) // 2
    return {
        "start": {"line": line, "character": indent},
        "end": {"line": line, "character": end},
    }
