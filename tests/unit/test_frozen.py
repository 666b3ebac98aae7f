"""`frozen.dataclass` is `dataclasses.dataclass(frozen=True)` to whoever uses its classes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from fastcollect_lsp import frozen


def declare(decorate: Any) -> tuple[Any, Any]:
    """A class and one derived from it."""

    @decorate(frozen=True)
    class Place:
        name: str
        lines: list[int] = dataclasses.field(default_factory=list)
        depth: int = 3

    @decorate(frozen=True)
    class Within(Place):
        outer: Place | None = None

    return Place, Within


OURS, STANDARD = declare(frozen.dataclass), declare(dataclasses.dataclass)
VALUES = {"outer": None, "depth": 1, "lines": (), "name": "a"}

USES = {
    "fields of a class": lambda place, _: [one.name for one in dataclasses.fields(place)],
    "fields of a derived one": lambda _, within: [one.name for one in dataclasses.fields(within)],
    "is a dataclass": lambda place, _: dataclasses.is_dataclass(place),
    "shown": lambda place, within: repr(within("a", outer=place("b", [1]))).split(".")[-1],
    "equal": lambda place, _: place("a") == place("a", [], 3),
    "not equal": lambda place, _: place("a") == place("b"),
    "another class": lambda place, within: place("a") == within("a"),
    "another class with the same fields": lambda place, _: type("P", (place,), {})("a")
    == place("a"),
    "own lists": lambda place, _: place("a").lines is place("a").lines,
    "as a key": lambda place, _: len({place("a", ()), place("a", ()), place("b", ())}),
    "as plain data": lambda place, within: dataclasses.asdict(within("a", outer=place("b"))),
    "replaced": lambda place, _: dataclasses.replace(place("a"), depth=4).depth,
    "copied": lambda place, _: copy.deepcopy(place("a", [1])).lines,
    "another order": lambda _, within: hash(within(**VALUES)) == hash(within("a", (), 1, None)),
    "twice": lambda place, _: place("a", name="b"),
    "too few": lambda place, _: place(),
    "unknown": lambda place, _: place("a", width=1),
    "set": lambda place, _: setattr(place("a"), "name", "b"),
    "set what is none of its own": lambda place, _: setattr(place("a"), "width", 1),
    "removed": lambda place, _: delattr(place("a"), "name"),
    "matched": lambda place, _: place.__match_args__ if place("a") else None,
}


def outcome(use: Any, classes: tuple[Any, Any]) -> object:
    try:
        return use(*classes)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", USES)
def test_as_the_standard_one(name: str) -> None:
    assert outcome(USES[name], OURS) == outcome(USES[name], STANDARD)


def test_too_many() -> None:
    with pytest.raises(TypeError, match="takes 3 arguments but 4 were given"):
        OURS[0]("a", [], 1, 2)


@frozen.dataclass(frozen=True)
class Sent:
    """At the top of a module, where pickle finds it."""

    name: str


def test_pickled() -> None:
    assert pickle.loads(pickle.dumps(Sent("a"))) == Sent("a")  # noqa: S301
