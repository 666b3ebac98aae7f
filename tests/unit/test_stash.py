"""Modules executed ahead of time are handed out in the order in which a run imports them."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from pytest_fastcollect.stash import Effects, Stash

FILES = {
    "st_top.py": "import st_log; st_log.note(__name__)\nimport st_low, st_pkg.sub\nVALUE = 1\n",
    "st_low.py": "import st_log; st_log.note(__name__)\n",
    "st_pkg/__init__.py": "import st_log; st_log.note(__name__)\n",
    "st_pkg/sub.py": "import st_log; st_log.note(__name__)\n",
    "st_other.py": "import st_log; st_log.note(__name__)\nimport st_low\n",
    "st_self.py": "import sys\nclass Me: pass\nMe.__spec__ = __spec__\n"
    "sys.modules[__name__] = Me()\n",
    "st_bare.py": "import sys\nclass Me: pass\nsys.modules[__name__] = Me()\n",
    "st_log.py": "SEEN = []\ndef note(name): SEEN.append(name)\n",
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(AssertionRewritingHook, "find_spec", AssertionRewritingHook.find_spec)
    importlib.import_module("st_log")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("st_")]:
        del sys.modules[name]


def ahead(stash: Stash, name: str, step: int) -> list[str]:
    """Execute a module as a step of a replay does; the names that it brought, as they completed."""
    starts: dict[str, int] = {}

    class Counts:
        @staticmethod
        def find_spec(found: str, path: object, target: object = None) -> None:
            starts[found] = len(starts) + 1

    before = set(sys.modules)
    sys.meta_path.insert(0, Counts)
    try:
        importlib.import_module(name)
    finally:
        sys.meta_path.remove(Counts)
    fresh = [each for each in sys.modules if each not in before]
    stash.add(fresh, starts, step, None)
    return fresh


def present() -> list[str]:
    return [name for name in sys.modules if name.startswith("st_") and name != "st_log"]


def executions() -> list[str]:
    seen: list[str] = sys.modules["st_log"].SEEN
    return seen


NATURAL = ["st_low", "st_pkg", "st_pkg.sub", "st_top"]


def test_natural_order(library: Path) -> None:
    stash = Stash()
    assert sorted(ahead(stash, "st_top", 0)) == sorted(NATURAL)
    order, executed = present(), list(executions())
    ahead(stash, "st_other", 1)
    modules = {name: sys.modules[name] for name in present()}

    stash.hide()
    assert present() == []
    stash.install()
    assert importlib.import_module("st_top").VALUE == 1
    assert present() == order
    assert executions() == [*executed, "st_other"], "executed again"
    assert all(sys.modules[name] is modules[name] for name in present())
    assert "st_other" not in sys.modules, "handed out before it was imported"
    assert importlib.import_module("st_other") is modules["st_other"]
    assert executions().count("st_other") == 1


def test_part_of_a_step_alone(library: Path) -> None:
    """A run may import first what the recorded one imported as part of something else."""
    stash = Stash()
    ahead(stash, "st_top", 0)
    stash.hide()
    stash.install()
    importlib.import_module("st_low")
    assert present() == ["st_low"]
    importlib.import_module("st_pkg.sub")
    assert present() == ["st_low", "st_pkg", "st_pkg.sub"]
    importlib.import_module("st_top")
    assert present() == NATURAL
    assert len(executions()) == 4


def test_specs_and_loaders_are_the_natural_ones(library: Path) -> None:
    stash = Stash()
    ahead(stash, "st_top", 0)
    before = {name: (sys.modules[name].__spec__, sys.modules[name].__loader__) for name in NATURAL}
    stash.hide()
    stash.install()
    importlib.import_module("st_top")
    for name in NATURAL:
        module = sys.modules[name]
        assert (module.__spec__, module.__loader__) == before[name]
        assert not getattr(module.__spec__, "_initializing", False)
    assert sys.modules["st_pkg"].sub is sys.modules["st_pkg.sub"]


def test_another_file_of_that_name(library: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The stash stands for one file; what shadows it is executed itself."""
    stash = Stash()
    ahead(stash, "st_low", 0)
    stash.hide()
    stash.install()
    shadow = tmp_path_factory.mktemp("shadow")
    (shadow / "st_low.py").write_text("SHADOW = True\n")
    sys.path.insert(0, str(shadow))
    importlib.invalidate_caches()
    try:
        assert importlib.import_module("st_low").SHADOW
    finally:
        sys.path.remove(str(shadow))


def test_file_that_is_gone(library: Path) -> None:
    stash = Stash()
    ahead(stash, "st_low", 0)
    stash.hide()
    stash.install()
    (library / "st_low.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("st_low")


def test_module_that_replaced_itself(library: Path) -> None:
    stash = Stash()
    ahead(stash, "st_self", 0)
    replaced = sys.modules["st_self"]
    stash.hide()
    stash.install()
    assert importlib.import_module("st_self") is replaced


def test_replacement_without_a_spec_is_left_to_the_run(library: Path) -> None:
    """Which file it stands for cannot be told: it is executed as in a cold run."""
    stash = Stash()
    ahead(stash, "st_bare", 0)
    replaced = sys.modules["st_bare"]
    stash.hide()
    stash.install()
    anew = importlib.import_module("st_bare")
    assert type(anew).__name__ == "Me"
    assert anew is not replaced


def test_effects_come_with_the_import(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ST_GONE", "1")
    monkeypatch.delenv("ST_NEW", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    restored: list[int] = []
    stash = Stash()
    ahead(stash, "st_top", 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("seen at import", UserWarning, stacklevel=1)
    stash.entries[-1].effects = Effects(
        path_before=list(sys.path),
        path_after=["/st/first", *sys.path],
        environ={"ST_NEW": "set", "ST_GONE": None},
        warnings=list(caught),
        restore=[lambda: restored.append(1)],
    )
    stash.hide()
    stash.install()
    importlib.import_module("st_low")
    assert "ST_NEW" not in os.environ
    with pytest.warns(UserWarning, match="seen at import"):
        importlib.import_module("st_top")
    assert (os.environ["ST_NEW"], os.environ.get("ST_GONE")) == ("set", None)
    assert sys.path[0] == "/st/first"
    assert restored == [1]
    del sys.modules["st_top"]
    importlib.import_module("st_top")
    assert restored == [1], "effects happen once"


def test_effects_on_a_path_that_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/own", "/a", "/b"])
    Effects(path_before=["/a", "/b"], path_after=["/new", "/b"]).apply()
    assert sys.path == ["/new", "/own", "/b"]
