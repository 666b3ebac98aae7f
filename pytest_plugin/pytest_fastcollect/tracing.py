"""Which environment variables and arguments Python code reads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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


class TracedArgv(list[str]):
    """`sys.argv` that notes whether anything but the program's name is read. For probes only."""

    read = False

    def __getitem__(self, index: Any) -> Any:
        self.read = self.read or index != 0
        return super().__getitem__(index)

    def __contains__(self, argument: object) -> bool:
        self.read = True
        return super().__contains__(argument)

    def __iter__(self) -> Iterator[str]:
        self.read = True
        return super().__iter__()

    def __len__(self) -> int:
        self.read = True
        return super().__len__()


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
