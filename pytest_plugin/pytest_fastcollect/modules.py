"""Looking at `sys.modules` without running code of anyone's."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any

_NEUTRAL = sys.stdlib_module_names | {
    "__main__", "_pytest", "pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli",
    "pygments", "colorama", "fastcollect_lsp", "pytest_fastcollect",
}  # fmt: skip
"""Top-level packages whose moment of import means nothing to a project: Python and pytest."""


_NOT_REPLACED = frozenset(
    ("_pytest", "pytest", "pluggy", "fastcollect_lsp", "pytest_fastcollect", "posix")
)
"""Those that ask for themselves; `posix` is what the import system asks."""


def is_neutral(name: str) -> bool:
    """Whether the moment at which a module is imported means nothing to a project."""
    return name.partition(".")[0] in _NEUTRAL


def new_modules(seen: set[str]) -> list[str]:
    """Names that entered `sys.modules` since the last call, in order of completion.

    A module is moved to the end when its import completes (`importlib._bootstrap._load_unlocked`),
    so what is new is the tail: unless a module seen before was reloaded, or taken out and imported
    again, which moves that one to the end as well.
    """
    fresh: list[str] = []
    for name in reversed(list(sys.modules)):
        if name in seen:
            break
        fresh.append(name)
    seen.update(fresh)
    fresh.reverse()
    if len(seen) != len(sys.modules):
        before = [name for name in list(sys.modules) if name not in seen]
        seen.intersection_update(sys.modules)
        seen.update(before)
        fresh = before + fresh
    return fresh


def namespace_of(module: Any) -> dict[str, Any] | None:
    """What a module has, without running code of its own; None where it is none."""
    try:
        found = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    return found if type(found) is dict else None


def peek(module: Any, name: str) -> Any:
    """An attribute of a module, or None, without running code of the module's own.

    What stands in `sys.modules` may import something, or raise, whenever it is asked for anything.
    """
    namespace = namespace_of(module) or {}
    for place in (namespace, *(vars(base) for base in type(module).__mro__)):
        if name in place:
            value = place[name]
            return None if place is not namespace and hasattr(type(value), "__get__") else value
    return None


def replace_in_modules(
    pairs: Iterable[tuple[object, object]], modules: Iterable[tuple[str, Any]]
) -> None:
    """Have what modules know by names of their own (`from time import time`), in their classes and
    as defaults of their functions mean something else. For disposable processes only.

    `pairs`: (old, new); `modules`: each with its name.
    """
    by_id = {id(old): (old, new) for old, new in pairs}  # which keeps the old ones alive
    has_none = by_id.keys().isdisjoint

    def in_defaults(function: types.FunctionType) -> None:
        defaults, by_name = function.__defaults__, function.__kwdefaults__
        if defaults is not None and not has_none(map(id, defaults)):
            function.__defaults__ = tuple(by_id.get(id(v), (v, v))[1] for v in defaults)
        if by_name is not None:
            by_name.update((k, by_id[id(v)][1]) for k, v in [*by_name.items()] if id(v) in by_id)

    def in_class(cls: type) -> None:
        for name, value in list(vars(cls).items()):
            if type(value) is types.FunctionType:
                in_defaults(value)
                continue
            function = value.__func__ if type(value) is staticmethod else value
            if id(function) in by_id:  # one of C's that is found in a class is not bound
                setattr(cls, name, staticmethod(by_id[id(function)][1]))  # type: ignore[arg-type]

    for name, module in modules:
        if name.partition(".")[0] in _NOT_REPLACED:
            continue
        namespace = namespace_of(module) or {}
        values = list(namespace.values())
        if not has_none(map(id, values)):
            found = [(key, value) for key, value in namespace.items() if id(value) in by_id]
            namespace.update((key, by_id[id(value)][1]) for key, value in found)
        for value in values:
            if type(value) is types.FunctionType:
                in_defaults(value)
            elif type(value) is type and value.__dict__.get("__module__") == name:
                in_class(value)


def importable(name: str) -> bool:
    """Whether a name in `sys.modules` is there by an import of that name, rather than an alias or
    the remains of a package whose own import failed."""
    module = sys.modules.get(name)
    spec = peek(module, "__spec__")
    parent = name.rpartition(".")[0]
    return getattr(spec, "name", None) == name and (not parent or parent in sys.modules)
