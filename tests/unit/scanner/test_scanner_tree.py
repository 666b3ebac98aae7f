"""`Scan`: items as the editor protocol has them, and what a change costs and changes."""

from __future__ import annotations

import fnmatch
import os
import sys
import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcollect_lsp._core import InputSet, Scan, project_config
from fastcollect_lsp.editor import codec, wire
from tests.sampling import trials
from tests.unit.scanner.scanner_support import Item, Tree, collect, scan_tree, write_files

TEST = "def test_1(): pass\n"
FILES = {
    "pytest.ini": "[pytest]\n",
    "test_top.py": TEST,
    "pkg/__init__.py": "",
    "pkg/test_a.py": (
        "import pytest\n\n"
        "class TestA:\n"
        "    s = '\U0001f600'; test_s = lambda self: 1\n"
        "    @pytest.mark.slow\n"
        "    @pytest.mark.parametrize('x', [1, 2])\n"
        "    def test_1(self, x):\n"
        "        pass\n"
        "    def test_2(self, unknown): pass\n"
    ),
    "pkg/dir with space/test_ü.py": TEST,
    "empty/nothing.txt": "",
}


@pytest.fixture
def scan(root: Path) -> Scan:
    write_files(root, FILES)
    scan = Scan(project_config(str(root)))
    scan.refresh()
    return scan


def items(scan: Scan, path: Path) -> list[Item]:
    found: list[Item] = orjson.loads(scan.items_json(str(path)))
    return found


def test_items_are_what_the_protocol_says(scan: Scan, root: Path) -> None:
    tree = Tree.of(scan)
    assert codec.decode_json(list[wire.TestItem], scan.tree_json())
    pkg = tree.by_id["pkg"]
    assert (pkg["kind"], pkg["label"], pkg.get("parent")) == ("package", "pkg", None)
    assert tree.by_id["pkg/dir with space"]["kind"] == "dir"
    assert "empty" not in tree.by_id
    file = tree.by_id["pkg/test_a.py"]
    assert (file["kind"], file["label"], file["parent"]) == ("file", "test_a.py", "pkg")
    assert not file["dynamic"] and "range" not in file and "error" not in file
    case = tree.by_id["pkg/test_a.py::TestA::test_1[2]"]
    assert (case["kind"], case["label"], case["parent"]) == (
        "case",
        "2",
        "pkg/test_a.py::TestA::test_1",
    )
    assert case["tags"] == ["slow"]
    dynamic = tree.by_id["pkg/test_a.py::TestA::test_2"]
    assert (
        dynamic["dynamic"] and "unknown" in dynamic["reason"] and not dynamic["canResolveChildren"]
    )
    assert tree.by_id["pkg/test_a.py::TestA"]["canResolveChildren"]
    for item in tree.items:
        path = root / item["id"].partition("::")[0]
        assert item["uri"] == path.as_uri()


def test_parents_come_first_and_directories_before_files(scan: Scan) -> None:
    tree = Tree.of(scan)
    seen: set[str] = set()
    for item in tree.items:
        assert item.get("parent") is None or item["parent"] in seen
        seen.add(item["id"])
    kinds = [item["kind"] in ("dir", "package") for item in tree.items]
    assert kinds == sorted(kinds, reverse=True)


def test_ranges_are_lsp_positions(scan: Scan) -> None:
    by_id = Tree.of(scan).by_id
    start = {"line": 6, "character": 4}
    whole = {"start": start, "end": {"line": 7, "character": 12}}
    assert by_id["pkg/test_a.py::TestA::test_1"]["range"] == whole
    assert by_id["pkg/test_a.py::TestA::test_1[1]"]["range"] == whole
    # Thirteen characters before it, one of which counts twice in UTF-16.
    assert by_id["pkg/test_a.py::TestA::test_s"]["range"]["start"] == {"line": 3, "character": 14}


def test_sort_text_gives_pytests_order(root: Path) -> None:
    names = ["__init__.py", "Z.py", "_a.py", "a-b/x.py", "aa/y.py", "b.py", "ä.py"]
    write_files(root, dict.fromkeys(names, "def test_b(): pass\ndef test_a(): pass\n"))
    write_files(root, {"pytest.ini": "[pytest]\npython_files = *.py\n"})
    tree = scan_tree(root)
    for parent in {item.get("parent") for item in tree.items}:
        siblings = [item for item in tree.items if item.get("parent") == parent]
        if parent is None:  # directories come first there, in the list
            siblings = [tree.by_id[name.split("/")[0]] for name in names]
        assert [i["id"] for i in sorted(siblings, key=lambda i: str(i["sortText"]))] == [
            i["id"] for i in siblings
        ]


def test_paths_and_counts(scan: Scan, root: Path) -> None:
    names = ["pkg/dir with space/test_ü.py", "pkg/test_a.py", "test_top.py"]
    assert scan.paths == [str(root / name) for name in names]
    assert scan.counts == (3, 6)
    assert scan.items_json(str(root / "nowhere.py")) == b"[]"


def test_refresh_tells_what_changed(scan: Scan, root: Path) -> None:
    assert scan.refresh() == []
    (root / "test_top.py").write_text(TEST + "x = 1\n")
    assert scan.refresh() == [], "the items are the same"
    (root / "test_top.py").write_text("\n" + TEST)
    assert scan.refresh() == [str(root / "test_top.py")], "they have moved"
    write_files(root, {"sub/test_new.py": TEST})
    (root / "pkg/test_a.py").unlink()
    assert scan.refresh() == [str(root / "pkg/test_a.py"), str(root / "sub/test_new.py")]
    assert scan.items_json(str(root / "pkg/test_a.py")) == b"[]"


def test_same_size_and_mtime_is_seen(scan: Scan, root: Path) -> None:
    path = root / "test_top.py"
    before = path.stat()
    path.write_text(TEST.replace("1", "2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan.refresh() == [str(path)]


def test_many_writes_within_a_clock_tick_are_all_seen(scan: Scan, root: Path) -> None:
    path = root / "test_top.py"
    for number in range(50):
        path.write_text(f"def test_{number % 10}(): pass\n")
        scan.refresh()
        assert items(scan, path)[1]["label"] == f"test_{number % 10}"


def test_overlays_hide_the_disk_as_long_as_they_are_given(scan: Scan, root: Path) -> None:
    path = str(root / "test_top.py")
    overlay = {path: b"def test_unsaved(): pass\n"}
    assert scan.refresh(overlay) == [path]
    assert items(scan, Path(path))[1]["label"] == "test_unsaved"
    assert scan.refresh(overlay) == []
    assert scan.refresh() == [path]
    assert items(scan, Path(path))[1]["label"] == "test_1"


def test_update_of_one_file(scan: Scan, root: Path) -> None:
    path = str(root / "test_top.py")
    assert scan.update(path, b"def test_unsaved(): pass\n")
    assert not scan.update(path, b"def test_unsaved(): pass\n")
    assert items(scan, Path(path))[1]["label"] == "test_unsaved"
    assert scan.update(path, None)
    assert not scan.update(path, None)
    assert scan.refresh() == []
    assert not scan.update(str(root / "no_test.py"), b"def test_x(): pass\n")


def test_a_conftest_changes_the_files_below_it(scan: Scan, root: Path) -> None:
    test_a = str(root / "pkg/test_a.py")
    fixture = "import pytest\n@pytest.fixture\ndef unknown(): pass\n"
    write_files(root, {"pkg/conftest.py": fixture})
    assert scan.refresh() == [test_a]
    assert not Tree.of(scan).by_id["pkg/test_a.py::TestA::test_2"]["dynamic"]
    overlay = fixture.replace("fixture\n", "fixture(params=[1])\n").encode()
    assert scan.refresh({str(root / "pkg/conftest.py"): overlay}) == [test_a]
    assert "pkg/test_a.py::TestA::test_2[1]" in Tree.of(scan).by_id
    overlay = overlay.replace(b"[1]", b"f()")
    assert scan.refresh({str(root / "pkg/conftest.py"): overlay}) == [test_a]
    assert Tree.of(scan).by_id["pkg/test_a.py::TestA::test_2"]["dynamic"]


def test_a_broken_conftest_loses_nothing(scan: Scan, root: Path) -> None:
    before = scan.paths
    write_files(root, {"conftest.py": "def (:\n", "pkg/conftest.py": b"\xff\xfe"})
    scan.refresh()
    assert scan.paths == before


def test_readers_and_writers_in_many_threads(scan: Scan, root: Path) -> None:
    path = root / "test_top.py"
    done = threading.Event()
    seen: set[bytes] = set()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                seen.add(scan.items_json(str(path)))
                assert orjson.loads(scan.tree_json())
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(100):
        scan.update(str(path), f"def test_{number % 2}(): pass\n".encode())
        if number % 10 == 0:
            scan.refresh()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    labels = {orjson.loads(json)[1]["label"] for json in seen}
    assert labels <= {"test_0", "test_1"}


PATTERN = st.text(alphabet="tes_*?[]!-ab^\\", min_size=1, max_size=6).filter(
    lambda text: not set(text) <= set("\\'\" ")
)


@given(PATTERN)
@settings(
    max_examples=trials(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_names_match_as_in_python(root: Path, pattern: str) -> None:
    names = ["test", "tes", "te_st", "atest", "b", "a", "_", "s_t", "tt", "tea", "bs_e", "ae", "eb"]
    (root / "test_a.py").write_text("".join(f"def {name}(): pass\n" for name in names))
    (root / "pytest.toml").write_bytes(
        b"[pytest]\npython_functions = [" + orjson.dumps(pattern) + b"]\n"
    )
    is_glob = any(char in pattern for char in "*?[")
    expected = [
        name
        for name in names
        if name.startswith(pattern) or (is_glob and fnmatch.fnmatch(name, pattern))
    ]
    assert [item["label"] for item in scan_tree(root).leaves] == expected


def test_scan_and_proof_see_the_same_files(scan: Scan) -> None:
    assert InputSet(scan.paths, []).changed() == []


def test_the_overall_tree_is_pytests(scan: Scan, root: Path, scratch: Path) -> None:
    collected = collect(Path(sys.executable), root, scratch)
    assert [item["id"] for item in Tree.of(scan).leaves] == list(collected.ids)
