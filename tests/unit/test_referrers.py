"""Whatever refers to an object refers to another one afterwards."""

from __future__ import annotations

import functools
import gc
import types
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from pytest_fastcollect.referrers import Referrers


class Value:
    """Something that can be referred to."""

    def __call__(self) -> Value:
        return self


class Plain:
    """Holds anything."""


class Slotted:
    """Holds anything, without a dict; `unset` never."""

    __slots__ = ("unset", "value")


class Lying:
    """Says that it is a list, as a proxy of one would, and fails when it is asked for anything."""

    def __init__(self, value: object) -> None:
        object.__setattr__(self, "kept", value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("nobody may ask")


def keepers(value: Any) -> dict[str, Callable[[], object]]:
    """Ways to keep a value, each as a function that finds it where it is kept."""
    module: Any = types.ModuleType("somebody_s")
    module.value = value
    plain: Any = Plain()
    plain.value = value
    slotted: Any = Slotted()
    slotted.value = value
    base = type("Base", (), {"__module__": "somebody_s", "value": value})
    derived: Any = type("Derived", (base,), {"__module__": "somebody_s", "value": value})
    static: Any = type("Static", (), {"__module__": "somebody_s", "value": staticmethod(value)})
    lying = Lying(value)
    ordered, listed, nested = OrderedDict(a=value), [0, value], (1, (value,))
    members, partial = {value}, functools.partial(value)
    given = functools.partial(lambda kept: kept, value)

    def default(kept: object = value) -> object:
        return kept

    def keyword(*, kept: object = value) -> object:
        return kept

    return {
        "module": lambda: module.value,
        "object": lambda: plain.value,
        "slot": lambda: slotted.value,
        "class": lambda: vars(derived)["value"].__func__,
        "static method": lambda: static.value,
        "proxy": lambda: object.__getattribute__(lying, "kept"),
        "dict": lambda: ordered["a"],
        "list": lambda: listed[1],
        "tuple": lambda: nested[1][0],
        "set": lambda: next(iter(members)),
        "partial": lambda: partial.func,
        "argument of a partial": lambda: given.args[0],
        "default": default,
        "keyword": keyword,
        "closure": lambda: value,
    }


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", keepers(Value()))
def test_whoever_keeps_it(name: str, frozen: bool) -> None:
    old, new = Value(), Value()
    found = keepers(old)[name]
    if frozen:
        gc.freeze()
    count = gc.get_freeze_count()
    try:
        referrers = Referrers([old], {})
        later = [old]
        referrers.replace([(old, new)])
        assert (gc.get_freeze_count() > 0) == (count > 0)
    finally:
        gc.unfreeze()
    assert found() is new
    assert later == [old], "who came to keep it afterwards keeps it"


def test_methods_of_c() -> None:
    kept, others = [datetime.now, date.today], [datetime.fromisoformat, date.fromordinal]
    kinds = {datetime: frozenset(("now",)), date: frozenset(("today",))}
    referrers = Referrers([], kinds)
    assert {id(method) for method in kept} <= {id(method) for method in referrers.methods}
    assert not {id(method) for method in others} & {id(method) for method in referrers.methods}


def test_our_own_names_stay() -> None:
    old, new = Value(), Value()
    ours: Any = types.ModuleType("pytest_fastcollect.something")
    ours.value = old
    Referrers([old], {}).replace([(old, new)])
    assert ours.value is not new
