"""Kinds of edits: everything that may change what a run does, as data.

A kind is a generator that changes a world. After each `yield` what the world shows is compared with
cold pytest; a kind that finds nothing to change yields nothing. `choice` decides between
alternatives, `way` (of `worlds.WAYS`) how the content of a file is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import overlay
from worlds import WAYS, World

Kind = Callable[[World, int, str], Iterator[None]]
KINDS: dict[str, Kind] = {}

_NUMBER = re.compile(r"\b[1-9]\d\d\b")


@dataclass(frozen=True)
class Edit:
    """One edit, to be made in whatever state the world is."""

    kind: str
    choice: int = 0
    way: str = WAYS[0]
    pause_ms: int = 0
    """Milliseconds after the run before it."""
    wait: bool = False
    """Whether the server is let finish its work before the edit."""
    settle: bool = True
    """Whether it is let finish its work after the edit as well, for one more run."""
    late: bool = False
    """Whether the first run comes when the server has worked on the edit without one."""
    command: int = 0
    """Which of the command lines is run."""
    during: str = ""
    """`gate`: the edit comes when the run before it has done its tests but has not ended;
    `race`: at some moment of that run."""


def apply(world: World, edit: Edit) -> Iterator[None]:
    """Make an edit."""
    world.begin()
    return KINDS[edit.kind](world, edit.choice, edit.way)


def kind(name: str) -> Callable[[Kind], Kind]:
    """Register a kind under a name for people."""

    def register(function: Kind) -> Kind:
        KINDS[name] = function
        return function

    return register


def renumber(text: str, choice: int) -> str:
    """The text with another number in it, of the same length."""
    numbers = list(_NUMBER.finditer(text))
    if not numbers:
        return text
    found = numbers[choice % len(numbers)]
    number = 100 + (int(found.group()) - 99 + choice % 7) % 900
    return f"{text[: found.start()]}{number}{text[found.end() :]}"


def pick(paths: Sequence[Path], choice: int) -> Path | None:
    """One of those files that exist, or None."""
    existing = sorted(path for path in paths if path.is_file())
    return existing[choice % len(existing)] if existing else None


def all_tests(world: World) -> list[Path]:
    """Test files: the suite's and the overlay's."""
    suite = [world.root / name for name in world.template.base.tests]
    return [*suite, *world.tests.glob("**/test_probe_[dviw]*.py")]


def all_sources(world: World) -> list[Path]:
    """Source files: the suite's and the overlay's."""
    suite = [
        path for name in world.template.base.packages for path in (world.root / name).glob("*.py")
    ]
    return [*suite, *world.probe.glob("src/probe_product/*.py")]


def toggle(world: World, path: Path, text: str, way: str) -> None:
    """Remove what is there, else put it there."""
    if path.exists() or path.is_symlink():
        world.remove(path)
    else:
        world.put(path, text, way)


def value(choice: int) -> str:
    """A module with another value than any that was there at the beginning."""
    return overlay.VALUE.format(300 + choice % 600)
