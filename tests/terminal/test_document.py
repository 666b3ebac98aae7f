"""docs/equivalence.md says what the tests check."""

from __future__ import annotations

from tests.terminal.document import DOCUMENT, document


def test_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m tests.terminal.document"
