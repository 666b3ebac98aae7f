"""Open documents: their text as the editor has it (LSP 3.17, "Text Document Synchronization")."""

from __future__ import annotations

import io
import re
import tokenize

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

LINE_END = re.compile(r"\r\n|\n|\r")


class Document(TextDocument):
    """A document whose lines end where LSP ends them.

    pygls takes `str.splitlines`, which ends lines at form feeds and five other characters as well:
    in files that have them, as the standard library's do, every incremental edit goes wrong.
    """

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        text = self.source
        start = offset_at(text, change.range.start)
        end = offset_at(text, change.range.end)
        self._source = text[:start] + change.text + text[max(start, end) :]


class EditorWorkspace(Workspace):
    """The open documents of one client."""

    @classmethod
    def like(cls, workspace: Workspace) -> EditorWorkspace:
        """An empty workspace with the roots and folders of another one."""
        return cls(
            workspace.root_uri,
            types.TextDocumentSyncKind.Incremental,
            list(workspace.folders.values()),
        )

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> Document:
        return Document(doc_uri, source, version, language_id)


def offset_at(text: str, position: types.Position) -> int:
    """The index into `text` of an LSP position (LSP 3.17, "Position").

    Beyond a line's end: its end. Beyond the last line: the end of the text.
    """
    start, line_ends = 0, LINE_END.finditer(text)
    for _ in range(position.line):
        if (line_end := next(line_ends, None)) is None:
            return len(text)
        start = line_end.end()
    following = next(line_ends, None)
    line = text[start : len(text) if following is None else following.start()]
    return start + index_at(line, position.character)


def index_at(line: str, units: int) -> int:
    """The index into `line` of the character at so many UTF-16 code units, at most its length."""
    if line.isascii():
        return min(units, len(line))
    for index, character in enumerate(line):
        if units <= 0:
            return index
        units -= 2 if ord(character) > 0xFFFF else 1
    return len(line)


def encode_source(text: str) -> bytes:
    """A Python module's bytes, as an editor would write them: in the encoding that it declares.

    Where that is none, or cannot hold the text, UTF-8.
    """
    as_utf8 = text.encode("utf-8", errors="replace")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(as_utf8).readline)
        return as_utf8 if encoding.startswith("utf-8") else text.encode(encoding)
    except (SyntaxError, LookupError, UnicodeError):
        return as_utf8
