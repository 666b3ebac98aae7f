"""`fastcollect/discoverTests` and `fastcollect/testsChanged` over a real connection."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from editor_client import ANNOUNCED, Client, Plain, Server, serving, write

from fastcollect_lsp.editor import codec, wire

pytestmark = pytest.mark.asyncio

ONE = ["test_one.py", "test_one.py::test_first", "test_one.py::TestGroup"]


def functions(items: list[Plain]) -> list[str]:
    return [item["id"] for item in items if item["kind"] == "function"]


def by_uri(change: Plain) -> dict[str, list[str]]:
    """What a `testsChanged` replaces: ids by URI."""
    return {one["uri"]: [item["id"] for item in one["tests"]] for one in change["replaced"]}


async def discover(editor: Client, **params: object) -> list[str]:
    tests = (await editor.request("fastcollect/discoverTests", params))["tests"]
    return [item["id"] for item in tests]


async def test_same_ids_in_the_same_order_as_pytest(server: Server, project: Path) -> None:
    editor = await server.editor()
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    expected = [line for line in listed.stdout.splitlines() if "::" in line]
    assert len(expected) == 4
    assert functions(await editor.tree()) == expected


async def test_items_are_what_the_wire_types_say(server: Server) -> None:
    editor = await server.editor()
    known: set[str] = set()
    for plain in await editor.tree():
        item = codec.decode(wire.TestItem, plain)
        assert not plain.keys() - wire.TestItem.__dataclass_fields__.keys()
        assert item.parent is None or item.parent in known, "parents come first"
        assert item.uri is not None
        known.add(item.id)


async def test_parent_and_depth(server: Server) -> None:
    editor = await server.editor()
    assert sorted(await discover(editor, depth=1)) == ["sub", "test_one.py"]
    assert await discover(editor, parent="test_one.py") == [
        "test_one.py::test_first",
        "test_one.py::TestGroup",
        "test_one.py::TestGroup::test_inside",
    ]
    assert await discover(editor, parent="test_one.py", depth=1) == [
        "test_one.py::test_first",
        "test_one.py::TestGroup",
    ]
    assert await discover(editor, parent="test_one.py::TestGroup", depth=5) == [
        "test_one.py::TestGroup::test_inside"
    ]
    assert sorted(await discover(editor, parent="sub", depth=1)) == ["sub/deep", "sub/test_two.py"]
    assert set(await discover(editor, parent="sub")) == {
        "sub/deep",
        "sub/test_two.py",
        "sub/test_two.py::test_second",
        "sub/deep/test_three.py",
        "sub/deep/test_three.py::test_third",
    }
    assert await discover(editor, depth=0) == []
    assert await discover(editor, parent="gone.py") == []
    assert await discover(editor, parent="../..") == []


async def test_client_is_handed_the_tree_without_asking(server: Server, project: Path) -> None:
    editor = await server.editor()
    change = await editor.changed()
    tree = by_uri(change)
    assert change["removed"] == []
    assert set(tree) == {
        (project / name).as_uri()
        for name in ("sub", "sub/deep", "test_one.py", "sub/test_two.py", "sub/deep/test_three.py")
    }
    assert tree[(project / "sub").as_uri()] == ["sub"]
    # The second editor gets it as well, though nothing has changed.
    assert by_uri(await (await server.editor()).changed()) == tree


async def test_client_that_announced_nothing_gets_no_notifications(
    server: Server, project: Path
) -> None:
    mute, editor = await server.editor({}), await server.editor()
    await editor.changed()
    editor.open(project / "test_one.py", "def test_other(): ...\n")
    await editor.changed()
    assert "test_one.py::test_other" in await mute.ids()
    assert not [m for m in mute.received if m["method"].startswith("fastcollect/")]


async def test_client_that_asked_is_not_handed_the_tree_as_well(
    server: Server, project: Path
) -> None:
    editor = await server.connect()
    params = {"processId": None, "rootUri": None, "capabilities": ANNOUNCED}
    await editor.request("initialize", params)
    editor.notify("initialized", {})
    answer = await editor.request("fastcollect/discoverTests", {})
    editor.open(project / "test_one.py", "def test_other(): ...\n")
    change = await editor.changed()
    assert change["generation"] == answer["generation"] + 1
    assert list(by_uri(change)) == [(project / "test_one.py").as_uri()]


async def test_unsaved_buffer_changes_the_tree_of_every_editor(
    server: Server, project: Path
) -> None:
    path = project / "test_one.py"
    editor, other = await server.editor(), await server.editor()
    await editor.changed()
    await other.changed()
    editor.open(path)
    editor.change(path, "def test_unsaved():\n    pass\n")
    for one in (editor, other):
        change = await one.changed()
        assert by_uri(change) == {path.as_uri(): ["test_one.py", "test_one.py::test_unsaved"]}
        assert change["removed"] == []
    editor.shut(path)
    assert "test_one.py::test_first" in by_uri(await other.changed())[path.as_uri()]


async def test_answer_holds_what_was_typed_right_before(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    editor.open(path)
    for number in range(20):
        editor.change(path, f"def test_typed_{number}(): ...\n", version=number + 2)
        assert f"test_one.py::test_typed_{number}" in await editor.ids()


async def test_several_key_strokes_are_one_change(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    await editor.changed()
    editor.open(path, "")
    await editor.changed()
    for end, character in enumerate("def test_x(): ..."):
        at = {"line": 0, "character": end}
        editor.change(path, {"range": {"start": at, "end": at}, "text": character}, version=end + 2)
    change = await editor.changed()
    assert by_uri(change)[path.as_uri()] == ["test_one.py", "test_one.py::test_x"]
    assert set(await editor.ids()) >= {"test_one.py::test_x"}


async def test_unsaved_buffers_go_with_their_editor(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor, other = await server.editor(), await server.editor()
    await other.changed()
    editor.open(path, "def test_unsaved(): ...\n")
    await other.changed()
    await editor.close()
    assert "test_one.py::test_first" in by_uri(await other.changed())[path.as_uri()]


async def test_saved_buffer_is_the_file(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    editor.open(path)
    text = "def test_saved(): ...\n"
    editor.change(path, text)
    path.write_text(text)
    editor.save(path)
    editor.shut(path)
    assert "test_one.py::test_saved" in await editor.ids()
    assert server.host.saves == [str(path)]


async def test_broken_file_leaves_the_others(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    await editor.changed()
    editor.open(path, "def test_broken(:\n    pass\n")
    change = await editor.changed()
    assert [one["uri"] for one in change["replaced"]] == [path.as_uri()]
    assert change["replaced"][0]["tests"][0]["error"]
    assert change["removed"] == []
    ids = await editor.ids()
    assert "sub/test_two.py::test_second" in ids
    assert "sub/deep/test_three.py::test_third" in ids


async def test_files_come_and_go(server: Server, project: Path) -> None:
    editor = await server.editor()
    await editor.changed()
    new = write(project / "new" / "test_new.py", "def test_new(): ...\n")
    old = project / "sub" / "deep" / "test_three.py"
    old.unlink()
    changes = [{"uri": new.as_uri(), "type": 1}, {"uri": old.as_uri(), "type": 3}]
    editor.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    change = await editor.changed()
    assert by_uri(change) == {
        new.parent.as_uri(): ["new"],
        new.as_uri(): ["new/test_new.py", "new/test_new.py::test_new"],
    }
    assert set(change["removed"]) == {old.as_uri(), old.parent.as_uri()}
    assert change["generation"] == 2


async def test_following_changes_gives_the_tree(server: Server, project: Path) -> None:
    """A client that applies every change has what another one gets by asking."""
    editor, other = await server.editor(), await server.editor()
    following: dict[str, list[Plain]] = {}
    generation = 0

    async def follow() -> None:
        nonlocal generation
        change = await editor.changed()
        assert change["generation"] == generation + 1
        generation = change["generation"]
        for uri in change["removed"]:
            del following[uri]
        following.update({one["uri"]: one["tests"] for one in change["replaced"]})

    await follow()
    await other.tree()  # its first scan is over: it might see a file that is being written
    for step in range(12):
        name = f"part{step % 3}/test_step{step % 4}.py"
        write(project / name, f"def test_{step}(): ...\nclass TestC:\n    def test_m(self): ...\n")
        if step > 6:
            (project / f"part{step % 2}" / f"test_step{step % 2}.py").unlink(missing_ok=True)
        changes = [{"uri": (project / name).as_uri(), "type": 2}]
        other.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        await follow()
        asked = {item["id"]: item for item in await other.tree()}
        followed = {item["id"]: item for items in following.values() for item in items}
        assert followed == asked


async def test_project_without_tests(tmp_path: Path, sockets: Path) -> None:
    write(tmp_path / "empty" / "pytest.ini", "[pytest]\n")
    async with serving(tmp_path / "empty", sockets) as server:
        editor = await server.editor()
        assert await editor.changed() == {"generation": 0, "replaced": [], "removed": []}
        assert await editor.tree() == []


async def test_new_configuration(server: Server, project: Path) -> None:
    from fastcollect_lsp._core import Scan, project_config

    editor = await server.editor()
    await editor.changed()
    write(project / "check_it.py", "def test_checked(): ...\n")
    (project / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    config = project_config(str(project))
    await server.host.tree.rescan_with(Scan(config), config.root)
    change = await editor.changed()
    assert (project / "test_one.py").as_uri() in change["removed"]
    assert await editor.ids() == ["check_it.py", "check_it.py::test_checked"]


async def test_big_tree(tmp_path: Path, sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10,000 tests in 500 files; the times are printed, not judged."""
    root = tmp_path / "big"
    write(root / "pytest.ini", "[pytest]\n")
    body = "".join(f"def test_number_{n}():\n    assert {n} == {n}\n\n\n" for n in range(20))
    for number in range(500):
        write(root / f"part{number // 50}" / f"test_file_{number}.py", body)
    async with serving(root, sockets) as server:
        began = time.perf_counter()
        editor = await server.editor()
        await editor.changed()
        scanned = time.perf_counter()
        tests = await editor.tree()
        asked = time.perf_counter()
        symbols = await editor.request("workspace/symbol", {"query": "number_19"})
        searched = time.perf_counter()
        path = root / "part0" / "test_file_0.py"
        editor.open(path, "def test_typed(): ...\n")
        await editor.changed()
        typed = time.perf_counter()
        snapshot = server.host.tree.snapshot
        began_answer = time.perf_counter()
        answer = codec.encode(snapshot.discover(None, None, str(root)))
        answered = time.perf_counter()
    assert len(functions(tests)) == 10_000
    assert len(symbols) == 500
    with capsys.disabled():
        print(
            f"\n10,000 tests: connect, scan, push {ms(scanned - began)}; discoverTests with the"
            f" client's parsing {ms(asked - scanned)}; workspace/symbol {ms(searched - asked)};"
            f" unsaved edit to testsChanged {ms(typed - searched)}; the answer alone"
            f" ({len(answer) / 1e6:.1f} MB) {ms(answered - began_answer)}"
        )


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


async def test_scan_does_not_block_the_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another editor is answered while a scan is going on."""
    import threading

    from fastcollect_lsp.editor import scanning

    scanning_now, go_on = threading.Event(), threading.Event()
    scan_all = scanning.scan_all

    def held(*args: object) -> tuple[scanning.Scanned, set[str]]:
        scanning_now.set()
        go_on.wait(30)
        return scan_all(*args)  # type: ignore[arg-type]

    editor = await server.editor()
    await editor.changed()
    monkeypatch.setattr(scanning, "scan_all", held)
    refreshed = asyncio.ensure_future(server.host.tree.refresh())
    await asyncio.to_thread(scanning_now.wait, 30)
    assert (await editor.request("fastcollect/status"))["state"] == "warm"
    assert not refreshed.done()
    go_on.set()
    await refreshed


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
async def test_every_depth_below_every_item(server: Server, project: Path, depth: int) -> None:
    """The short ways to an answer find what the long one does."""
    write(
        project / "sub" / "test_nested.py",
        """\
        import pytest

        class TestOuter:
            class TestInner:
                @pytest.mark.parametrize("text", ['},{"id":', '"kind":"case"', "plain"])
                def test_cases(self, text): ...

                def test_plain(self): ...

        @pytest.mark.parametrize("n", range(5))
        def test_top(n): ...
        """,
    )
    editor = await server.editor()
    tree = await editor.tree()
    assert sum(item["kind"] == "case" for item in tree) == 8
    for parent in (None, *(item["id"] for item in tree)):
        levels = {parent: 0}
        expected = []
        for item in tree:
            above = levels.get(item.get("parent"))
            if above is not None and above < depth:
                levels[item["id"]] = above + 1
                expected.append(item)
        params = {"depth": depth} | ({} if parent is None else {"parent": parent})
        found = await editor.request("fastcollect/discoverTests", params)
        assert found["tests"] == expected
