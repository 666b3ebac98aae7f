"""Looking at `sys.modules` without running code of anyone's."""

from __future__ import annotations

import sys
from typing import Any

_NEUTRAL = sys.stdlib_module_names | {
    "__main__", "_pytest", "pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli",
    "pygments", "colorama", "fastcollect_lsp", "pytest_fastcollect",
}  # fmt: skip
"""Top-level packages whose moment of import means nothing to a project: Python and pytest."""


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


def importable(name: str) -> bool:
    """Whether a name in `sys.modules` is there by an import of that name, rather than an alias or
    the remains of a package whose own import failed."""
    module = sys.modules.get(name)
    spec = peek(module, "__spec__")
    parent = name.rpartition(".")[0]
    return getattr(spec, "name", None) == name and (not parent or parent in sys.modules)
