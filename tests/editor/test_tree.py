"""`ProjectTree` by itself: static and exact items, buffers, listeners, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from editor_client import HANG, ProjectHost, write

from fastcollect_lsp import reports
from fastcollect_lsp.editor import scanning, wire
from fastcollect_lsp.editor.outcomes import exact_items
from fastcollect_lsp.editor.snapshot import TreeChange
from fastcollect_lsp.static import project_scan
from fastcollect_lsp.tree import ProjectTree

pytestmark = pytest.mark.asyncio


@pytest.fixture
def tree(project: Path) -> ProjectTree:
    return ProjectHost(project).tree


def ids(tree: ProjectTree, path: Path) -> list[str]:
    entry = tree.snapshot.entries.get(str(path))
    return [item.id for item in entry.items()] if entry else []


def exact(path: Path, *names: str) -> Sequence[wire.TestItem]:
    """What pytest might have collected in a file at the root: functions and their cases."""
    uri = path.as_uri()
    items = [wire.TestItem(path.name, path.name, "file", [], False, True, uri=uri)]
    for name in names:
        function = name.partition("[")[0]
        parent = path.name if function == name else f"{path.name}::{function}"
        kind: wire.ItemKind = "function" if function == name else "case"
        items.append(
            wire.TestItem(f"{path.name}::{name}", name, kind, [], False, False, parent, uri)
        )
    return items


STATIC = [
    "test_one.py",
    "test_one.py::test_first",
    "test_one.py::TestGroup",
    "test_one.py::TestGroup::test_inside",
]
EXACT = ["test_one.py", "test_one.py::test_first", "test_one.py::test_first[a]"]


@pytest_asyncio.fixture
async def collected(tree: ProjectTree, project: Path) -> ProjectTree:
    """The tree with one file collected by pytest."""
    await tree.refresh()
    tree.set_exact(
        str(project / "test_one.py"), exact(project / "test_one.py", "test_first", "test_first[a]")
    )
    return tree


async def test_nothing_is_known_before_the_first_scan(tree: ProjectTree, project: Path) -> None:
    assert not tree.snapshot.entries
    await tree.known()
    assert ids(tree, project / "test_one.py") == STATIC
    assert tree.counts == (3, 4)
    assert tree.snapshot.generation == 1


async def test_refresh_of_what_has_not_changed(tree: ProjectTree) -> None:
    await tree.refresh()
    changes: list[TreeChange] = []
    tree.listen(changes.append)
    await tree.refresh()
    assert not changes
    assert tree.snapshot.generation == 1


async def test_exact_items_replace_static_ones(collected: ProjectTree, project: Path) -> None:
    assert ids(collected, project / "test_one.py") == EXACT
    assert collected.snapshot.generation == 2


async def test_exact_items_keep_static_ranges(collected: ProjectTree, project: Path) -> None:
    entry = collected.snapshot.entries[str(project / "test_one.py")]
    ranges = {item.id: item.range for item in entry.items()}
    function = ranges["test_one.py::test_first"]
    assert function is not None
    assert function.start.line == 0
    assert ranges["test_one.py::test_first[a]"] == function


async def test_exact_items_that_are_as_the_scan_found_them_are_no_change(
    tree: ProjectTree, project: Path
) -> None:
    await tree.refresh()
    path = project / "test_one.py"
    collected = reports.FileCollected(
        path.name,
        str(path),
        [
            reports.Item(f"{path.name}::test_first", "test_first", "function", path.name, []),
            reports.Item(f"{path.name}::TestGroup", "TestGroup", "class", path.name, []),
            reports.Item(
                f"{path.name}::TestGroup::test_inside",
                "test_inside",
                "function",
                f"{path.name}::TestGroup",
                [],
            ),
        ],
    )
    tree.set_exact(str(path), exact_items(collected))
    assert tree.snapshot.generation == 1
    assert tree.snapshot.entries[str(path)].exact


async def test_what_comes_together_is_one_change(tree: ProjectTree, project: Path) -> None:
    await tree.refresh()
    changes: list[TreeChange] = []
    tree.listen(changes.append)
    one, two = project / "test_one.py", project / "test_new.py"
    tree.set_exact_soon(str(one), exact(one, "test_a"))
    tree.set_exact_soon(str(two), exact(two, "test_b"))
    assert not changes
    tree.show_gathered()
    assert [{entry.uri for entry in each.replaced} for each in changes] == [
        {one.as_uri(), two.as_uri()}
    ]
    tree.show_gathered()
    assert len(changes) == 1


async def test_what_is_gathered_is_shown_by_itself(tree: ProjectTree, project: Path) -> None:
    await tree.refresh()
    shown = asyncio.Event()
    tree.listen(lambda _: shown.set())
    tree.set_exact_soon(str(project / "test_new.py"), exact(project / "test_new.py", "test_b"))
    await asyncio.wait_for(shown.wait(), HANG)


@pytest.mark.parametrize("name", ["test_ü b.py", "__init__.py"])
async def test_exact_items_of_a_file_are_where_the_static_ones_were(
    tree: ProjectTree, project: Path, name: str
) -> None:
    (project / "pytest.ini").write_text("[pytest]\npython_files = *.py\n")
    path = write(project / "sub" / name, "def test_it(): ...\n")
    await tree.rescan_with(project_scan(str(project)), str(project))
    before = tree.snapshot.entries[str(path)].items()
    items = [reports.Item(f"sub/{name}::test_it", "test_it", "function", f"sub/{name}", [])]
    tree.set_exact(str(path), exact_items(reports.FileCollected(f"sub/{name}", str(path), items)))
    after = tree.snapshot.entries[str(path)].items()
    assert [item.sortText for item in after] == [item.sortText for item in before]


async def test_file_without_exact_items_vanishes(collected: ProjectTree, project: Path) -> None:
    changes: list[TreeChange] = []
    collected.listen(changes.append)
    path = project / "test_one.py"
    collected.set_exact(str(path), [])
    assert changes[-1].removed == (path.as_uri(),)
    assert str(path) not in collected.snapshot.entries


async def test_same_exact_items_again_are_no_change(collected: ProjectTree, project: Path) -> None:
    path = project / "test_one.py"
    collected.set_exact(str(path), exact(path, "test_first", "test_first[a]"))
    assert collected.snapshot.generation == 2


async def test_edit_on_disk_drops_exact_items(collected: ProjectTree, project: Path) -> None:
    path = write(project / "test_one.py", "def test_edited(): ...\n")
    await collected.refresh()
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_edited"]


async def test_edit_that_the_scan_cannot_see_drops_exact_items(
    collected: ProjectTree, project: Path
) -> None:
    """The body of a function: the static items are the same, what pytest finds may not be."""
    path = project / "test_one.py"
    path.write_text(path.read_text().replace("pass", "foo "))
    await collected.changed_on_disk([str(path)])
    assert ids(collected, path) == STATIC


async def test_buffer_hides_exact_items_until_it_is_closed(
    collected: ProjectTree, project: Path
) -> None:
    path = project / "test_one.py"
    await collected.edit("me", str(path), b"def test_unsaved(): ...\n")
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_unsaved"]
    await collected.closed("me", str(path))
    assert ids(collected, path) == EXACT


async def test_opened_file_keeps_its_exact_items(collected: ProjectTree, project: Path) -> None:
    path = project / "test_one.py"
    await collected.edit("me", str(path), path.read_bytes())
    assert ids(collected, path) == EXACT
    # And what was undone is as good as never typed.
    await collected.edit("me", str(path), b"def test_unsaved(): ...\n")
    await collected.edit("me", str(path), path.read_bytes())
    assert ids(collected, path) == EXACT


async def test_opened_file_is_not_scanned(
    collected: ProjectTree, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[object] = []
    for name in ("scan_one", "scan_all"):
        monkeypatch.setattr(scanning, name, scans.append)
    for path in (project / "test_one.py", write(project / "other.py", "x = 1\n")):
        await collected.edit("me", str(path), path.read_bytes())
        await collected.closed("me", str(path))
    assert not scans


async def test_byte_order_mark_is_no_difference(collected: ProjectTree, project: Path) -> None:
    path = project / "test_one.py"
    text = path.read_bytes()
    path.write_bytes(scanning.BYTE_ORDER_MARK + text)
    assert scanning.same_as_disk(str(path), text)
    assert not scanning.same_as_disk(str(path), text + b"\n")
    assert not scanning.same_as_disk(str(path / "no"), b"")


async def test_opened_and_closed_file_is_scanned_again_when_it_changes(
    collected: ProjectTree, project: Path
) -> None:
    path = project / "test_one.py"
    await collected.edit("me", str(path), path.read_bytes())
    await collected.closed("me", str(path))
    write(path, "def test_edited(): ...\n")
    await collected.refresh()
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_edited"]


async def test_saved_buffer_drops_exact_items(collected: ProjectTree, project: Path) -> None:
    path = project / "test_one.py"
    text = path.read_bytes() + b"\n\ndef test_more(): ...\n"
    await collected.edit("me", str(path), text)
    path.write_bytes(text)
    await collected.saved("me", str(path))
    assert ids(collected, path) == [*STATIC, "test_one.py::test_more"]


async def test_exact_items_of_a_file_with_an_unsaved_buffer_wait(
    collected: ProjectTree, project: Path
) -> None:
    path = project / "test_one.py"
    await collected.edit("me", str(path), b"def test_unsaved(): ...\n")
    collected.set_exact(str(path), exact(path, "test_first"))
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_unsaved"]
    await collected.left("me")
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_first"]


async def test_last_edited_buffer_counts(collected: ProjectTree, project: Path) -> None:
    path = project / "test_one.py"
    await collected.edit("one", str(path), b"def test_of_one(): ...\n")
    await collected.edit("two", str(path), b"def test_of_two(): ...\n")
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_of_two"]
    await collected.edit("one", str(path), b"def test_of_one_again(): ...\n")
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_of_one_again"]
    await collected.left("one")
    assert ids(collected, path) == ["test_one.py", "test_one.py::test_of_two"]
    await collected.left("two")
    assert ids(collected, path) == EXACT


async def test_buffer_of_a_file_that_does_not_exist_yet(tree: ProjectTree, project: Path) -> None:
    await tree.refresh()
    path = project / "test_new.py"
    await tree.edit("me", str(path), b"def test_new(): ...\n")
    path.write_bytes(b"def test_new(): ...\n")
    await tree.saved("me", str(path))
    assert ids(tree, path) == ["test_new.py", "test_new.py::test_new"]


async def test_buffer_of_a_conftest(tree: ProjectTree, project: Path) -> None:
    """It is no test file, and yet what it says unsaved decides what is one."""
    conftest = write(project / "conftest.py", "")
    await tree.refresh()
    await tree.edit("me", str(conftest), b"collect_ignore = ['test_one.py']\n")
    assert ids(tree, project / "test_one.py") == []
    await tree.left("me")
    assert ids(tree, project / "test_one.py") == STATIC


async def test_file_that_only_pytest_knows(tree: ProjectTree, project: Path) -> None:
    """A plugin's file in a folder without any tests of the scan's."""
    await tree.refresh()
    path = write(project / "data" / "cases.yaml", "a: 1\n")
    item = wire.TestItem(
        "data/cases.yaml", "cases.yaml", "file", [], False, True, "data", path.as_uri()
    )
    case = wire.TestItem(
        "data/cases.yaml::a", "a", "function", [], False, False, "data/cases.yaml", path.as_uri()
    )
    tree.set_exact(str(path), [item, case])
    assert ids(tree, path) == ["data/cases.yaml", "data/cases.yaml::a"]
    assert ids(tree, path.parent) == ["data"]
    tree.set_exact(str(path), [])
    assert ids(tree, path) == ids(tree, path.parent) == []


async def test_listener_that_has_left(tree: ProjectTree, project: Path) -> None:
    changes: list[TreeChange] = []
    leave = tree.listen(changes.append)
    await tree.refresh()
    assert len(changes) == 1
    leave()
    write(project / "test_one.py", "")
    await tree.refresh()
    assert len(changes) == 1
    assert tree.snapshot.generation == 2


async def test_cancelled_caller_loses_nothing(
    tree: ProjectTree, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanning_now, go_on = threading.Event(), threading.Event()
    scan_all = scanning.scan_all

    def held(*args: object) -> tuple[scanning.Scanned, set[str]]:
        scanning_now.set()
        go_on.wait(30)
        return scan_all(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scanning, "scan_all", held)

    async def caller() -> None:
        await tree.refresh()

    task = asyncio.create_task(caller())
    await asyncio.to_thread(scanning_now.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await tree.known()
    assert ids(tree, project / "test_one.py") == STATIC


async def test_refreshes_that_wait_are_one(
    tree: ProjectTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = []
    scan_all = scanning.scan_all

    def counted(*args: object) -> tuple[scanning.Scanned, set[str]]:
        scans.append(args)
        return scan_all(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scanning, "scan_all", counted)
    await asyncio.gather(*(tree.refresh() for _ in range(10)))
    assert len(scans) == 1


async def test_failed_scan_leaves_the_tree(
    tree: ProjectTree,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await tree.refresh()

    class PanicError(BaseException):
        """As Rust's panics arrive."""

    def fail(*_: object) -> tuple[scanning.Scanned, set[str]]:
        raise PanicError

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "scan_all", fail)
        await tree.refresh()
    assert [record for record in caplog.records if record.message == "scan failed"]
    assert ids(tree, project / "test_one.py") == STATIC
    write(project / "test_one.py", "def test_after(): ...\n")
    await tree.refresh()
    assert ids(tree, project / "test_one.py") == ["test_one.py", "test_one.py::test_after"]
