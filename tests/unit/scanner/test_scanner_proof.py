"""`InputSet` from Python: its interface; what counts as a change is tested in Rust."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fastcollect_lsp._core import InputSet


def test_nothing_is_proven_at_once(root: Path) -> None:
    inputs = InputSet([], [])
    assert len(inputs) == 0 and inputs.changed() == [] and inputs.newest_ctime_ns == 0


def test_files_and_directories(root: Path) -> None:
    file, absent, module = root / "a.txt", root / "sub/b.py", root / "c.py"
    file.write_text("x")
    inputs = InputSet([str(file), str(absent)], [str(root), str(root / "sub")])
    assert len(inputs) == 4
    assert inputs.newest_ctime_ns == file.stat().st_ctime_ns
    assert inputs.taken_ns >= inputs.newest_ctime_ns - 10**9
    assert inputs.changed() == []
    module.write_text("")
    assert inputs.changed() == [str(root)]
    module.unlink()
    assert inputs.changed() == [], "the same names as before"
    absent.parent.mkdir()
    absent.write_text("")
    file.write_text("y")
    assert inputs.changed() == [str(file), str(absent), str(root), str(root / "sub")]
    assert inputs.changed(limit=1) == [str(file)]
    assert len(inputs.changed(0)) == 1, "no limit makes a change invisible"


def test_links_of_links(root: Path) -> None:
    (root / "a.py").write_text("")
    (root / "b.py").symlink_to("a.py")
    (root / "c.py").symlink_to("b.py")
    inputs = InputSet([str(root / "c.py")], [])
    (root / "a.py").write_text("changed")
    assert inputs.changed() == [str(root / "c.py")]


def test_many_inputs_from_several_threads(root: Path) -> None:
    names = [str(root / f"{number}.py") for number in range(3_000)]
    for name in names[::2]:
        Path(name).write_text("")
    inputs = InputSet(names, [str(root)])
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(inputs.changed(5_000))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[]] * 4
    for name in names[1::2]:
        Path(name).write_text("")
    assert inputs.changed(5_000) == [*names[1::2], str(root)]


@pytest.mark.parametrize("arguments", [(None, []), (["a", 1], []), ("abc", [])])
def test_wrong_types_are_refused(arguments: tuple[object, object]) -> None:
    with pytest.raises(TypeError):
        InputSet(*arguments)  # type: ignore[arg-type]
