"""Text of open documents: edits, lines, encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from fastcollect_lsp.editor.documents import Document, encode_source, index_at, offset_at
from fastcollect_lsp.editor.uris import path_of

# What ends a line for LSP, what does so for `str.splitlines` only, and characters of one and of
# two UTF-16 code units.
ALPHABET = ["a", "b", " ", "\n", "\r", "\r\n", "\f", "\v", "\x85", "\u2028", "é", "😋", "🎉"]
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=30).map("".join)


class Utf16Model:
    """A document as an editor written in JavaScript has it: UTF-16 code units, LSP's line ends."""

    def __init__(self, text: str) -> None:
        raw = text.encode("utf-16-le")
        self.units = [raw[i : i + 2] for i in range(0, len(raw), 2)]

    @property
    def text(self) -> str:
        return b"".join(self.units).decode("utf-16-le", errors="surrogatepass")

    def positions(self) -> list[tuple[types.Position, int]]:
        """Every position between two characters, and the code unit it is at."""
        found, line, start, index = [], 0, 0, 0
        newline, carriage_return = b"\n\0", b"\r\0"
        while True:
            inside_pair = 0 < index < len(self.units) and 0xDC <= self.units[index][1] <= 0xDF
            if not inside_pair:
                found.append((types.Position(line, index - start), index))
            if index == len(self.units):
                return found
            unit = self.units[index]
            index += 1
            if unit == carriage_return and self.units[index : index + 1] == [newline]:
                index += 1
            if unit in (newline, carriage_return):
                line, start = line + 1, index

    def replace(self, start: int, end: int, text: str) -> None:
        self.units[start:end] = Utf16Model(text).units


@given(st.data(), TEXTS)
def test_edits_do_what_they_do_in_the_editor(data: st.DataObject, text: str) -> None:
    model, document = Utf16Model(text), Document("file:///t.py", text)
    for _ in range(data.draw(st.integers(1, 4))):
        places = model.positions()
        first = data.draw(st.integers(0, len(places) - 1))
        last = data.draw(st.integers(first, len(places) - 1))
        (start, start_unit), (end, end_unit) = places[first], places[last]
        inserted = data.draw(TEXTS)
        edited = types.Range(start, end)
        document.apply_change(types.TextDocumentContentChangePartial(range=edited, text=inserted))
        model.replace(start_unit, end_unit, inserted)
        assert document.source == model.text


def test_whole_text() -> None:
    document = Document("file:///t.py", "old")
    document.apply_change(types.TextDocumentContentChangeWholeDocument(text="new"))
    assert document.source == "new"


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 0, 0), (0, 2, 2), (0, 99, 2), (1, 0, 3), (1, 99, 5), (2, 0, 6), (2, 5, 6), (9, 0, 6)],
)
def test_positions_beyond_the_ends(line: int, character: int, offset: int) -> None:
    assert offset_at("ab\ncd\n", types.Position(line, character)) == offset


def test_position_in_the_midst_of_a_pair() -> None:
    assert index_at("😋x", 1) == 1
    assert index_at("é😋x", 3) == 2


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("x = 'é'\n", "x = 'é'\n".encode()),
        ("# coding: latin-1\nx = 'é'\n", "# coding: latin-1\nx = 'é'\n".encode("latin-1")),
        ("\n# -*- coding: cp1252 -*-\n€", "\n# -*- coding: cp1252 -*-\n€".encode("cp1252")),
        ("# coding: latin-1\nx = '€'\n", "# coding: latin-1\nx = '€'\n".encode()),
        ("# coding: no-such\né", "# coding: no-such\né".encode()),
        ("# coding: rot13\né", "# coding: rot13\né".encode()),
        ("\ud800", b"?"),
        ("", b""),
    ],
)
def test_source_in_its_declared_encoding(text: str, encoded: bytes) -> None:
    assert encode_source(text) == encoded


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file:///a%20b/%C3%A9.py", "/a b/é.py"),
        ("file:///a/b;c.py", "/a/b;c.py"),
        ("file:///a/%23x%3F.py", "/a/#x?.py"),
        ("file:///a/%FF.py", "/a/\udcff.py"),
        ("file:///a/../b.py", "/b.py"),
        ("untitled:Untitled-1", None),
        ("http://x/a.py", None),
        ("file://[", None),
        ("", None),
    ],
)
def test_path_of_a_uri(uri: str, path: str | None) -> None:
    assert path_of(uri) == path
