"""The caller's terminal for `getpass` in a run child.

A process has the controlling terminal of its session, and a run child is in that of the server:
`/dev/tty` cannot be opened there, though the caller's terminal itself can. Of what Python brings,
`getpass` alone asks for it by that name, and rightly so: for it reads passwords with the standard
streams captured.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

from _pytest.assertion.rewrite import AssertionRewritingHook

from .stash import Stash

_MODULE = "getpass"


class _Os(types.ModuleType):
    """`os` for one module, but with the caller's terminal in the place of `/dev/tty`."""

    path = ""
    """The caller's terminal; that of another caller in a session begun ahead of time."""

    def __init__(self) -> None:
        super().__init__("os")

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, *args: Any, **kwargs: Any) -> int:
        """As `os.open`."""
        return os.open(_Os.path if path == "/dev/tty" else path, *args, **kwargs)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads the module as ever, then lends it the terminal."""

    def exec_module(self, module: types.ModuleType) -> None:
        super().exec_module(module)
        _lend_to(module)
        plain = importlib.machinery.SourceFileLoader(self.name, self.path)
        module.__loader__ = plain
        if module.__spec__ is not None:
            module.__spec__.loader = plain


def _lend_to(module: Any) -> None:
    module.os = _Os()


def lend(stash: Stash) -> None:
    """In the run child, when its streams are the caller's: for `getpass`, wherever it is now or
    when it is imported. Nothing happens where no stream is a terminal."""
    find()
    if not _Os.path:
        return
    present = [entry.module for entry in stash.entries if entry.name == _MODULE]
    if _MODULE in sys.modules:
        present.append(sys.modules[_MODULE])
    for module in present:
        _lend_to(module)
    if not present:
        _lend_when_imported()


def find(fds: Sequence[int] = range(3)) -> None:
    """Note which terminal it is that these lead to, if any."""
    _Os.path = ""
    for fd in fds:
        with contextlib.suppress(OSError):
            _Os.path = os.ttyname(fd)
            return


def _lend_when_imported() -> None:
    """pytest's own hook is the first that is asked for a module: no other finder is needed."""
    asked = AssertionRewritingHook.find_spec

    def find_spec(
        self: AssertionRewritingHook,
        name: str,
        path: Sequence[str | bytes] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        found = asked(self, name, path, target)
        if name != _MODULE or found is not None:
            return found
        found = importlib.machinery.PathFinder.find_spec(name)
        if found is not None and type(found.loader) is importlib.machinery.SourceFileLoader:
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found

    AssertionRewritingHook.find_spec = find_spec  # type: ignore[method-assign]
