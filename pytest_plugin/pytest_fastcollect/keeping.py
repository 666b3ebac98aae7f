"""Keeps what a run has collected for runs that no server helps (`collected`, `selective`)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.mark import KeywordMatcher
from _pytest.unittest import TestCaseFunction

from fastcollect_lsp import listing
from fastcollect_lsp.rendezvous import Place

from . import collected
from .collected import Collected, Module, Stat, Test
from .modules import peek
from .runkey import run_key

_SEEING = (
    "pytest_collection", "pytest_collection_modifyitems", "pytest_collect_file",
    "pytest_collectreport", "pytest_collectstart", "pytest_deselected", "pytest_generate_tests",
    "pytest_itemcollected", "pytest_make_collect_report", "pytest_make_parametrize_id",
    "pytest_pycollect_makeitem", "pytest_pycollect_makemodule",
)  # fmt: skip
"""Hooks that see what is collected, or have a hand in it."""
_HARMLESS = frozenset(("_pytest", "pytest_fastcollect"))
"""Plugins whose implementations of those do nothing to a test that is deselected."""
_REGISTERING = (*_SEEING, "pluginmanager", "pytest_plugins", "import *", "exec(", "globals(")
"""A conftest that is loaded in the midst of the collection must have none of this in its text."""
T = TypeVar("T")
_WARM_MARGIN_NS = 5_000_000_000
"""A warm process has executed a module before this run began, and its file was proven then."""


def who_sees(config: pytest.Config) -> str | None:
    """A plugin that sees what is collected; None if only pytest does."""
    for name in _SEEING:
        for implementation in getattr(config.pluginmanager.hook, name).get_hookimpls():
            home = str(getattr(implementation.function, "__module__", None))
            if home.partition(".")[0] not in _HARMLESS:
                return f"{home}.{name}"
    return None


def parametrized(session: pytest.Session) -> set[str] | None:
    """Names of fixtures that have parameters or use one that has; None where pytest keeps them in
    another way than is known here."""
    manager: Any = getattr(session, "_fixturemanager", None)
    if hasattr(manager, "_get_all_fixture_defs"):
        definitions = list(manager._get_all_fixture_defs())
    elif hasattr(manager, "_arg2fixturedefs"):
        definitions = [one for many in manager._arg2fixturedefs.values() for one in many]
    else:
        return None
    found = {one.argname for one in definitions if one.params is not None}
    before = -1
    while len(found) > before:
        before = len(found)
        found.update(one.argname for one in definitions if not found.isdisjoint(one.argnames))
    return found


def key_of(config: pytest.Config) -> str:
    """What of a command line, a configuration and an interpreter decides which tests there are."""
    key = run_key(config)
    selection = {k: v for k, v in json.loads(key.selection).items() if k != "paths"}
    flags = [sys.flags.optimize, sys.flags.bytes_warning, sys.flags.dev_mode, *sys.warnoptions]
    interpreter = [sys.version, sys.prefix, pytest.__version__, *flags]
    return json.dumps([key.base, selection, interpreter])


class Keeping:
    """A plugin that watches one run up to the end of its collection."""

    def __init__(self, config: pytest.Config, place: Place, began_ns: int, warm: bool) -> None:
        self._config = config
        options = config.known_args_namespace
        # With those, files are skipped that have passed before: they are not collected.
        partial = getattr(options, "lf", False) or getattr(options, "failedfirst", False)
        self._file = None if partial else collected.file_of(place, key_of(config))
        self._settled_ns = began_ns - (_WARM_MARGIN_NS if warm else 0)
        self._known = Collected()
        self._passed: dict[pytest.Collector, Stat] = {}
        self._seen: set[str] = set()
        self._listings: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Which modules passed, and from which files."""
        if type(collector) is not pytest.Module:
            if isinstance(collector, pytest.Directory):
                directory = str(collector.path)
                self._listings[directory] = listing.digest(directory)
            return (yield)
        stat, shown = collected.stat_of(collector.path), _warnings_shown()
        report = yield
        self._seen.add(collector.nodeid)
        quiet = report.passed and not report.sections and shown == _warnings_shown()
        if quiet and stat is not None and not collected.is_racy(stat, self._settled_ns):
            self._passed[collector] = stat
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """All items, before anything is done to them."""
        with contextlib.suppress(Exception):  # whatever it is, the run goes on without
            if self._file is not None and not session.testsfailed:
                self._keep(session, items)

    def _keep(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        assert self._file is not None
        plugins = self._config.pluginmanager.get_plugins()
        conftests = find_conftests(plugins, str(self._config.rootpath))
        tainted = parametrized(session)
        if _warnings_shown() is None or tainted is None or conftests is None:
            return
        if who_sees(self._config):
            return
        before = collected.read(self._file)
        known = before or Collected()
        changed = self._note_surroundings(known, conftests, sorted(tainted))
        mine = {one.nodeid: (one, stat) for one, stat in self._passed.items()}
        left_out = {
            one.parent.nodeid
            for one in items
            if getattr(one, "is_left_out", False) and one.parent is not None
        }
        by_module: dict[pytest.Collector | None, list[pytest.Item]] = {}
        modules: dict[object, pytest.Collector | None] = {}
        for item in items:
            if item.parent not in modules:
                modules[item.parent] = item.getparent(pytest.Module)
            by_module.setdefault(modules[item.parent], []).append(item)
        for nodeid in self._seen - left_out:
            module, stat = mine.get(nodeid, (None, None))
            if module is not None and known.stats.get(nodeid) == (str(module.path), stat):
                continue
            described = module and _describe(module, by_module.get(module, ()), tainted)
            if described and module is not None and stat is not None:
                known.put(nodeid, str(module.path), stat, described)
                changed = True
            elif known.stats.pop(nodeid, None):
                changed = True
        for nodeid in [one for one in known.stats if one not in self._seen]:
            if not os.path.exists(known.stats[nodeid][0]):
                del known.stats[nodeid]
                changed = True
        if changed:
            collected.write(self._file, known)

    def _note_surroundings(
        self, known: Collected, conftests: dict[str, tuple[Stat, bool]], tainted: list[str]
    ) -> bool:
        """Of the directories that were collected with all below them; whether anything is new."""
        before = known.listings, known.conftests, known.directories, known.parametrized
        whole = [path for path in arguments(self._config) if os.path.isdir(path)]
        mine = {k: v for k, v in self._listings.items() if any_above(k, whole)}
        known.listings = _others(known.listings, whole) | mine
        known.conftests = _others(known.conftests, whole) | conftests
        is_all = all(any_above(path, whole) for path in known.directories)
        known.directories = sorted({*whole, *known.directories})
        known.parametrized = tainted if is_all else sorted({*tainted, *known.parametrized})
        return before != (known.listings, known.conftests, known.directories, known.parametrized)


def _others(noted: dict[str, T], directories: list[str]) -> dict[str, T]:
    """What is not below any of these directories."""
    return {path: value for path, value in noted.items() if not any_above(path, directories)}


def arguments(config: pytest.Config) -> list[str]:
    """What was asked for, as absolute paths."""
    directory = config.invocation_params.dir
    return [os.path.abspath(directory / str(one).split("::")[0]) for one in config.args]


def is_below(path: str, directory: str) -> bool:
    """Whether it is that directory, or in it."""
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def any_above(path: str, directories: Iterable[str]) -> bool:
    """Whether it is one of these directories, or in one."""
    return any(is_below(path, directory) for directory in directories)


def _warnings_shown() -> int | None:
    """How many warnings pytest has caught since the collection began; None if that is not known."""
    caught = getattr(getattr(warnings, "_showwarnmsg_impl", None), "__self__", None)
    return len(caught) if isinstance(caught, list) else None


def find_conftests(plugins: Iterable[object], root: str) -> dict[str, tuple[Stat, bool]] | None:
    """Stat of each conftest, and whether it may be loaded while modules are left out.

    None where something of the project looks at deselected tests afterwards.
    """
    found: dict[str, tuple[Stat, bool]] = {}
    for plugin in plugins:
        path = peek(plugin, "__file__") if isinstance(plugin, types.ModuleType) else None
        is_conftest = os.path.basename(path or "") == "conftest.py"
        if not path or not (is_conftest or is_below(path, root)) or "site-packages" in path:
            continue
        stat = collected.stat_of(path)
        try:
            text = Path(path).read_text("utf-8", "replace")
        except OSError:
            return None
        if stat is None or "deselected" in text:
            return None
        if is_conftest:
            found[path] = stat, not any(word in text for word in _REGISTERING)
    return found


class _Above:
    """What items have from a node above them, once for all of them."""

    def __init__(self, node: pytest.Collector, module: pytest.Collector) -> None:
        below = node.listchain()[len(module.listchain()) :]
        self.id = node.nodeid
        self.names = {one.name for one in below} | node.listextrakeywords()
        self.marks = {mark.name for mark in node.iter_markers()}
        self.of_functions: dict[object, set[str]] = {}

    def names_of(self, item: pytest.Item) -> set[str]:
        """What `-k` looks for in an item, besides its name, its marks, and the module's."""
        function = getattr(item, "function", None)
        if not getattr(function, "__dict__", None):
            extra = item.extra_keyword_matches
            return self.names | extra if extra else self.names
        known = self.of_functions.get(function)
        if known is None:
            # Which attributes of a function count, differs from version to version of pytest.
            names = set(KeywordMatcher.from_item(item)._names) & set(vars(function))
            known = self.of_functions[function] = names | self.names
        return known | item.extra_keyword_matches


def _describe(
    module: pytest.Collector, items: Iterable[pytest.Item], tainted: set[str]
) -> Module | None:
    """None where a stand-in of an item would not do."""
    # What was not imported must not be for our sake, as by a look at `module.obj`.
    name = getattr(vars(module).get("_obj"), "__name__", None)
    fixtures: set[str] = set()
    above: dict[object, _Above] = {}
    tests = []
    for item in items:
        if type(item) not in (pytest.Function, TestCaseFunction) or item.parent is None:
            return None
        callspec = getattr(item, "callspec", None)
        if callspec is not None:
            scopes = getattr(callspec, "_arg2scope", None)
            # Tests of a higher scope's parameters are put together, whatever module they are in.
            if scopes is None or any(one.value != "function" for one in scopes.values()):
                return None
        if (shared := above.get(item.parent)) is None:
            shared = above[item.parent] = _Above(item.parent, module)
        fixtures.update(item.fixturenames)  # type: ignore[attr-defined]
        marks = shared.marks.union([mark.name for mark in item.own_markers])
        names = shared.names_of(item)
        tests.append(Test(item.name, f"{shared.id}::{item.name}", (*names,), (*marks,)))
    if not isinstance(name, str) or not fixtures.isdisjoint(tainted):
        return None
    if tests and item.nodeid != tests[-1].nodeid:
        return None
    return Module(name, tuple(sorted(fixtures)), tuple(tests))
