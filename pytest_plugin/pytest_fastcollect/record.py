"""Records the natural import path of a run: which step imported which modules, in which order.

The record of a cold run (or of the cold part of a warm one) is what the server warms from. It costs
a look at the end of `sys.modules` per collector.
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from fastcollect_lsp.protocol import Record, RunKey, Segment

from . import hooks
from .fingerprint import fingerprint, importable, peek

FINGERPRINT_BUDGET = 0.02
"""Seconds of a cold run that may go into fingerprints: what is left out is not warmed."""

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


class Recorder:
    """A plugin that watches one run up to the end of its collection."""

    def __init__(self, config: pytest.Config, key: RunKey, identity: str) -> None:
        self.key = key
        self.identity = identity
        self._config = config
        self._seen: set[str] = set()
        self._segments: list[Segment] = []
        self._directories: list[str] = []
        self._depth = 0
        self._environ = dict(os.environ)
        self._finished = False
        self._spent = 0.0
        self._matter: bool | None = None
        self._step: tuple[list[str], list[str]] = ([], [])
        # What the interpreter has imported at start (site, .pth files) is no step of the run.
        startup = [name for name in sys.modules if not is_neutral(name) and importable(name)]
        self._seen.update(sys.modules)
        self._segments.append(Segment("names", None, None, startup, {}, list(sys.path), []))
        self._begin()

    def _begin(self) -> None:
        current = os.environ
        changed = sorted(
            name
            for name in current.keys() | self._environ.keys()
            if current.get(name) != self._environ.get(name) and not name.startswith("PYTEST_")
        )
        self._step = (list(sys.path), changed)

    def _end(self, kind: str, path: Path | None, forced: str | None = None) -> None:
        """Close a step: whatever was imported since the last one belongs to it."""
        if forced is not None:
            self._seen.discard(forced)  # a second conftest takes the name of the first
        fresh = new_modules(self._seen)
        modules = [name for name in fresh if not is_neutral(name) and importable(name)]
        if modules or kind in {"conftest", "broken"}:
            file = str(path) if path else None
            unit = next((name for name in reversed(modules) if _file(name) == file), None)
            prints = self._fingerprints(kind, modules)
            self._segments.append(Segment(kind, file, unit, modules, prints, *self._step))
        self._begin()

    def _fingerprints(self, kind: str, modules: list[str]) -> dict[str, str | None]:
        """Of the project's own modules, and of all that hooks import, where hooks may have had an
        influence on them: within the budget."""
        found: dict[str, str | None] = {}
        if kind == "conftest":
            self._matter = None  # a conftest brings hooks of its own
        if self._matter is None:
            plugins = self._config.pluginmanager.get_plugins()
            self._matter = hooks.may_matter(plugins, self._is_first_party)
        if not self._matter:
            return found
        began = time.perf_counter()
        for name in modules:
            if kind == "names" or self._is_first_party(name):
                over = self._spent + time.perf_counter() - began > FINGERPRINT_BUDGET
                found[name] = None if over else fingerprint(sys.modules[name])
        self._spent += time.perf_counter() - began
        return found

    def _is_first_party(self, name: str) -> bool:
        file = _file(name)
        root = str(self._config.rootpath) + os.sep
        return file is not None and file.startswith(root) and "site-packages" not in file

    def mark(self) -> None:
        """A boundary at which nothing in particular has been imported."""
        if not self._finished:
            self._end("names", None)

    def pytest_plugin_registered(self, plugin: object) -> None:
        if self._finished or not isinstance(plugin, types.ModuleType):
            return
        file = getattr(plugin, "__file__", None)
        if file and os.path.basename(file) == "conftest.py":
            self._end("conftest", Path(file), forced=plugin.__name__)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        if isinstance(collector, (pytest.Session, pytest.Directory)):
            if not isinstance(collector, pytest.Session):
                self._directories.append(str(collector.path))
            return (yield)
        outer = self._depth == 0
        self._depth += 1
        if outer:
            self.mark()
        try:
            report = yield
        finally:
            self._depth -= 1
        if outer and not self._finished:
            self._end("broken" if report.failed else _kind(collector), collector.path)
        return report

    def finish(self, tests: int) -> Record:
        """The record; nothing is watched any more."""
        self.mark()
        self._finished = True
        config = self._config
        hook = config.pluginmanager.rewrite_hook
        marks: Iterable[str] = getattr(hook, "_must_rewrite", ())
        return Record(
            key=self.key,
            identity=self.identity,
            argv=list(sys.argv),
            cwd=os.getcwd(),
            root=str(config.rootpath),
            import_mode=str(config.getoption("importmode")),
            consider_namespace_packages=_namespace_packages(config),
            python_files=[str(pattern) for pattern in config.getini("python_files")],
            rewrite_marks=sorted(marks),
            rewritten=sorted(
                name
                for name, module in list(sys.modules.items())
                if isinstance(peek(module, "__loader__"), AssertionRewritingHook)
            ),
            warning_filters=[str(line) for line in config.getini("filterwarnings")],
            warning_options=list(config.known_args_namespace.pythonwarnings or []),
            segments=self._segments,
            directories=list(dict.fromkeys(self._directories)),
            tests=tests,
            idle_timeout_min=_idle_timeout(config),
        )


def _file(name: str) -> str | None:
    file = peek(sys.modules.get(name), "__file__")
    return file if isinstance(file, str) else None


def _idle_timeout(config: pytest.Config) -> float:
    try:
        return float(config.getini("fastcollect_idle_timeout"))
    except ValueError:
        return 30.0


def _kind(collector: pytest.Collector) -> str:
    if isinstance(collector, pytest.Module):
        return "module"
    if isinstance(collector, pytest.Class):
        return "names"  # what hooks import while they make its items
    if type(collector).__module__ == "_pytest.doctest":
        return "doctest"
    return "opaque"


def _namespace_packages(config: pytest.Config) -> bool:
    try:
        return bool(config.getini("consider_namespace_packages"))
    except (KeyError, ValueError):  # pytest 8.0
        return False
