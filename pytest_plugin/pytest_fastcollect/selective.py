"""Leaves out the import of test modules none of whose tests a cold run with `-k` or `-m` selects.

In the place of such a module's tests stand items with their names and marks, which pytest counts
and deselects as it would have the tests. A module is left out only where all of this is so:

- its file is the one from which its tests were collected (`keeping`), and its text alone decides
  which tests those are, and does nothing that shows elsewhere (`determined`);
- what it would import has been imported already, so that its import would have been an execution of
  its own text and nothing else;
- no plugin but pytest's own sees what is collected, and no fixture of elsewhere has parameters that
  its tests would take.

All of it is looked at in the run itself, when the module would be imported.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.expression import Expression
from _pytest.mark.structures import Mark

from fastcollect_lsp import listing
from fastcollect_lsp.rendezvous import Place

from . import collected
from .collected import Collected, Module, Test
from .keeping import arguments, find_conftests, is_below, key_of, parametrized, who_sees
from .marks import registered
from .modules import peek
from .record import Recorder
from .studies import CLASS, PLAIN, Import, Study

_REFUSED = (
    "lf", "failedfirst", "stepwise", "stepwise_skip", "showfixtures", "show_fixtures_per_test",
    "keepduplicates", "pyargs", "doctestmodules",
)  # fmt: skip
"""Options under which a module that is not imported could be missed."""


class LeftOut(pytest.Item):
    """Stands for a test of a module that was left out, until it is deselected."""

    is_left_out = True

    def runtest(self) -> None:
        """It is deselected before."""
        raise AssertionError(f"{self.nodeid} was left out")

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """As of any item."""
        return self.path, None, self.name


class Exactly:
    """As `MarkMatcher`."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def __call__(self, name: str, /, **arguments: object) -> bool:
        if arguments:
            raise ValueError("arguments are not known")
        return name in self._names


class Within(Exactly):
    """As `KeywordMatcher`; the names are lower case."""

    def __call__(self, name: str, /, **arguments: object) -> bool:
        if arguments:
            raise ValueError("arguments are not known")
        name = name.lower()
        return any(name in one for one in self._names)


class Selective:
    """A plugin for one cold run."""

    def __init__(
        self, config: pytest.Config, known: Collected, studies: Path, recorder: Recorder | None
    ) -> None:
        self._config = config
        self._known = known
        self._studies_file = studies
        self._recorder = recorder
        self._begun = False
        self._off = False
        self._plugins_changed = True
        self._left_out: dict[pytest.Module, list[LeftOut]] = {}

    def pytest_plugin_registered(self) -> None:
        """Look again who sees what is collected."""
        self._plugins_changed = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> pytest.CollectReport | None:
        """The report of a module that is left out."""
        try:
            if type(collector) is not pytest.Module or self._is_off():
                return None
            items = self._stand_ins(collector)
        except Exception:  # whatever it is: pytest goes on without us
            self._off = True
            return None
        if items is None:
            return None
        self._left_out[collector] = items
        identity: Any = getattr(collector, "id", collector.nodeid)
        return pytest.CollectReport(identity, "passed", None, list(items))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """What stands for tests is there for pytest alone, and only until it is deselected."""
        if self._left_out and who_sees(self._config):
            self._bring_back(items)
        result = yield
        self._bring_back(items)
        return result

    def _bring_back(self, items: list[pytest.Item]) -> None:
        """Collect what was left out after all: something was not foreseen."""
        real: dict[str, pytest.Item] = {}
        for module in {one.parent: None for one in items if isinstance(one, LeftOut)}:
            assert isinstance(module, pytest.Module)
            real.update((one.nodeid, one) for one in _collect(module))
        items[:] = [real[one.nodeid] if isinstance(one, LeftOut) else one for one in items]

    # ------------------------------------------------------------------ whether at all

    def _is_off(self) -> bool:
        if not self._begun:
            self._begun = True
            self._off = not self._begin()
        if not self._off and self._plugins_changed:
            self._plugins_changed = False
            self._off = who_sees(self._config) is not None
        return self._off

    def _begin(self) -> bool:
        options = self._config.option
        try:
            self._keyword = _compiled(options.keyword)
            self._mark = _compiled(options.markexpr)
        except Exception:  # pytest says what is wrong with it, in its time
            return False
        if not self._are_surroundings_known():
            return False
        self._studies = collected.read_studies(self._studies_file)
        self._registered = set(registered(self._config))
        failures = getattr(self._config.pluginmanager.get_plugin("lfplugin"), "lastfailed", {})
        self._failed = set(map(str, failures))
        self._directories: dict[str, tuple[str, str]] = {}
        return bool(self._studies)

    def _are_surroundings_known(self) -> bool:
        """No conftest may be loaded later whose hooks would see what stands in for tests."""
        known = self._known
        plugins = self._config.pluginmanager.get_plugins()
        loaded = find_conftests(plugins, str(self._config.rootpath))
        if loaded is None:
            return False
        for path, (stat, is_silent) in known.conftests.items():
            if path not in loaded and not (is_silent and collected.stat_of(path) == stat):
                return False
        for argument in arguments(self._config):
            if os.path.isfile(argument):
                continue
            if argument not in known.listings:
                return False
            if not any(is_below(argument, one) for one in known.directories):
                return False
            below = {k: v for k, v in known.listings.items() if is_below(k, argument)}
            if not listing.holds(below):
                return False
        return True

    # ------------------------------------------------------------------ one module

    def _stand_ins(self, collector: pytest.Module) -> list[LeftOut] | None:
        nodeid, path = collector.nodeid, str(collector.path)
        stat = collected.stat_of(path)
        if stat is None or self._known.stats.get(nodeid) != (path, stat):
            return None
        studied, study = self._studies.get(path, (None, None))
        if studied != stat or study is None or nodeid in self._failed:
            return None
        module = self._known.module(nodeid)
        if module is None or not self._would_do_nothing(collector, module, study):
            return None
        above = _names_above(collector)
        if any(self._selects(test, above) for test in module.tests):
            return None
        items = []
        for test in module.tests:
            item = LeftOut.from_parent(collector, name=test.name, nodeid=test.nodeid)
            item.extra_keyword_matches.update(test.names)
            item.own_markers.extend(map(_mark, test.marks))
            items.append(item)
        if self._recorder is not None:
            self._recorder.leave_out(path, module.name)
        return items

    def _selects(self, test: Test, above: list[str]) -> bool:
        """Whether pytest will keep a test (`_pytest.mark`); it has the last word."""
        try:
            if self._mark is not None and not self._mark.evaluate(Exactly(test.marks)):
                return False
            own = map(str.lower, (test.name, *test.names, *test.marks))
            return self._keyword is None or self._keyword.evaluate(Within([*above, *own]))
        except Exception:  # pytest says so itself
            return True

    def _would_do_nothing(self, collector: pytest.Module, module: Module, study: Study) -> bool:
        """Whether an import of this module would show nowhere else."""
        package = module.name.rpartition(".")[0]
        root, expected = self._place(collector.path)
        stem = collector.path.stem
        if module.name != (f"{expected}.{stem}" if expected else stem) or sys.path[0] != root:
            return False
        if module.name in sys.modules or not _is_package_there(package, collector.path):
            return False
        if not study.marks <= self._registered or self._has_parameters(collector, module):
            return False
        bound: dict[str, object] = {}
        for one in study.imports:
            if not _is_there(one, package, bound):
                return False
        if any(_is_collected(collector, name, value) for name, value in bound.items()):
            return False
        for name, how in study.uses.items():
            value = _used(name, bound)
            if value is _MISSING or (how == CLASS and not isinstance(value, type)):
                return False
            if how == PLAIN and type(value) not in _PLAIN_TYPES:
                return False
        return True

    def _place(self, path: Path) -> tuple[str, str]:
        """What pytest puts into `sys.path` for a file, and the package that the file is in."""
        directory = str(path.parent)
        found = self._directories.get(directory)
        if found is None:
            top = directory
            names: list[str] = []
            while os.path.isfile(os.path.join(top, "__init__.py")):
                top, name = os.path.split(top)
                names.insert(0, name)
            found = self._directories[directory] = top, ".".join(names)
        return found

    def _has_parameters(self, collector: pytest.Module, module: Module) -> bool:
        """Whether a fixture of elsewhere may make several tests of one."""
        tainted = parametrized(collector.session)
        if tainted is None or not tainted <= set(self._known.parametrized):
            return True
        if not tainted:
            return False
        manager: Any = collector.session._fixturemanager
        names = set(module.fixtures)
        for kept in ("_nodeid_autousenames", "_node_autousenames"):
            for autouse in getattr(manager, kept, {}).values():
                names.update(autouse)
        return not names.isdisjoint(self._known.parametrized)


_MISSING = object()
_PLAIN_TYPES = (bool, bytes, dict, float, int, list, str, tuple, type, type(None))
_OWN = sys.stdlib_module_names | {"_pytest"}


def open_for(config: pytest.Config, place: Place, recorder: Recorder | None) -> Selective | None:
    """Where this run has a `-k` or `-m`, and something is known of the project's tests."""
    options = config.known_args_namespace
    if not (options.keyword or options.markexpr) or "=" in (options.markexpr or ""):
        return None
    if options.importmode != "prepend" or any(getattr(options, one, None) for one in _REFUSED):
        return None
    if any("::" in str(one) for one in options.file_or_dir or ()):
        return None
    try:
        if config.getini("consider_namespace_packages"):
            return None
    except (KeyError, ValueError):
        pass  # pytest 8.0
    file = collected.file_of(place, key_of(config))
    known = collected.read(file) if file is not None else None
    if file is None or known is None:
        return None
    return Selective(config, known, collected.studies_of(file), recorder)


def _names_above(collector: pytest.Module) -> list[str]:
    """What `-k` looks for in all tests of a module (`KeywordMatcher.from_item`)."""
    nodes = [
        node.name
        for node in collector.listchain()
        if not isinstance(node, pytest.Session) and not isinstance(node.parent, pytest.Session)
    ]
    return [name.lower() for name in (*nodes, *collector.listextrakeywords())]


@functools.cache
def _mark(name: str) -> Mark:
    return Mark(name, (), {}, _ispytest=True)


def _compiled(text: str | None) -> Expression | None:
    text = (text or "").lstrip()
    return Expression.compile(text) if text else None


def _collect(collector: pytest.Collector) -> Iterator[pytest.Item]:
    for node in collector.collect():
        if isinstance(node, pytest.Item):
            yield node
        else:
            assert isinstance(node, pytest.Collector)
            yield from _collect(node)


def _is_package_there(package: str, path: Path) -> bool:
    directory = path.parent
    while package:
        if peek(sys.modules.get(package), "__file__") != str(directory / "__init__.py"):
            return False
        package, directory = package.rpartition(".")[0], directory.parent
    return True


def _is_there(one: Import, package: str, bound: dict[str, object]) -> bool:
    """Whether an import statement would find all of what it names; note what it would bind."""
    name = one.module
    if one.level:
        parts = package.split(".") if package else []
        if len(parts) < one.level:
            return False
        above = ".".join(parts[: len(parts) - one.level + 1])
        name = f"{above}.{name}" if name else above
    module = _module(name)
    if module is None:
        return False
    if one.name is None:
        top = name.partition(".")[0]
        value = module if one.bound != top else _module(top)
    else:
        value = vars(module).get(one.name, _MISSING)
    if value is _MISSING or value is None:
        return False
    bound[one.bound] = value
    return True


def _module(name: str) -> types.ModuleType | None:
    found = sys.modules.get(name)
    return found if isinstance(found, types.ModuleType) else None


def _used(name: str, bound: dict[str, object]) -> object:
    """What a dotted name means; of a module's attributes only, which are looked up in one way."""
    first, *rest = name.split(".")
    value = bound.get(first, _MISSING)
    for part in rest:
        if not isinstance(value, types.ModuleType):
            return _MISSING
        value = vars(value).get(part, _MISSING)
    return value


def _is_collected(collector: pytest.Module, name: str, value: object) -> bool:
    """Whether pytest may take what a module has imported for one of its tests or fixtures."""
    if collector.funcnamefilter(name) or collector.classnamefilter(name):
        return True
    if isinstance(value, types.ModuleType):
        return False
    kind = type(value)
    if kind.__module__.startswith("_pytest.fixtures") or hasattr(kind, "_pytestfixturefunction"):
        return True
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        # Asked for an attribute, what is not of Python's or pytest's own might run code.
        return kind.__module__.partition(".")[0] not in _OWN
    if "_pytestfixturefunction" in getattr(value, "__dict__", {}):
        return True
    if getattr(value, "__test__", None) is True:
        return True
    unittest = sys.modules.get("unittest")
    return isinstance(value, type) and unittest is not None and issubclass(value, unittest.TestCase)
