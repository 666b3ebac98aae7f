"""Records the natural import path of a run: which step imported which modules, in which order.

The record of a cold run (or of the cold part of a warm one) is what the server warms from. It costs
a look at the end of `sys.modules` per collector.
"""

from __future__ import annotations

import math
import os
import sys
import time
import types
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from fastcollect_lsp import listing
from fastcollect_lsp.protocol import Record, RunKey, Segment

from . import hooks
from .marks import registered
from .modules import importable, is_neutral, new_modules, peek
from .runkey import is_captured

_YEAR_MIN = 365.0 * 24 * 60


class Recorder:
    """A plugin that watches one run up to the end of its collection."""

    def __init__(self, config: pytest.Config, key: RunKey, identity: str) -> None:
        self.key = key
        self.identity = identity
        self._config = config
        self._began_ns = time.time_ns()
        self._seen: set[str] = set()
        self._segments: list[Segment] = []
        self._directories: list[str] = []
        self._listings: dict[str, str] = {}
        self._left_out: list[str] = []
        self._depth = 0
        self._environ = dict(os.environ)
        self._finished = False
        self._hooks: str | None = None
        self._hooks_known = False
        self._configured = False
        self._step: tuple[list[str], list[str]] = ([], [])
        # What the interpreter has imported at start (site, .pth files) is no step of the run.
        startup = [name for name in sys.modules if not is_neutral(name) and importable(name)]
        self._seen.update(sys.modules)
        self._segments.append(Segment("names", None, None, startup, [], list(sys.path), []))
        self._begin()

    def _begin(self) -> None:
        current = os.environ
        changed = sorted(
            name
            for name in current.keys() | self._environ.keys()
            if current.get(name) != self._environ.get(name) and not name.startswith("PYTEST_")
        )
        self._step = (list(sys.path), changed)
        if not self._hooks_known:
            self._hooks_known = True
            plugins = self._config.pluginmanager.get_plugins()
            options = vars(self._config.option)
            self._hooks = hooks.which_matter(plugins, _is_own, self._configured, options)
        self._matter = self._hooks is not None

    def configured(self) -> None:
        """`pytest_configure` is being called: from now on all hooks may have run."""
        self.mark()
        self._configured = True
        self._hooks_known = False

    def _end(self, kind: str, path: Path | None, forced: str | None = None) -> None:
        """Close a step: whatever was imported since the last one belongs to it."""
        if forced is not None:
            self._seen.discard(forced)  # a second conftest takes the name of the first
        fresh = new_modules(self._seen)
        modules = [name for name in fresh if not is_neutral(name) and importable(name)]
        if modules or kind in {"conftest", "broken"}:
            file = str(path) if path else None
            unit = next((name for name in reversed(modules) if _file(name) == file), None)
            influenced = self._influenced(modules)
            self._segments.append(Segment(kind, file, unit, modules, influenced, *self._step))
        self._begin()

    def _influenced(self, modules: list[str]) -> list[str]:
        """Those of the project's own modules: hooks that ran before may have had a hand in them."""
        return [name for name in modules if self._is_first_party(name)] if self._matter else []

    def _is_first_party(self, name: str) -> bool:
        file = _file(name)
        root = str(self._config.rootpath) + os.sep
        return file is not None and file.startswith(root) and "site-packages" not in file

    def mark(self) -> None:
        """A boundary at which nothing in particular has been imported."""
        if not self._finished:
            self._end("names", None)

    def pytest_plugin_registered(self, plugin: object) -> None:
        self._hooks_known = False
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
                directory = str(collector.path)
                self._directories.append(directory)
                self._listings.setdefault(directory, listing.digest(directory))
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

    def leave_out(self, path: str, name: str) -> None:
        """A module is not imported that a run without `-k` and `-m` imports here: it would have
        executed that module, and imported nothing else."""
        influenced = [name] if self._matter else []
        self._segments.append(Segment("module", path, name, [name], influenced, *self._step))
        self._left_out.append(name)

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
                {
                    *self._left_out,
                    *(
                        name
                        for name, module in list(sys.modules.items())
                        if isinstance(peek(module, "__loader__"), AssertionRewritingHook)
                    ),
                }
            ),
            warning_filters=[str(line) for line in config.getini("filterwarnings")],
            warning_options=list(config.known_args_namespace.pythonwarnings or []),
            segments=self._segments,
            directories=list(dict.fromkeys(self._directories)),
            tests=tests,
            hooks=self._hooks,
            idle_timeout_min=_idle_timeout(config),
            began_ns=self._began_ns,
            listings=self._listings,
            markers=registered(config),
            captured=is_captured(config),
        )


def _is_own(name: str) -> bool:
    """Whether a plugin is no installed one: the project's, or one that is developed beside it."""
    return {"site-packages", "dist-packages"}.isdisjoint(Path(_file(name) or "").parts)


def _file(name: str) -> str | None:
    file = peek(sys.modules.get(name), "__file__")
    return file if isinstance(file, str) else None


def _idle_timeout(config: pytest.Config) -> float:
    """Minutes. `inf` is a year: JSON has no word for it, so that nobody could be told."""
    try:
        minutes = float(config.getini("fastcollect_idle_timeout"))
    except ValueError:
        return 30.0
    return 30.0 if math.isnan(minutes) else min(minutes, _YEAR_MIN)


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
