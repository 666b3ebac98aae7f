"""`dataclass` for what is imported inside of every `pytest`, where each one's making counts.

The standard decorator compiles six methods for a frozen dataclass, one by one up to Python 3.12;
this one compiles `__init__` alone, when the first instance is made or somebody asks for the fields,
and takes the others from here. Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool) -> Callable[[type], type]:
        """As `dataclasses.dataclass(frozen=True)`, to be compared, hashed and shown likewise."""
        assert frozen

        return _declare

    def _declare(cls: type) -> type:
        def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
            _complete(cls)
            cls.__init__(self, *args, **kwargs)

        cls.__init__, cls.__dataclass_fields__ = initialize, _Fields(cls)
        cls.__eq__, cls.__hash__, cls.__repr__ = _equal, _hash, _shown
        cls.__setattr__, cls.__delattr__ = _set_once, _never_delete
        return cls


def _complete(cls: Any) -> None:
    if isinstance(vars(cls)["__dataclass_fields__"], _Fields):
        del cls.__init__, cls.__dataclass_fields__
        dataclasses.dataclass(repr=False, eq=False)(cls)


class _Fields:
    """Stands for `__dataclass_fields__`, by which `dataclasses` knows its own."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __get__(self, instance: object, owner: Any) -> object:
        _complete(self._owner)
        return owner.__dataclass_fields__


def _equal(self: Any, other: object) -> object:
    return vars(self) == vars(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(vars(self).values()))


def _shown(self: Any) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
    return f"{type(self).__qualname__}({values})"


def _set_once(self: Any, name: str, value: object) -> None:
    if name in vars(self) or name not in self.__dataclass_fields__:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _never_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
