"""What a module that is left to the run may look at, and what is executed ahead must not change.

In a run such a module is executed after what follows it. That does nothing to it as long as the
standard library, which is all that it may look at (`contained`), is what it was.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

from .contained import MODULES

_KEPT_BY_THEMSELVES = frozenset(("tempdir",))
"""What modules note when they are used."""


class Surroundings:
    """The attributes of those modules, and of their classes."""

    def __init__(self) -> None:
        self._before = dict(_attributes())
        self._recursion_limit = sys.getrecursionlimit()

    def changed(self) -> str | None:
        """The name of what is another thing now."""
        if sys.getrecursionlimit() != self._recursion_limit:
            return "the recursion limit"
        now = dict(_attributes())
        for name, value in self._before.items():
            if now.get(name) is not value:
                return ".".join(filter(None, name))
        return None


def _attributes() -> Iterator[tuple[tuple[str, str, str], object]]:
    """((module, class or "", attribute), value)"""
    for module_name in MODULES:
        module = sys.modules.get(module_name)
        if type(module) is not types.ModuleType:
            continue
        for name, value in vars(module).items():
            if name.startswith("_") or name in _KEPT_BY_THEMSELVES:
                continue
            yield (module_name, "", name), value
            if isinstance(value, type) and value.__module__.partition(".")[0] == module_name:
                for attribute, one in vars(value).items():
                    if not attribute.startswith("_"):
                        yield (module_name, name, attribute), one
