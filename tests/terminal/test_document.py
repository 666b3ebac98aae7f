"""docs/equivalence.md says what the tests check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.terminal.document import DOCUMENT, document
from tests.terminal.tried import TRIED

TESTS = Path(__file__).parent.parent


def test_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m tests.terminal.document"


@pytest.mark.parametrize("test", [test for each in TRIED for test in each.tests])
def test_the_tests_it_names_are_there(test: str) -> None:
    path, _, name = test.partition("::")
    found = {
        node.name
        for node in ast.parse((TESTS / path).read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert name in found if name else found
