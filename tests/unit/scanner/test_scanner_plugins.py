"""Plugins that are installed: their fixtures count, and what their hooks may do is declared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastcollect_lsp._core import Scan, project_config
from fastcollect_lsp.arguments import of_project
from tests.unit.scanner.scanner_support import Tree, collect, write_files

TESTS = {
    "pytest.ini": "[pytest]\n",
    "test_a.py": (
        "import pytest\n"
        "def test_plain(): pass\n"
        "def test_simple(simple): pass\n"
        "@pytest.mark.parametrize('x', ['a', 'b'])\n"
        "def test_sized(sized, x): pass\n"
        "class TestA:\n    def test_deep(self, deep): pass\n"
    ),
}

FIXTURES = (
    "import pytest\n"
    "@pytest.fixture\ndef simple(): pass\n"
    "@pytest.fixture(params=[1, 2], ids=['one', 'two'])\ndef sized(request): pass\n"
    "@pytest.fixture\ndef deep(sized): pass\n"
)
AUTOUSE = "@pytest.fixture(params=['x', 'y'], autouse=True)\ndef always(request): pass\n"


def install(site: Path, plugin: str, name: str = "made", entry: str = "made_plugin") -> None:
    """As pip would install a distribution with one plugin."""
    metadata = f"{name}-1.0.dist-info"
    write_files(
        site,
        {
            f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{metadata}/entry_points.txt": f"[pytest11]\n{name} = {entry}\n",
            "made_plugin.py": plugin,
        },
    )


def scan(root: Path, site: Path, options: Sequence[str] = ()) -> Tree:
    config = project_config(str(root), options=options, search_path=[str(site), *sys.path])
    made = Scan(config)
    made.refresh()
    return Tree.of(made)


def test_fixtures_are_read(root: Path, scratch: Path) -> None:
    write_files(root, TESTS)
    install(scratch, FIXTURES + AUTOUSE)
    tree = scan(root, scratch)
    collected = collect(Path(sys.executable), root, scratch, autoload=True)
    assert [item["id"] for item in tree.leaves] == list(collected.ids)
    assert not [item["id"] for item in tree.items if item["dynamic"]]


@pytest.mark.parametrize(
    ("plugin", "reason", "dynamic"),
    [
        (
            "def pytest_collection_modifyitems(items): items[:] = items[1:]\n",
            "the plugin made has pytest_collection_modifyitems",
            {"test_a.py", "test_a.py::test_plain", "test_a.py::test_sized"},
        ),
        (
            "def pytest_generate_tests(metafunc):\n"
            "    if 'simple' in metafunc.fixturenames: metafunc.parametrize('simple', [1])\n",
            "the plugin made has pytest_generate_tests",
            {"test_a.py::test_simple"},
        ),
        (
            "def pytest_collect_file(file_path, parent):\n"
            "    if file_path.suffix == '.py': return None\n",
            "the plugin made has pytest_collect_file",
            {"test_a.py"},
        ),
        (
            "from made_hooks import pytest_itemcollected\n",
            "the plugin made has pytest_itemcollected",
            {"test_a.py", "test_a.py::test_plain"},
        ),
        (
            "def pytest_collect_file(file_path, parent):\n"
            "    if file_path.suffix == '.yaml': return None\n"
            "def pytest_collection_modifyitems(items):\n"
            "    for item in items: item.add_marker('x')\n",
            None,
            set(),
        ),
    ],
    ids=["modifyitems", "generate_tests", "collect_file", "imported", "harmless"],
)
def test_hooks_are_declared(
    root: Path, scratch: Path, plugin: str, reason: str | None, dynamic: set[str]
) -> None:
    files = TESTS["test_a.py"].replace("deep", "tmp_path").replace("sized", "capsys")
    write_files(root, {**TESTS, "test_a.py": files})
    install(scratch, FIXTURES + plugin)
    write_files(scratch, {"made_hooks.py": "def pytest_itemcollected(item): item._nodeid += 'x'\n"})
    tree = scan(root, scratch)
    names = {name.replace("sized", "capsys") for name in dynamic}
    found = {item["id"] for item in tree.items if item["dynamic"]}
    assert names <= found and bool(names) == bool(found)
    assert {item["reason"] for item in tree.items if item["dynamic"]} == ({reason} - {None})
    if reason is None:
        collected = collect(Path(sys.executable), root, scratch, autoload=True)
        assert [item["id"] for item in tree.leaves] == list(collected.ids)


def test_an_object_that_only_running_makes(root: Path, scratch: Path) -> None:
    write_files(root, TESTS)
    install(scratch, "class Plugin: pass\nplugin = Plugin()\n", entry="made_plugin:plugin")
    tree = scan(root, scratch)
    assert tree.by_id["test_a.py::test_plain"]["reason"] == "what the plugin made does is not read"


@pytest.mark.parametrize(
    ("environ", "is_loaded"),
    [
        ({}, True),
        ({"PYTEST_ADDOPTS": "-p no:made"}, False),
        ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, False),
        ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p made"}, True),
        ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "made_plugin"}, True),
        ({"PYTEST_ADDOPTS": "-p 'no:made"}, True),  # not understood: as if it were not there
    ],
    ids=str,
)
def test_which_plugins_are_loaded(
    root: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    is_loaded: bool,
) -> None:
    write_files(root, TESTS)
    install(scratch, FIXTURES)
    monkeypatch.syspath_prepend(str(scratch))
    made = Scan(of_project(str(root), environ))
    made.refresh()
    assert ("test_a.py::test_sized[one-a]" in Tree.of(made).by_id) == is_loaded


def test_a_plugin_that_is_installed_later(root: Path, scratch: Path) -> None:
    write_files(root, TESTS)
    made = Scan(project_config(str(root), search_path=[str(scratch), *sys.path]))
    made.refresh()
    assert made.refresh() == []
    install(scratch, FIXTURES)
    assert made.refresh() == [str(root / "test_a.py")]
    assert "test_a.py::test_sized[one-a]" in Tree.of(made).by_id
