"""Bytecode that is older than its source: trusted again only if it says what the source says."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import warnings
from pathlib import Path

import pytest

from pytest_fastcollect import bytecode

LONG_AGO = (1e9, 1e9)
TEXT = "def f():\n    # a comment\n    return 1\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with bytecode, as it is in an environment that was unpacked: with all its times, but
    for that of the last change."""
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "module.py"
    path.write_text(TEXT)
    os.utime(path, LONG_AGO)
    py_compile.compile(str(path), cached(path))
    os.utime(cached(path), LONG_AGO)
    # In truth it takes longer: the source was there before somebody asks.
    monkeypatch.setattr(bytecode, "_TICK_NS", -1_000_000_000)
    return path


def cached(path: Path) -> str:
    return importlib.util.cache_from_source(str(path))


def change(path: Path, text: str) -> None:
    """As an edit that keeps time and size, which CPython does not see."""
    assert len(text) == len(path.read_text())
    path.write_text(text)
    os.utime(path, LONG_AGO)


def test_right(source: Path) -> None:
    content = Path(cached(source)).read_bytes()
    assert bytecode.may_be_stale(str(source), cached(source))
    assert bytecode.renew(str(source), cached(source))
    assert not bytecode.may_be_stale(str(source), cached(source))
    assert Path(cached(source)).read_bytes() == content


@pytest.mark.parametrize(
    "text",
    [TEXT.replace("1", "2"), "def f():\n    return 1\n    # a comment\n", "def f(:" + TEXT[7:]],
    ids=["another value", "another line", "broken"],
)
def test_stale(source: Path, text: str) -> None:
    change(source, text)
    assert not bytecode.renew(str(source), cached(source))
    assert bytecode.may_be_stale(str(source), cached(source))


def test_changed_meanwhile(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("sys.dont_write_bytecode", False)

    def compile_late(*args: object, **kwargs: object) -> object:
        code = compile(*args, **kwargs)  # type: ignore[call-overload]
        change(source, TEXT.replace("1", "2"))
        return code

    monkeypatch.setattr(bytecode, "compile", compile_late, raising=False)
    bytecode.renew(str(source), cached(source))
    assert bytecode.may_be_stale(str(source), cached(source))


def test_not_to_be_written(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert not bytecode.renew(str(source), cached(source))


@pytest.mark.parametrize("mode", ["CHECKED_HASH", "UNCHECKED_HASH"])
def test_of_another_kind(source: Path, mode: str) -> None:
    kind = py_compile.PycInvalidationMode[mode]
    py_compile.compile(str(source), cached(source), invalidation_mode=kind)
    assert not bytecode.renew(str(source), cached(source))


def test_with_another_name(source: Path, tmp_path: Path) -> None:
    """Another source may stand beside that one."""
    os.link(cached(source), tmp_path / "other.pyc")
    assert not bytecode.renew(str(source), cached(source))


def test_below_a_prefix(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path / "prefix"))
    py_compile.compile(str(source), cached(source))
    assert not bytecode.renew(str(source), cached(source))


def test_nested_too_deeply(source: Path) -> None:
    source.write_text("+" * 100_000 + "1")
    assert not bytecode.renew(str(source), cached(source))


def test_what_the_compiler_warns_of_is_not_shown(source: Path) -> None:
    """As where bytecode is used."""
    source.write_text('VALUE = "\\d"\n')
    with warnings.catch_warnings(record=True) as first:
        warnings.simplefilter("always")
        py_compile.compile(str(source), cached(source))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert bytecode.renew(str(source), cached(source))
    assert (len(first), caught) == (1, [])


@pytest.mark.parametrize("content", [b"", b"\0" * 40, importlib.util.MAGIC_NUMBER + bytes(12)])
def test_damaged(source: Path, content: bytes) -> None:
    Path(cached(source)).write_bytes(content)
    assert not bytecode.renew(str(source), cached(source))
