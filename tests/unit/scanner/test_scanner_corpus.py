"""Small projects, one for each rule, scanned and collected by real pytest.

A project is one text: its first line says what is promised (`exact`: nothing is dynamic and the ids
are pytest's, in its order; `dynamic`: what is not known is declared), then files as `-- path --`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.scanner.scanner_support import (
    Oracle,
    compare,
    parse_archive,
    scan_tree,
    write_files,
)

INI = "[pytest]\naddopts = --import-mode=importlib\n"
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.txt"))


def read(path: Path, root: Path) -> str:
    """Write the project; what is promised."""
    head, files = parse_archive(path.read_text(encoding="utf-8"))
    write_files(root, files)
    promise, _, _ = head.partition("\n")
    return promise


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(path: Path, root: Path, oracle: Oracle) -> None:
    promise = read(path, root)
    tree = scan_tree(root)
    collected = oracle.collect(root, apart=True)
    assert collected.ids or collected.failed
    differences = compare(tree, collected)
    assert not differences.wrong
    assert not differences.undeclared
    if promise == "exact":
        assert [item["id"] for item in tree.leaves] == list(collected.ids)
        assert not [item["id"] for item in tree.items if item["dynamic"]]
        failed = [item["id"] for item in tree.items if "error" in item]
        assert sorted(failed) == sorted(collected.failed)
    else:
        assert promise == "dynamic"
        dynamic = [item for item in tree.items if item["dynamic"]]
        assert dynamic and all(item["reason"] for item in dynamic)
        exact = [
            item["id"] for item in tree.leaves if "test_exact" in item["id"] and item["dynamic"]
        ]
        assert not exact, "what one file decides is not dynamic"


@pytest.mark.parametrize(
    "args",
    [
        ["b"],
        ["b", "a"],
        ["a", "a/test_1.py"],
        ["a/test_1.py", "a"],
        ["a/helper.py"],
        ["build/test_1.py", "a"],
        ["build"],
        ["a/test_1.py::TestA"],
        ["a/test_1.py::TestA::test_2", "a/test_1.py::test_1"],
        ["a/test_1.py::test_3[1-y]"],
        ["a/test_1.py::test_3"],
        ["a/test_1.py::test_1", "a/test_1.py::test_1"],
        ["a/package"],
        ["."],
    ],
    ids=" ".join,
)
def test_arguments(root: Path, oracle: Oracle, args: list[str]) -> None:
    test_file = (
        "import pytest\n"
        "def test_1(): pass\n"
        "class TestA:\n    def test_2(self): pass\n    def test_1(self): pass\n"
        "@pytest.mark.parametrize('x', ['y', 'z'])\n"
        "@pytest.mark.parametrize('v', [1, 2])\n"
        "def test_3(x, v): pass\n"
    )
    names = [
        "a/test_1.py",
        "a/helper.py",
        "a/package/__init__.py",
        "a/package/test_p.py",
        "b/test_b.py",
    ]
    write_files(root, dict.fromkeys([*names, "build/test_1.py"], test_file) | {"pytest.ini": INI})
    collected = oracle.collect(root, args, apart=True)
    tree = scan_tree(root, [str(root / arg) for arg in args])
    assert sorted(item["id"] for item in tree.leaves) == sorted(set(collected.ids))
    assert not compare(tree, collected).undeclared
