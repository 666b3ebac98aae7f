"""Edits of the content of one file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edits import KINDS, all_sources, all_tests, kind, pick, renumber
from worlds import World


def _value_kind(name: str, find: Callable[[World], Sequence[Path]]) -> None:
    def change(world: World, choice: int, way: str) -> Iterator[None]:
        path = pick(find(world), choice)
        if path is not None:
            world.put(path, renumber(path.read_text(), choice), way)
            yield

    KINDS[name] = change


_value_kind("value in a test", lambda world: list(world.tests.glob("test_probe_[dvw]*.py")))
_value_kind("value in a source", lambda world: list(world.probe.glob("src/probe_product/*.py")))
_value_kind("value in a single module", lambda world: [world.probe / "src/probe_single.py"])
_value_kind("value in a helper", lambda world: [world.tests / "lib/probe_helper.py"])
_value_kind("value in a conftest", lambda world: [world.tests / "conftest.py"])
_value_kind("value in a nested conftest", lambda world: [world.tests / "inner/conftest.py"])
_value_kind("value in one of many modules", lambda w: list(w.probe.glob("src/probe_bulk/m*.py")))
_value_kind("value in an installed module", lambda world: list(world.site.glob("probe_[is]*.py")))
_value_kind("value in a linked module", lambda world: list(world.tests.glob("variants/**/*.py")))
_value_kind("data file", lambda world: list(world.tests.glob("data/*.*")))
_value_kind("package data", lambda world: [world.probe / "src/probe_product/resource.txt"])


@kind("number somewhere in the suite's tests")
def _number_in_suite_test(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([world.root / name for name in world.template.base.tests], choice)
    if path is not None and renumber(path.read_text(), choice) != path.read_text():
        world.put(path, renumber(path.read_text(), choice), way)
        yield


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno > node.lineno
    ]


def _insert(path: Path, choice: int, statement: str, prefix: str = "") -> str | None:
    """The text with a statement at the beginning of one of its functions."""
    text = path.read_text()
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    functions = [node for node in _functions(tree) if node.name.startswith(prefix)]
    if not functions:
        return None
    first = functions[choice % len(functions)].body[0]
    lines = text.splitlines(keepends=True)
    lines.insert(first.lineno - 1, f"{' ' * first.col_offset}{statement}\n")
    return "".join(lines)


@kind("assertion added to a test")
def _assertion(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is not None and (text := _insert(path, choice, f"assert not {choice}", "test")):
        world.put(path, text, way)
        yield


@kind("function of a source raises")
def _raise(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_sources(world), choice)
    if path is not None and (text := _insert(path, choice, f"raise RuntimeError({choice})")):
        world.put(path, text, way)
        yield
        world.undo()
        yield


@kind("source warns when imported")
def _warn(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_sources(world), choice)
    if path is not None:
        world.append(path, f"\nimport warnings as _w{choice}\n_w{choice}.warn('edited {choice}')\n")
        yield
        if choice % 2:
            world.undo()
            yield


@kind("test added")
def _add_test(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is not None:
        world.append(path, f"\n\ndef test_added_{choice}():\n    assert {choice} % 2\n")
        yield


@kind("test removed")
def _remove_test(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is None:
        return
    text = path.read_text()
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if tests:
        node = tests[choice % len(tests)]
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = text.splitlines(keepends=True)
        del lines[first - 1 : node.end_lineno]
        world.put(path, "".join(lines), way)
        yield


@kind("test renamed")
def _rename_test(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is not None:
        text = path.read_text()
        names = re.findall(r"(?m)^ *def (test_\w+)", text)
        if names:
            name = names[choice % len(names)]
            world.put(path, text.replace(f"def {name}(", f"def {name}_{choice}("), way)
            yield


@kind("fixture added to a conftest")
def _add_fixture(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(list(world.tests.glob("**/conftest.py")), choice)
    if path is not None:
        world.append(
            path, f"\n\n@pytest.fixture(autouse=True)\ndef added_{choice}():\n    assert {choice}\n"
        )
        yield


_HOOKS = (
    "pytest_plugins = ['probe_slow', 'probe_single']\n",
    "def pytest_collection_modifyitems(items):\n    items.reverse()\n",
    "def pytest_configure(config):\n    import probe_single\n    probe_single.VALUE = 999\n",
    "def pytest_generate_tests(metafunc):\n"
    "    if 'number' in metafunc.fixturenames:\n"
    "        metafunc.parametrize('number', [100, 555])\n",
    "def pytest_ignore_collect(collection_path):\n"
    "    return 'inner' in collection_path.parts or None\n",
    "def pytest_itemcollected(item):\n    item.add_marker('skip')\n",
    "def pytest_report_header():\n    return f'header {VALUE}'\n",
    "def pytest_sessionstart():\n    import os\n    os.environ['PROBE_MODE'] = 'by a hook'\n",
)


@kind("hook or plugin added to a conftest")
def _add_hook(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(list(world.tests.glob("**/conftest.py")), choice)
    if path is not None:
        world.put(path, path.read_text() + "\n\n" + _HOOKS[choice % len(_HOOKS)], way)
        yield
        world.undo()
        yield


@kind("syntax broken, then repaired")
def _break(world: World, choice: int, way: str) -> Iterator[None]:
    paths = [*all_tests(world), *all_sources(world), *world.tests.glob("**/conftest.py")]
    path = pick(paths, choice)
    if path is not None:
        world.put(path, path.read_text() + "\ndef broken(:\n", way)
        yield
        world.undo()
        yield


@kind("import fails, then works again")
def _fail(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([*all_sources(world), *world.tests.glob("**/conftest.py")], choice)
    if path is not None:
        world.put(path, path.read_text() + f"\nraise ValueError({choice})\n", way)
        yield
        world.undo()
        yield


@kind("line endings and encoding")
def _encode(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is not None:
        text = renumber(path.read_text(), choice)
        data = text.replace("\n", "\r\n").encode()
        world.put(path, data if choice % 2 else b"\xef\xbb\xbf" + text.encode(), way)
        yield
