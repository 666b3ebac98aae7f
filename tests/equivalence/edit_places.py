"""Edits by which files, directories and links come, go and change places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import overlay
from edits import KINDS, all_sources, all_tests, kind, pick, toggle, value
from worlds import World


def _toggle_kind(name: str, find: Callable[[World, int], tuple[Path, str]]) -> None:
    def change(world: World, choice: int, way: str) -> Iterator[None]:
        path, text = find(world, choice)
        toggle(world, path, text, way)
        yield

    KINDS[name] = change


_SHADOWS = (
    "probe_single.py",
    "probe_installed.py",
    "colorsys.py",
    "probe_bulk.py",
    "probe_slow.py",
)
_NEW_TEST = "def test_new():\n    assert {}\n"

_toggle_kind(
    "test file comes or goes",
    lambda world, choice: (
        world.tests / ("", "inner", "new")[choice % 3] / f"test_probe_new{choice % 3}.py",
        _NEW_TEST.format(choice),
    ),
)
_toggle_kind(
    "module on an earlier path shadows another",
    lambda world, choice: (
        (world.tests / "lib", world.tests)[choice % 2] / _SHADOWS[choice // 2 % len(_SHADOWS)],
        value(choice) + "TOTAL = VALUE\n__path__ = []\n",
    ),
)
_toggle_kind(
    "package shadows a module",
    lambda world, choice: (
        (world.probe / "src/probe_single" if choice % 2 else world.tests / "lib/probe_helper")
        / "__init__.py",
        value(choice),
    ),
)
_toggle_kind(
    "__init__.py comes or goes",
    lambda world, choice: (
        (world.tests / "inner", world.tests, world.probe)[choice % 3] / "__init__.py",
        "",
    ),
)
_toggle_kind(
    "conftest.py comes or goes",
    lambda world, choice: (
        (world.probe, world.tests / "inner/deeper", world.tests / "lib")[choice % 3]
        / "conftest.py",
        overlay.FIXTURE.format(300 + choice % 600),
    ),
)
_toggle_kind(
    "module that was looked for and absent",
    lambda world, choice: (
        (
            world.tests / "lib/probe_absent.py",
            world.probe / "src/probe_absent/__init__.py",
            world.site / "probe_absent.py",
            world.tests / "lib/probe_optional.py",
        )[choice % 4],
        value(choice),
    ),
)
_toggle_kind(
    "file in a directory that is globbed",
    lambda world, choice: (world.tests / f"data/globbed/new{choice % 3}.case", str(choice)),
)
_toggle_kind(
    "file in a directory that is walked",
    lambda world, choice: (world.tests / f"data/tree/{('', 'branch')[choice % 2]}/new", ""),
)
_toggle_kind(
    "file that is asked for",
    lambda world, choice: (world.tests / "data" / ("flag", "large/big.file")[choice % 2], "yes"),
)
_toggle_kind(
    "module in a package that is listed",
    lambda world, choice: (world.probe / f"src/probe_bulk/new{choice % 2}.py", value(choice)),
)


@kind("root conftest.py comes or goes")
def _root_conftest(world: World, choice: int, way: str) -> Iterator[None]:
    path = world.root / "conftest.py"
    if path.exists():
        world.put(path, path.read_text() + f"\nADDED_{choice} = {choice}\n", way)
        yield
    world.put(path, overlay.FIXTURE.format(400), way)
    yield
    world.remove(path)
    yield


@kind("file removed and restored")
def _remove(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([*all_tests(world), *all_sources(world)], choice)
    if path is not None:
        world.remove(path)
        yield
        world.undo()
        yield


@kind("file renamed")
def _rename(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(all_tests(world), choice)
    if path is not None:
        world.rename(path, path.with_name(f"{path.stem}_r.py"))
        yield
        world.rename(path.with_name(f"{path.stem}_r.py"), path)
        yield


@kind("two files swapped")
def _swap(world: World, choice: int, way: str) -> Iterator[None]:
    places = (
        (world.tests / "test_probe_values.py", world.tests / "test_probe_data.py"),
        (world.probe / "src/probe_single.py", world.tests / "lib/probe_helper.py"),
        (world.tests / "conftest.py", world.tests / "inner/conftest.py"),
    )
    one, two = places[choice % len(places)]
    if one.is_file() and two.is_file():
        aside = one.with_name("aside")
        world.rename(one, aside)
        world.rename(two, one)
        world.rename(aside, two)
        yield


@kind("link to a module retargeted")
def _retarget_module(world: World, choice: int, way: str) -> Iterator[None]:
    world.link(
        world.tests / "lib/linked.py",
        f"../variants/{('a.py', 'b.py', 'nowhere.py', 'one/inside.py')[choice % 4]}",
    )
    yield


@kind("link to a directory retargeted")
def _retarget_directory(world: World, choice: int, way: str) -> Iterator[None]:
    world.link(
        world.tests / "lib/linked_directory",
        f"../variants/{('one', 'two', 'nowhere')[choice % 3]}",
    )
    yield


@kind("link that is only looked at retargeted")
def _retarget_pointer(world: World, choice: int, way: str) -> Iterator[None]:
    target = ("../cases.txt", "../cases.csv", "nowhere")[choice % 3]
    world.link(world.tests / "data/links/pointer", target)
    yield


@kind("link replaced by a file")
def _replace_link(world: World, choice: int, way: str) -> Iterator[None]:
    path = world.tests / "lib/linked.py"
    if path.is_symlink():
        world.remove(path)
        world.put(path, value(choice))
        yield


@kind("size of a file in a directory that is listed")
def _entry(world: World, choice: int, way: str) -> Iterator[None]:
    world.put(world.tests / "data/entries/one", "x" * (choice % 100), way)
    yield


@kind("archive of modules written again")
def _pack(world: World, choice: int, way: str) -> Iterator[None]:
    world.pack(world.tests / "lib/packed.zip", 100 + choice % 900)
    yield
