"""Where a module would be imported from, without importing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec

from _pytest.assertion.rewrite import AssertionRewritingHook

from .importing import Starts
from .modules import is_neutral
from .stash import Entry


class Finder:
    """Asks the import system, and tells the project's modules from libraries."""

    def __init__(self, root: str) -> None:
        self._below = root + os.sep

    def find(self, name: str) -> ModuleSpec | None:
        """As the import system would, without importing anything."""
        path: Sequence[str] | None = None
        spec: ModuleSpec | None = None
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            if spec is not None:
                path = spec.submodule_search_locations
                if path is None:
                    return None
            spec = self._find_in(".".join(parts[:depth]), path)
            if spec is None:
                return None
        return spec

    def _find_in(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if isinstance(finder, (Starts, AssertionRewritingHook)):
                continue
            spec: ModuleSpec | None = finder.find_spec(name, path)
            if spec is not None:
                return spec
        return None

    def is_first_party(self, spec: ModuleSpec) -> bool:
        """Whether a module is the project's own."""
        places = [spec.origin or "", *(spec.submodule_search_locations or ())]
        return any(
            place.startswith(self._below) and "site-packages" not in place for place in places
        )

    def would_be_of_project(self, name: str) -> bool:
        """Whether a module is the project's own, or cannot be found."""
        spec = self.find(name)
        return spec is None or self.is_first_party(spec)

    def has_of_project(self, added: Iterable[Entry]) -> bool:
        """Whether a step has executed modules of the project's own."""
        return any(
            entry.spec is not None and self.is_first_party(entry.spec)
            for entry in added
            if not is_neutral(entry.name)
        )
