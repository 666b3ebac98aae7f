"""Marks that nobody has registered: pytest warns of them, or fails, while a module is imported.

In a checkpoint pytest is not configured, so that no mark is looked up there: a module that uses one
which is not registered is imported by the run itself, where pytest says what it has to say, in its
place and by the options of that very run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from _pytest.mark.structures import MarkDecorator, MarkGenerator


def registered(config: pytest.Config) -> list[str]:
    """Names of the registered marks (`MarkGenerator.__getattr__`)."""
    lines = config.getini("markers")
    return sorted({line.split(":")[0].split("(")[0].strip() for line in lines})


def watch(known: Iterable[str], note: Callable[[str], None]) -> None:
    """Call `note` with a phrase for each use of another mark, from now on, in this process.

    It is not undone: for disposable processes only.
    """
    names = frozenset(known)
    original = MarkGenerator.__getattr__

    def asked(self: MarkGenerator, name: str) -> MarkDecorator:
        mark = original(self, name)
        if name not in names:
            note(f"uses the mark {name}, which is not registered")
        return mark

    MarkGenerator.__getattr__ = asked  # type: ignore[method-assign]
