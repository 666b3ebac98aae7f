"""`dataclass` for what is imported inside of every `pytest`, where each one's making counts.

The standard decorator compiles six methods for a frozen dataclass, one by one up to Python 3.12;
this one finds the fields alone and takes all methods from here. Standard library only.
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
        """As `dataclasses.dataclass(frozen=True)`, to be made, compared, hashed and shown alike."""
        assert frozen

        def make(cls: type) -> type:
            cls.__init__, cls.__eq__, cls.__hash__ = _initialize, _equal, _hash
            cls.__repr__, cls.__setattr__, cls.__delattr__ = _shown, _set_once, _never_delete
            return dataclasses.dataclass(init=False, repr=False, eq=False)(cls)

        return make


def _initialize(self: Any, /, *args: Any, **kwargs: Any) -> None:
    fields, wrong = self.__dataclass_fields__, f"{type(self).__qualname__}.__init__() "
    if len(args) > len(fields):
        raise TypeError(f"{wrong}takes {len(fields)} arguments but {len(args)} were given")
    given = dict(zip(fields, args, strict=False))
    for name, value in kwargs.items():
        if name not in fields:
            raise TypeError(f"{wrong}got an unexpected keyword argument {name!r}")
        if name in given:
            raise TypeError(f"{wrong}got multiple values for argument {name!r}")
        given[name] = value
    for name, field in fields.items():  # in their order, for `_hash`
        if name in given:
            value = given[name]
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{wrong}missing 1 required positional argument: {name!r}")
        object.__setattr__(self, name, value)


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
