"""Files in the middle of being typed: the scan never fails and keeps what is not broken.

`half_typed` says what an edit may take along.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import pytest

from fastcollect_lsp._core import Scan, project_config
from tests.unit.scanner.half_typed import Variant, variants
from tests.unit.scanner.scanner_support import Tree, parse_archive, write_files

HERE = Path(__file__).parent
TESTS = HERE.parent.parent
SUITES = os.environ.get("FASTCOLLECT_SUITES")
NAME = "test_a.py"

FILES = [
    TESTS / "unit/test_policy.py",
    TESTS / "unit/test_protocol.py",
    TESTS / "unit/test_stash.py",
    TESTS / "editor/test_codec.py",
    TESTS / "editor/test_tree.py",
    HERE / "test_scanner_bad_input.py",
]


def is_python(text: str) -> bool:
    """Whether what was typed happens to be Python: pytest may then fail for what it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            return False
    return True


class Editor:
    """A project with one test file, which an editor holds open."""

    def __init__(self, root: Path, text: str) -> None:
        write_files(root, {"pytest.ini": "[pytest]\n", NAME: text})
        self.path = str(root / NAME)
        self.scan = Scan(project_config(str(root)))
        self.scan.refresh()
        self.functions = frozenset(self.tree.functions)
        assert self.functions

    @property
    def tree(self) -> Tree:
        return Tree.of(self.scan)

    def check(self, variant: Variant) -> int:
        """Scan the variant as an unsaved buffer; how many functions it had to keep."""
        self.scan.update(self.path, variant.text.encode())
        tree = self.tree
        error = tree.by_id[NAME].get("error", "")
        assert "internal error" not in error, variant.edit
        if is_python(variant.text):
            return 0
        assert "SyntaxError" in error or "error" in tree.by_id[NAME], variant.edit
        spared = self.functions & {"::".join((NAME, *names)) for names in variant.spared}
        lost = spared - set(tree.functions)
        assert not lost, f"{variant.edit}: {sorted(lost)}"
        return len(spared)


def check(root: Path, text: str, made: Iterable[Variant]) -> int:
    editor = Editor(root, text)
    kept = sum(editor.check(variant) for variant in made)
    editor.scan.refresh()  # no buffer any more: the file on disk counts again
    assert frozenset(editor.tree.functions) == editor.functions
    return kept


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_half_typed(path: Path, root: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert check(root, text, variants(text, 30, seed=1)) > 40


def test_half_typed_corpus(root: Path) -> None:
    kept = 0
    for number, path in enumerate(sorted((HERE / "corpus").glob("rule1*.txt"))):
        _, files = parse_archive(path.read_text(encoding="utf-8"))
        text = files.get("test_a.py", "")
        is_refused = path.stem in ("rule15_wrong_counts", "rule18_strict")
        if "def test" in text and text.isascii() and not is_refused:
            kept += check(root / str(number), text, variants(text, 8, seed=number))
    assert kept > 50


def test_buffers_are_scanned_in_place_of_files(root: Path) -> None:
    editor = Editor(root, "def test_old(): pass\n")
    buffer = b"def test_new(): pass\ndef test_half(\n"
    assert editor.scan.refresh({editor.path: buffer}) == [editor.path]
    assert set(editor.tree.functions) == {f"{NAME}::test_new", f"{NAME}::test_half"}
    assert editor.scan.refresh() == [editor.path]
    assert set(editor.tree.functions) == {f"{NAME}::test_old"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("def test_1():\n    x = [\n\ndef test_2(): pass\n", ["test_1", "test_2"]),
        ("def test_1():\n    f(a, {'b': [1\n\n@mark\ndef test_2(): pass\n", ["test_1", "test_2"]),
        (
            "x = '\ndef test_1(): pass\nclass TestA:\n    def test_2(self): pass\n",
            ["test_1", "TestA::test_2"],
        ),
        (
            "class TestA:\n    def test_1(self):\n        x = (\n\n    def test_2(self): pass\n\n"
            "    def test_3(self): pass\n\nclass TestB:\n    def test_4(self): pass\n",
            ["TestA::test_1", "TestA::test_2", "TestA::test_3", "TestB::test_4"],
        ),
        (
            "class TestA:\n    class TestB:\n        def test_1(self): f(\n\n"
            "        def test_2(self): 1\n    def test_3(self): pass\n",
            ["TestA::TestB::test_1", "TestA::TestB::test_2", "TestA::test_3"],
        ),
        ("class TestA:\n    x = {\n    def test_1(self): pass\n", ["TestA::test_1"]),
        ('TEXT = """\ndef test_no(): pass\n"""\ndef test_1(:\n    pass\n', ["test_1"]),
        ("@pytest.mark.\ndef test_1(): pass\ndef test_2(): pass\n", ["test_2"]),
        ("async def test_1(:\n  pass\ndef test_2(): pass\n", ["test_2"]),
        (
            "if x:\n    def test_1(): pass\nelse\n    pass\ndef test_2(): pass\n",
            ["test_1", "test_2"],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_kept(root: Path, text: str, kept: list[str]) -> None:
    write_files(root, {"pytest.ini": "", NAME: text})
    scan = Scan(project_config(str(root)))
    scan.refresh()
    tree = Tree.of(scan)
    assert "SyntaxError" in tree.by_id[NAME]["error"]
    assert {f"{NAME}::{name}" for name in kept} <= tree.by_id.keys()
    assert f"{NAME}::test_no" not in tree.by_id


@pytest.mark.long
@pytest.mark.skipif(SUITES is None, reason="FASTCOLLECT_SUITES does not say where suites are")
def test_half_typed_suites(root: Path) -> None:
    kept = 0
    paths = sorted(Path(SUITES or "", "suites").rglob("test_*.py"))
    assert paths
    for number, path in enumerate(paths):
        try:
            text = path.read_text(encoding="utf-8")
            made = list(variants(text, 6, seed=number))
        except (SyntaxError, ValueError):
            continue  # data of a suite that is no Python
        project = root / str(number)
        write_files(project, {"pytest.ini": "[pytest]\n", NAME: text})
        scan = Scan(project_config(str(project)))
        scan.refresh()
        if Tree.of(scan).functions:
            kept += check(project, text, made)
    assert kept > 1000
