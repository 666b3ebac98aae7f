"""Has whatever refers to an object refer to another one instead: modules that know it by a name of
their own (`from time import time`), classes, defaults of functions, closures, objects.

For disposable processes only.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import types
from collections.abc import Iterable, Iterator
from typing import Any

_KEPT = frozenset(("_pytest", "pytest", "pluggy", "fastcollect_lsp", "pytest_fastcollect", "posix"))
"""Packages that ask for themselves; `posix` is what the import system asks."""
_referrers_of = gc.get_referrers  # as it is before sessions notice who asks the collector
_ROUNDS = 3
"""`def stamp(now=datetime.now)`: a method, in a tuple, of a function. Nobody nests deeper."""


class Referrers:
    """What refers to some objects now. Whoever comes to refer to them later keeps them."""

    def __init__(self, objects: Iterable[object], methods: dict[type, frozenset[str]]) -> None:
        """`methods`: class methods of C's. Each look at one makes an object, so that what somebody
        has kept (`default_factory=datetime.now`) can only be found by its name."""
        self.methods: list[types.BuiltinMethodType] = []
        """Those that are kept by somebody."""
        self._tuples: list[tuple[Any, ...]] = []
        """Which cannot be changed, those that are in others first."""
        self._holders: list[Any] = []
        targets: list[object] = [*objects, *methods]
        ids = set(map(id, targets))
        with _nothing_frozen():
            for _ in range(_ROUNDS):
                found = [one for one in _referrers_of(*targets) if one is not targets]
                self._holders += found
                targets = []
                for one in found:
                    if id(one) in ids:
                        continue
                    if type(one) is tuple and not ids.isdisjoint(map(id, one)):
                        self._tuples.append(one)
                    elif _is_method(one, methods):
                        self.methods.append(one)
                    elif not _is_of_class(one):
                        continue
                    targets.append(one)
                    ids.add(id(one))
                if not targets:
                    break

    def replace(self, pairs: Iterable[tuple[object, object]]) -> None:
        """`pairs`: (old, new)."""
        kept = list(pairs)
        new_of = {id(old): new for old, new in kept}
        for old in self._tuples:
            new_of[id(old)] = tuple(new_of.get(id(item), item) for item in old)
        # A class notices what is set in it, but not what is set in its namespace.
        for holder in sorted(self._holders, key=lambda one: not issubclass(type(one), type)):
            if not _is_kept(holder):
                with contextlib.suppress(Exception):  # whatever an object of a project's may raise
                    _replace_in(holder, new_of)


@contextlib.contextmanager
def _nothing_frozen() -> Iterator[None]:
    """`gc.get_referrers` does not look at objects that are frozen."""
    was_enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    gc.unfreeze()
    try:
        yield
    finally:
        if frozen:
            gc.freeze()
        if was_enabled:
            gc.enable()


def _is_method(one: object, methods: dict[type, frozenset[str]]) -> bool:
    if type(one) is not types.BuiltinMethodType:
        return False
    return any(one.__self__ is kind and one.__name__ in methods[kind] for kind in methods)


def _is_of_class(one: object) -> bool:
    """Whether it seems to be the namespace of a class."""
    return type(one) is dict and "__module__" in one and "__name__" not in one


def _is_kept(holder: Any) -> bool:
    kind = type(holder)
    if kind is dict:
        module = holder.get("__name__", holder.get("__module__"))
    else:
        named = holder if issubclass(kind, (type, types.FunctionType)) else kind
        module = named.__module__
    return type(module) is str and module.partition(".")[0] in _KEPT


def _replace_in(holder: Any, new_of: dict[int, Any]) -> None:
    """Raises whatever a holder does that does not let it be done."""
    kind = type(holder)  # not `isinstance`, which asks an object for its class
    if issubclass(kind, dict):
        for key, value in [*dict.items(holder)]:
            if id(value) in new_of:
                dict.__setitem__(holder, key, new_of[id(value)])
    elif issubclass(kind, list):
        for index, value in enumerate(list.__iter__(holder)):
            if id(value) in new_of:
                list.__setitem__(holder, index, new_of[id(value)])
    elif kind is set:
        for value in [value for value in holder if id(value) in new_of]:
            holder.remove(value)
            holder.add(new_of[id(value)])
    elif issubclass(kind, type):
        for name, value in [*vars(holder).items()]:
            if id(value) in new_of:  # one of C's that is found in a class is not bound
                type.__setattr__(holder, name, staticmethod(new_of[id(value)]))
    elif kind is types.FunctionType:
        holder.__defaults__ = new_of.get(id(holder.__defaults__), holder.__defaults__)
    elif kind is types.CellType:
        holder.cell_contents = new_of.get(id(holder.cell_contents), holder.cell_contents)
    elif kind is staticmethod:
        holder.__init__(new_of[id(holder.__func__)])
    elif kind is functools.partial:
        function, args = (new_of.get(id(one), one) for one in (holder.func, holder.args))
        holder.__setstate__((function, args, holder.keywords, vars(holder)))
    else:
        _replace_in_object(holder, new_of)


def _replace_in_object(holder: object, new_of: dict[int, Any]) -> None:
    for cls in type(holder).__mro__:
        for member in vars(cls).values():
            if type(member) is types.MemberDescriptorType:
                with contextlib.suppress(AttributeError, TypeError):  # unset; not to be set
                    value = member.__get__(holder)
                    if id(value) in new_of:
                        member.__set__(holder, new_of[id(value)])
    _replace_in(object.__getattribute__(holder, "__dict__"), new_of)
