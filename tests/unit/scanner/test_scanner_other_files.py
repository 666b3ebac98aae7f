"""Items that depend on other files follow when those change, appear or vanish."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fastcollect_lsp._core import Scan, project_config
from tests.unit.scanner.scanner_support import Tree, collect, scan_tree, write_files

FILES = {
    "pytest.ini": "[pytest]\n",
    "pkg/__init__.py": "",
    "pkg/base.py": "class Base:\n    def test_1(self): pass\n",
    "pkg/test_a.py": (
        "from pkg.base import Base\nfrom pkg.late import *\n"
        "from pkg import deep as test_deep\n"
        "class TestA(Base): pass\n"
        "def test_own(): pass\n"
    ),
    "pkg/test_b.py": "def test_2(): pass\n",
}


@pytest.fixture
def scan(root: Path) -> Scan:
    write_files(root, FILES)
    scan = Scan(project_config(str(root)))
    scan.refresh()
    return scan


def leaves(scan: Scan) -> list[str]:
    return [item["id"].partition("test_a.py::")[2] for item in Tree.of(scan).leaves][:-1]


def test_a_base_that_changes(scan: Scan, root: Path) -> None:
    test_a = str(root / "pkg/test_a.py")
    base = "class Base:\n    def test_1(self): pass\n    def test_new(self): pass\n"
    write_files(root, {"pkg/base.py": base})
    assert scan.refresh() == [test_a]
    assert leaves(scan) == ["TestA::test_1", "TestA::test_new", "test_own"]
    assert scan.refresh() == []
    overlay = {str(root / "pkg/base.py"): b"class Base: pass\n"}
    assert scan.refresh(overlay) == [test_a]
    assert leaves(scan) == ["test_own"]
    (root / "pkg/base.py").unlink()
    assert scan.refresh() == [test_a]
    assert "TestA" not in "".join(leaves(scan)), "nothing is known of it but its name"
    assert Tree.of(scan).by_id["pkg/test_a.py"]["dynamic"]


def test_a_module_that_appears(scan: Scan, root: Path) -> None:
    test_a = str(root / "pkg/test_a.py")
    assert "pkg.late" in Tree.of(scan).by_id["pkg/test_a.py"]["reason"]
    write_files(root, {"pkg/late.py": "def test_late(): pass\n", "pkg/deep.py": ""})
    assert scan.refresh() == [test_a]
    assert leaves(scan) == ["test_late", "TestA::test_1", "test_own"]
    assert not Tree.of(scan).by_id["pkg/test_a.py"]["dynamic"]


def test_what_is_written_elsewhere_is_shown_where_it_comes_in(scan: Scan, root: Path) -> None:
    by_id = Tree.of(scan).by_id
    inherited = by_id["pkg/test_a.py::TestA::test_1"]
    assert inherited["range"] == by_id["pkg/test_a.py::TestA"]["range"]
    assert inherited["uri"] == (root / "pkg/test_a.py").as_uri()


def test_search_path_and_versions_come_from_the_interpreter(root: Path) -> None:
    config = project_config(str(root))
    assert config.python_version == sys.version_info[:2]
    assert config.pytest_version == tuple(int(part) for part in pytest.__version__.split(".")[:3])
    bare = project_config(str(root), search_path=[])
    assert (bare.python_version, bare.pytest_version) == (None, None)


def test_a_library_in_site_packages(root: Path, tmp_path: Path) -> None:
    site = tmp_path / "env/lib/python3.11/site-packages"
    write_files(site, {"lib/__init__.py": "from .case import Case\n"})
    write_files(
        site, {"lib/case.py": "import unittest\nclass Case(unittest.TestCase):\n    x = 1\n"}
    )
    write_files(
        root,
        {
            "pytest.ini": "[pytest]\n",
            "test_a.py": "import lib\nclass Mine(lib.Case):\n    def test_1(self): pass\n",
        },
    )
    scan = Scan(project_config(str(root), search_path=[str(site)]))
    scan.refresh()
    tree = Tree.of(scan)
    assert [item["id"] for item in tree.leaves] == ["test_a.py::Mine::test_1"]
    assert not tree.leaves[0]["dynamic"]


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_import_modes(root: Path, scratch: Path, mode: str) -> None:
    write_files(
        root,
        {
            "pytest.ini": f"[pytest]\naddopts = --import-mode={mode}\npythonpath = lib\n",
            "lib/shared.py": "class Shared:\n    def test_shared(self): pass\n",
            "tests/pkg/__init__.py": "",
            "tests/pkg/helper.py": "class Helper:\n    def test_helper(self): pass\n",
            "tests/pkg/test_a.py": (
                "from shared import Shared\nfrom .helper import Helper\n"
                "class TestA(Shared, Helper): pass\n"
            ),
            "tests/top.py": "class Top:\n    def test_top(self): pass\n",
            "tests/test_b.py": (
                "try:\n    from top import Top\nexcept ImportError:\n    Top = object\n"
                "class TestB(Top):\n    def test_own(self): pass\n"
            ),
        },
    )
    collected = collect(Path(sys.executable), root, scratch)
    tree = scan_tree(root)
    certain = [item["id"] for item in tree.leaves if not item["dynamic"]]
    assert certain == [node for node in collected.ids if "test_a.py" in node]
    assert len(certain) == 2
    assert tree.by_id["tests/test_b.py::TestB"]["dynamic"]
