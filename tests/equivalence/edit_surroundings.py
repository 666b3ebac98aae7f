"""Edits of what surrounds a project: configuration, environment, repository, bytecode."""

from __future__ import annotations

import re
from collections.abc import Iterator

import overlay
from edits import KINDS, all_sources, all_tests, kind, pick, renumber, toggle, value
from worlds import World

_INI = (
    "python_functions = test* check*\n",
    "filterwarnings = error\n",
    "addopts = -k value\n",
    "addopts = --import-mode=importlib\n",
    "addopts = --import-mode=append\n",
    f"pythonpath = {overlay.TOP}/extra\n",
    "usefixtures = number\n",
    "python_files = test_probe_v*.py\n",
    "addopts = -p probe_slow\n",
)


def _ini_kind(name: str, file: str, section: str) -> None:
    def change(world: World, choice: int, way: str) -> Iterator[None]:
        directory = world.tests if choice % 5 == 4 else world.root
        path = directory / file
        options = _INI[choice % len(_INI)]
        if file == "pyproject.toml":
            options = _as_toml(options)
        text = f"[{section}]\n{options}"
        own = re.compile(rf"(?ms)^\[{re.escape(section)}\]\n.*?(?=^\[|\Z)")
        before = path.read_text() if path.exists() else ""
        if not own.search(before):
            world.put(path, f"{before}\n{text}" if before else text, way)
        elif choice % 3:
            world.put(path, own.sub(lambda _: f"{text}\n", before), way)
        else:
            world.remove(path)
        yield

    KINDS[f"{name} appears, changes or vanishes"] = change


def _as_toml(options: str) -> str:
    name, _, value = options.strip().partition(" = ")
    return f'{name} = "{value}"\n'


_ini_kind("pytest.ini", "pytest.ini", "pytest")
_ini_kind(".pytest.ini", ".pytest.ini", "pytest")
_ini_kind("tox.ini", "tox.ini", "pytest")
_ini_kind("setup.cfg", "setup.cfg", "tool:pytest")
_ini_kind("pyproject.toml", "pyproject.toml", "tool.pytest.ini_options")


@kind("environment variable")
def _variable(world: World, choice: int, way: str) -> Iterator[None]:
    name = ("PROBE_MODE", "PROBE_OTHER", "PROBE_PTH")[choice % 3]
    world.variable(name, (None, "a", "b")[choice // 3 % 3])
    yield


# ------------------------------------------------------------------ the environment


@kind("plugin installed, edited or uninstalled")
def _plugin(world: World, choice: int, way: str) -> Iterator[None]:
    module = world.site / "probe_plugin.py"
    if not module.exists():
        for name, text in overlay.PLUGIN.items():
            world.put(world.site / name, text)
    elif choice % 3:
        world.put(module, renumber(module.read_text(), choice), way)
    else:
        world.remove(world.site / "probe_plugin-1.0.dist-info")
        world.remove(module)
    yield


@kind("distribution upgraded")
def _upgrade(world: World, choice: int, way: str) -> Iterator[None]:
    for old in list(world.site.glob("probe_installed-*.dist-info")):
        world.remove(old)
    info = world.site / f"probe_installed-2.{choice % 10}.dist-info"
    metadata = overlay.SITE["probe_installed-1.0.dist-info/METADATA"]
    world.put(world.site / "probe_installed.py", value(choice))
    world.put(info / "METADATA", metadata.replace("1.0", f"2.{choice % 10}"))
    world.put(info / "RECORD", "probe_installed.py,,\n")
    yield


@kind("metadata edited in place")
def _metadata(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick(list(world.site.glob("probe_installed-*.dist-info/METADATA")), choice)
    if path is not None:
        text = re.sub(r"(?m)^Version: .*", f"Version: 3.{choice % 10}", path.read_text())
        world.put(path, text, way)
        yield


@kind(".pth with a directory comes or goes")
def _pth(world: World, choice: int, way: str) -> Iterator[None]:
    toggle(world, world.site / "20_extra.pth", f"{world.probe / 'extra'}\n", way)
    yield


_STARTUP = (
    "import os; os.environ.setdefault('PROBE_PTH', 'pth{}')\n",
    "import builtins; builtins.PROBE_SITE = {}\n",
    "import builtins, os; builtins.PROBE_SITE = os.environ.get('PROBE_MODE', 'unset{}')\n",
)
"""What an interpreter executes when it starts."""


@kind(".pth with code comes, changes or goes")
def _pth_code(world: World, choice: int, way: str) -> Iterator[None]:
    path = world.site / "30_code.pth"
    if path.exists() and choice % 4 == 3:
        world.remove(path)
    else:
        world.put(path, _STARTUP[choice % 3].format(choice), way)
    yield


@kind("sitecustomize comes, changes or goes")
def _sitecustomize(world: World, choice: int, way: str) -> Iterator[None]:
    path = world.site / "sitecustomize.py"
    if path.exists() and choice % 4 == 3:
        world.remove(path)
    else:
        world.put(path, _STARTUP[choice % 3].format(choice), way)
    yield


@kind("editable install retargeted")
def _editable(world: World, choice: int, way: str) -> Iterator[None]:
    path = world.site / "10_probe.pth"
    first, second = world.probe / "src", world.probe / "src2"
    is_first = path.read_text().startswith(f"{first}\n")
    order = (second, first) if is_first else (first, second)
    world.put(path, "".join(f"{entry}\n" for entry in order), way)
    yield


# ------------------------------------------------------------------ many files, or none


@kind("many files by git checkout")
def _branch(world: World, choice: int, way: str) -> Iterator[None]:
    branch = ("other", "base")[choice % 2]
    world.git("checkout", "-q", branch, "--", f"{overlay.TOP}/src/probe_bulk")
    yield


@kind("branch switched")
def _switch(world: World, choice: int, way: str) -> Iterator[None]:
    world.git("checkout", "-q", "-f", ("other", "base")[choice % 2])
    yield


@kind("everything reset by git")
def _reset(world: World, choice: int, way: str) -> Iterator[None]:
    world.git("reset", "-q", "--hard", "base")
    world.git("clean", "-q", "-f", "-d")
    yield


@kind("touch only")
def _touch(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([*all_tests(world), *all_sources(world)], choice)
    if path is not None:
        world.touch(path, (None, 1_000_000_000, 2_000_000_000)[choice % 3])
        yield


@kind("permissions only")
def _permissions(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([*all_tests(world), *all_sources(world)], choice)
    if path is not None:
        world.mode(path, (0o600, 0o644, 0o755, 0o444)[choice % 4])
        yield


@kind("bytecode removed")
def _no_bytecode(world: World, choice: int, way: str) -> Iterator[None]:
    world.remove_bytecode()
    yield


@kind("stale bytecode planted")
def _stale_bytecode(world: World, choice: int, way: str) -> Iterator[None]:
    path = pick([world.probe / "src/probe_single.py", world.tests / "lib/probe_helper.py"], choice)
    if path is not None:
        text = path.read_text()
        world.put(path, renumber(text, choice), "kept")
        world.plant_bytecode(path, text)
        yield


@kind("undone")
def _undo(world: World, choice: int, way: str) -> Iterator[None]:
    if world.undo():
        yield


@kind("nothing")
def _nothing(world: World, choice: int, way: str) -> Iterator[None]:
    yield
