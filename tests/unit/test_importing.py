"""`sys.path` is, before a file is imported ahead, as `import_path` leaves it before it imports."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.pathlib import import_path

from fastcollect_lsp.protocol import Record, RunKey
from pytest_fastcollect.importing import path_with_root

FILES = (
    "plain/test_one.py", "plain/test_two.py", "plain/test-three.py", "plain/__init__x.py",
    "package/__init__.py", "package/test_four.py", "package/inner/__init__.py",
    "package/inner/test_five.py", "package/without/test_six.py", "a-b/__init__.py",
    "a-b/test_seven.py", "test_eight.py", "space/deep/__init__.py", "space/deep/test_nine.py",
    "space/deep/test_ten.py",
)  # fmt: skip


def record(root: Path, mode: str, namespaces: bool = False) -> Record:
    key = RunKey("{}", "{}", (), dynamic=False)
    return Record(
        key=key, identity="", argv=[], cwd=str(root), root=str(root), import_mode=mode,
        consider_namespace_packages=namespaces, python_files=[], rewrite_marks=[], rewritten=[],
        warning_filters=[], warning_options=[], segments=[], directories=[], tests=0, hooks=None,
        idle_timeout_min=30.0,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("namespaces", [False, True])
@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_nothing_is_left_to_add(mode: str, namespaces: bool, root: Path) -> None:
    roots: dict[Path, str] = {}
    options = {"consider_namespace_packages": namespaces} if _knows_namespaces() else {}
    for name in FILES:
        wanted = path_with_root(root / name, record(root, mode, namespaces), roots)
        import_path(root / name, mode=mode, root=root, **options)
        assert sys.path == wanted, name
        sys.path[:] = wanted


def test_what_can_be_imported_by_then_decides(root: Path) -> None:
    """Of a namespace package: its parent may have come to be on `sys.path` meanwhile."""
    if not _knows_namespaces():
        pytest.skip("pytest before 8.1")
    roots: dict[Path, str] = {}
    here = record(root, "prepend", namespaces=True)
    first = path_with_root(root / "space/deep/test_nine.py", here, roots)
    assert first[0] == str(root / "space")
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    assert path_with_root(root / "space/deep/test_ten.py", here, roots)[0] == str(root)


def _knows_namespaces() -> bool:
    return pytest.version_tuple >= (8, 1)
