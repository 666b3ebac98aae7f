"""Which environment variables and arguments Python code reads."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reads:
    """Environment variables that were read."""

    names: set[str] = field(default_factory=set)
    whole: bool = False
    """Whether the environment was looked at as a whole."""


class _TracedEnviron(type(os.environ)):  # type: ignore[misc]
    """`os.environ` that notes which variables are read. Put on by assigning `__class__`."""

    noted: Reads

    def __getitem__(self, key: str) -> str:
        type(self).noted.names.add(os.fsdecode(key))
        value: str = super().__getitem__(key)
        return value

    def __contains__(self, key: object) -> bool:
        if isinstance(key, (str, bytes)):
            type(self).noted.names.add(os.fsdecode(key))
        return bool(super().__contains__(key))

    def __delitem__(self, key: str) -> None:
        type(self).noted.names.add(os.fsdecode(key))
        super().__delitem__(key)

    def __iter__(self) -> Iterator[str]:
        type(self).noted.whole = True
        yield from super().__iter__()

    def __len__(self) -> int:
        type(self).noted.whole = True
        return int(super().__len__())

    def __repr__(self) -> str:
        type(self).noted.whole = True
        return str(super().__repr__())


class TracedList(list[str]):
    """A list that has a function called before it is read or changed. For probes only."""

    def __init__(self, items: Iterable[str], notice: Callable[[], None], first: bool) -> None:
        """`first`: whether to notice that the first item alone is asked for or set, which is the
        program."""
        super().__init__(items)
        self._notice = notice
        self._first = first


def _noticing(name: str) -> Callable[..., object]:
    original = getattr(list, name, None)

    def method(self: TracedList, *args: Any, **kwargs: Any) -> object:
        is_item = name in ("__getitem__", "__setitem__")
        if self._first or not is_item or args[0] != 0:
            self._notice()
        if original is None:  # `__radd__`: what a list does with another list on its left
            return [*args[0], *list.__iter__(self)]
        return original(self, *args, **kwargs)

    return method


_CREATION = frozenset(
    """
    __class__ __class_getitem__ __delattr__ __dir__ __doc__ __getattribute__ __hash__ __init__
    __init_subclass__ __new__ __setattr__ __sizeof__ __subclasshook__
    """.split()
)
for _name in {"__radd__", *dir(list)} - _CREATION:
    setattr(TracedList, _name, _noticing(_name))


def set_in_class(kind: type, name: str, value: object) -> None:
    """Set an attribute of a class that cannot be assigned to: what its `__dict__` shows can be
    changed all the same. Raises ImportError, AttributeError, IndexError, TypeError."""
    import ctypes

    modified = ctypes.pythonapi.PyType_Modified
    gc.get_referents(kind.__dict__)[0][name] = value
    modified(ctypes.py_object(kind))


@contextlib.contextmanager
def traced_environ() -> Iterator[Reads]:
    """Note what is read of `os.environ` and `os.environb`, for the duration."""
    _TracedEnviron.noted = Reads()
    original = os.environ.__class__
    os.environ.__class__ = _TracedEnviron
    os.environb.__class__ = _TracedEnviron
    try:
        yield _TracedEnviron.noted
    finally:
        os.environ.__class__ = original
        os.environb.__class__ = original  # type: ignore[assignment]


def raw_environ() -> dict[bytes, bytes]:
    """The environment, without being seen to read it."""
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    return dict(data)


def environ_changes(before: dict[bytes, bytes]) -> dict[str, str | None]:
    """What became of the variables since: those set, and those removed (None)."""
    after = raw_environ()
    if before == after:
        return {}
    changed = {name: after.get(name) for name in before.keys() | after.keys()}
    return {
        os.fsdecode(name): None if value is None else os.fsdecode(value)
        for name, value in changed.items()
        if before.get(name) != value
    }
