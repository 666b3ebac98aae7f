"""Executes the imports of a record, step by step, in a process that will be a checkpoint.

The same plan is executed twice. First by a disposable process under an audit hook, the probe, which
finds the inputs and the first step that must not happen ahead of time; then by the process that
stays, without any hook. Both must do the same.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import hashlib
import importlib
import importlib.abc
import inspect
import os
import random
import sys
import time
import types
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import _pytest.assertion
import _pytest.pathlib
import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook
from _pytest.config import apply_warning_filters, get_config
from _pytest.pathlib import import_path, resolve_package_path

from fastcollect_lsp.protocol import Record, Segment

from . import bytecode, census, hooks
from .audit import Audit, Forbidden
from .contained import imported_names, keeps_to_itself
from .generators import reseed, seed_again, unseeded
from .leading import Import, leading_imports
from .modules import importable, is_neutral, new_modules, peek
from .stash import Effects, Entry, Stash, changed_builtins
from .tracing import Reads, TracedArgv, snapshot_environ, traced_environ


class Barrier(Exception):
    """A step, or one module of it, must not happen ahead of time; its text says why."""

    def __init__(self, reason: str, module: str | None = None, as_recorded: bool = False) -> None:
        super().__init__(reason)
        self.module = module
        self.as_recorded = as_recorded
        """Whether the step did what it did in the recorded run: it is only not to be kept."""


@dataclass(frozen=True)
class Plan:
    """What to execute: the segments `first` to `last` of a record."""

    record: Record
    first: int
    last: int
    skip: frozenset[str]
    """What to leave to the run child: a step (`3`), what a step is about but not what it imports
    (`3:shallow`), or one module that a hook imports (`3:name`)."""
    changed: frozenset[str]
    """Files edited since the record was made: their imports may differ from it."""
    probe: bool
    """Whether this is the disposable first execution."""
    environ: Mapping[str, str]
    """The caller's environment."""
    generators: Mapping[str, str]
    """What the probe reported of generators, by `step:name`."""
    libraries: int
    """How many leading imports of segment `last` to execute as well: libraries that it and the
    project's modules which it imports begin with (`leading`)."""


@dataclass
class Report:
    """What an execution found out."""

    files: dict[str, int] = field(default_factory=dict)
    """What was read, each with the first step that did."""
    directories: set[str] = field(default_factory=set)
    """What was listed or searched."""
    extents: dict[str, int] = field(default_factory=dict)
    """Files of the project whose beginning decides which libraries were imported; in bytes."""
    libraries: list[str] = field(default_factory=list)
    """Leading imports that were executed."""
    costs_ms: dict[int, float] = field(default_factory=dict)
    """What each step took."""
    environ: dict[str, str | None] = field(default_factory=dict)
    whole_environ: bool = False
    generators: dict[str, str] = field(default_factory=dict)
    barriers: list[tuple[int, str | None, str]] = field(default_factory=list)
    contained: list[int] = field(default_factory=list)
    """Steps with barriers that change nothing outside of their own module: what follows them does
    not depend on them."""
    """Of a probe: (step, module, reason) for each that must not happen ahead of time."""
    modules: int = 0
    elapsed_ms: float = 0.0


class _ExactHook(AssertionRewritingHook):
    """Rewrites just the modules that the recorded run rewrote; new ones by the rules."""

    exact: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def _early_rewrite_bailout(self, name: str, state: Any) -> bool:
        if name in self.known:
            return name not in self.exact
        return super()._early_rewrite_bailout(name, state)

    def _should_rewrite(self, name: str, fn: str, state: Any) -> bool:
        if name in self.known:
            return name in self.exact
        return super()._should_rewrite(name, fn, state)


class _Starts(importlib.abc.MetaPathFinder):
    """Numbers imports in the order in which they begin. Finds nothing itself."""

    def __init__(self) -> None:
        self.starts: dict[str, int] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> None:
        self.starts[name] = len(self.starts) + 1


class Replay:
    """One execution of a plan. Adds what it executes to `stash`."""

    def __init__(self, plan: Plan, stash: Stash, announce: Callable[[int], None]) -> None:
        self._plan = plan
        self._stash = stash
        self._announce = announce
        self._starts = _Starts()
        self._seen = set(sys.modules)
        self._output = census.Output()
        self._hook_modules = _hook_modules(plan.record)
        self._audit: Audit | None = None
        self._argv = TracedArgv()
        self._reads = Reads()
        self._baseline = census.Census.take()
        self._builtins: dict[str, Any] = {}
        self._unseeded: list[weakref.ref[random.Random]] = []
        self._index = plan.first
        self.report = Report()

    def run(self) -> None:
        """Raises Barrier. The step in progress has been announced before it begins."""
        began = time.perf_counter()
        self._set_environ()
        sys.argv[:] = self._plan.record.argv
        importlib.invalidate_caches()  # a directory that was not there may be by now
        self.report.directories.update(filter(None, map(os.path.abspath, sys.path)))
        if self._plan.probe:
            self._audit = Audit()
            self._audit.wrap_functions()
            sys.argv = self._argv = TracedArgv(sys.argv)
        with (
            self._output.watch(),
            traced_environ() as self._reads,
            self._import_system(),
        ):
            self._baseline = census.Census.take()
            for index in range(self._plan.first, self._plan.last):
                if str(index) in self._plan.skip:
                    self._diverges(self._plan.record.segments[index])
                else:
                    self._announce(index)
                    self._attempt(index, self._plan.record.segments[index])
            if self._plan.libraries:
                self._announce(self._plan.last)
                self._libraries(self._plan.last, self._plan.record.segments[self._plan.last])
        # A variable that an earlier step has set counts with the caller's value too: where that is
        # the same, the steps do the same.
        caller = self._plan.environ
        self.report.environ = {name: caller.get(name) for name in self._reads.names}
        self.report.whole_environ = self._reads.whole
        self.report.elapsed_ms = (time.perf_counter() - began) * 1000
        self.report.modules = len(self._stash.entries)
        gc.collect()

    def _attempt(self, index: int, segment: Segment) -> None:
        """One step. A probe notes what stands against it and goes on: it is disposable anyway."""
        self._index = index
        began = time.perf_counter()
        try:
            self._step(index, segment)
            self._check(None)
            self.report.costs_ms[index] = (time.perf_counter() - began) * 1000
        except Barrier as barrier:
            if self._audit is None:
                raise
            self._note(index, barrier)

    def _note(self, index: int, barrier: Barrier) -> None:
        self.report.barriers.append((index, barrier.module, str(barrier)))
        assert self._audit is not None
        with self._audit.paused():
            step = self._plan.record.segments[index] if index < self._plan.last else None
            if barrier.as_recorded and step is not None and self._is_contained(step):
                self.report.contained.append(index)
            self._output.rebase()
            self._baseline = census.Census.take()
        observed = self._audit.take()  # the next step is not to be blamed for this one
        self._read(observed.files)
        self.report.directories |= observed.directories

    def _is_contained(self, segment: Segment) -> bool:
        """Whether what a step does shows nowhere but in its own module and in libraries that are
        imported ahead all the same."""
        if segment.path is None or segment.kind == "conftest":  # pytest calls its hooks
            return False
        try:
            source = Path(segment.path).read_bytes()
        except OSError:
            return False
        others = set(segment.modules) - {segment.unit}
        if any(self._would_be_of_project(name) for name in others):
            return False
        if others & imported_names(source) - set(self._names_ahead(segment)):
            return False
        return keeps_to_itself(source)

    def _would_be_of_project(self, name: str) -> bool:
        spec = self._find(name)
        return spec is None or self._is_first_party(spec)

    def _set_environ(self) -> None:
        """The caller's environment, with what pytest and the steps before this one add to it."""
        os.environ.clear()
        os.environ.update(self._plan.environ)
        if pytest.version_tuple >= (8, 2):
            os.environ["PYTEST_VERSION"] = pytest.__version__
        for entry in self._stash.entries:
            if entry.effects is not None:
                entry.effects.apply_environ()

    def _check(self, module: str | None) -> None:
        """Raises Barrier if the step, or the module of it, did what a fork cannot keep."""
        audit = self._audit
        with audit.paused() if audit is not None else contextlib.nullcontext():
            hazard = self._baseline.hazard() or self._output.hazard()
        if audit is not None:
            observed = audit.take()
            self._read(observed.files)
            self.report.directories |= observed.directories
            hazard = hazard or next(iter(observed.hazards), None)
            if self._argv.read:
                self._argv.read = False
                hazard = hazard or "reads sys.argv at import"
        if hazard:
            raise Barrier(hazard, module, as_recorded=True)

    def _read(self, files: Iterable[str]) -> None:
        for file in files:
            self.report.files.setdefault(file, self._index)

    @contextlib.contextmanager
    def _import_system(self) -> Iterator[None]:
        """pytest's assertion rewriting and our count of imports, for the duration."""
        record = self._plan.record
        config: Any = get_config()
        if not hasattr(config, "inicfg"):
            config.inicfg = {}  # up to pytest 9.0 only parsing a command line sets it
        hook: Any = _pytest.assertion.install_importhook(config)
        hook.__class__ = _ExactHook
        hook.fnpats = record.python_files
        hook._must_rewrite.update(record.rewrite_marks)
        hook.exact = frozenset(record.rewritten)
        hook.known = frozenset(name for segment in record.segments for name in segment.modules)
        sys.meta_path.insert(0, self._starts)
        try:
            with bytecode.distrusted():
                yield
        finally:
            sys.meta_path.remove(self._starts)
            sys.meta_path.remove(hook)
            config._ensure_unconfigure()

    def _step(self, index: int, segment: Segment) -> None:
        shallow = self._shallow(index)
        if segment.kind == "broken" and not shallow:
            raise Barrier("cannot be imported", as_recorded=True)
        if segment.kind == "opaque" and not shallow:
            raise Barrier("imported in a way of its own")
        if self._diverges(segment):
            raise Barrier("sys.path is not what it was in the recorded run")
        sys.path[:] = segment.sys_path
        self.report.directories.update(map(os.path.abspath, segment.sys_path))
        effects = Effects()
        generators = census.generators()
        with self._filtered_warnings() as caught:
            try:
                self._execute(index, segment, effects)
            finally:
                modules = new_modules(self._seen)
        self._compare(index, segment, modules)
        self._compare_plugins(segment, modules)
        self._compare_environ(segment)
        added = self._stash.add(modules, self._starts.starts, index, segment.path)
        self._keep(index, added, effects, generators, caught)
        self._stash.path = effects.path_after if segment.path is not None and not shallow else None

    def _diverges(self, segment: Segment) -> bool:
        """Whether an edited file has made another `sys.path` than the record goes on with.

        Only where files were edited: hooks may change it between steps, without one of their own.
        """
        path, self._stash.path = self._stash.path, None
        if self._plan.changed and path is not None and path != segment.sys_path:
            self._stash.diverged = True
        return self._stash.diverged

    @contextlib.contextmanager
    def _filtered_warnings(self) -> Iterator[list[warnings.WarningMessage]]:
        """Warnings as pytest filters them at import. Raises Barrier for whatever goes wrong."""
        try:
            self._builtins = dict(vars(builtins))
            with warnings.catch_warnings(record=True) as caught, unseeded() as self._unseeded:
                _filter_warnings(self._plan.record)
                yield caught
        except Barrier:
            raise
        except Forbidden as forbidden:
            raise Barrier(str(forbidden), as_recorded=True) from None
        except BaseException as error:
            raise Barrier(_failed(error)) from None

    def _keep(
        self,
        index: int,
        added: Sequence[Entry],
        effects: Effects,
        generators: dict[str, tuple[object, Callable[[], None]]],
        caught: Sequence[warnings.WarningMessage],
    ) -> None:
        """What was executed is in the stash: have it come with what it did besides."""
        self._inputs(added)
        effects.warnings = list(caught)
        effects.builtins = changed_builtins(self._builtins)
        effects.restore += [held.restore for held in self._output.held()]
        self._compare_generators(index, added, generators, effects)
        if self._unseeded:
            effects.restore.append(functools.partial(seed_again, self._unseeded))
        if added:
            added[-1].effects = effects

    def _compare_environ(self, segment: Segment) -> None:
        """What hooks of a run set in the environment before this step is not set here."""
        here: set[str] = set()
        for entry in self._stash.entries:
            if entry.effects is not None:
                here.update(entry.effects.environ)
        if read := (set(segment.environ) - here) & self._reads.names:
            raise Barrier(f"depends on {min(read)}, which the run itself sets")

    def _libraries(self, index: int, segment: Segment) -> None:
        """The leading imports of a step, without the step."""
        self._index = index
        began = time.perf_counter()
        assert segment.path is not None
        audit = self._audit
        with audit.paused() if audit is not None else contextlib.nullcontext():
            sys.path[:] = _path_with_root(Path(segment.path), self._plan.record)
            leading = leading_imports(segment.path, segment.unit, self._find, self._is_first_party)
        self.report.directories |= leading.directories
        self.report.directories.update(map(os.path.abspath, sys.path))
        wanted = [
            (statement, extents)
            for statement, extents in zip(leading.imports, leading.extents, strict=True)
            if not is_neutral(statement.name)
        ]
        for number, (statement, extents) in enumerate(wanted[: self._plan.libraries]):
            try:
                self._library(index, segment, statement)
                self._check(None)
            except Barrier as barrier:
                if audit is None:
                    raise
                self._note(number, Barrier(str(barrier), statement.name))
                break
            self.report.libraries.append(statement.name)
            self.report.extents = extents
        self.report.costs_ms[index] = (time.perf_counter() - began) * 1000

    def _library(self, index: int, segment: Segment, statement: Import) -> None:
        effects = Effects(path_before=list(sys.path))
        generators = census.generators()
        environ = snapshot_environ()
        with self._filtered_warnings() as caught:
            try:
                importlib.import_module(statement.name)
                if statement.names:
                    __import__(statement.name, fromlist=statement.names)
            finally:
                modules = new_modules(self._seen)
        self._compare_environ(segment)
        added = self._stash.add(modules, self._starts.starts, -1 - index, None)
        self._stash.claim(statement.importers, added)
        effects.path_after = list(sys.path)
        effects.environ = _difference(environ, snapshot_environ())
        self._keep(index, added, effects, generators, caught)

    def _find(self, name: str) -> ModuleSpec | None:
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
            if finder is self._starts or isinstance(finder, AssertionRewritingHook):
                continue
            spec: ModuleSpec | None = finder.find_spec(name, path)
            if spec is not None:
                return spec
        return None

    def _is_first_party(self, spec: ModuleSpec) -> bool:
        root = self._plan.record.root + os.sep
        places = [spec.origin or "", *(spec.submodule_search_locations or ())]
        return any(place.startswith(root) and "site-packages" not in place for place in places)

    def _is_of_project(self, added: Sequence[Entry]) -> bool:
        """Whether a step has executed nothing but the project's own modules."""
        return all(
            entry.spec is not None and self._is_first_party(entry.spec)
            for entry in added
            if not is_neutral(entry.name)
        )

    def _shallow(self, index: int) -> bool:
        return f"{index}:shallow" in self._plan.skip

    def _execute(self, index: int, segment: Segment, effects: Effects) -> None:
        record = self._plan.record
        environ = snapshot_environ()
        if segment.path is not None:
            sys.path[:] = _path_with_root(Path(segment.path), record)
        effects.path_before = list(sys.path)
        if segment.path is None or self._shallow(index):
            self._import_names(index, segment)
        else:
            path = Path(segment.path)
            if segment.kind == "conftest" and resolve_package_path(path) is None:
                sys.modules.pop("conftest", None)
                self._seen.discard("conftest")
            _import(path, record)
        effects.path_after = list(sys.path)
        effects.environ = _difference(environ, snapshot_environ())

    def _import_names(self, index: int, segment: Segment) -> None:
        """Import, in their order, the modules that a hook or a module left out has imported."""
        for name in self._names_ahead(segment):
            if name == segment.unit or name in sys.modules:
                continue
            if f"{index}:{name}" in self._plan.skip:
                continue
            try:
                try:
                    importlib.import_module(name)
                except Barrier:
                    raise
                except Forbidden as forbidden:
                    raise Barrier(str(forbidden), name) from None
                except BaseException as error:
                    # It could be imported in the recorded run: what hooks did before it matters,
                    # and may matter to all that follows.
                    raise Barrier(f"{name}: {_failed(error)}") from None
                if index == 0:
                    self._output.forgive()  # plugins: the caller has imported, and printed, as well
                self._check(name)
            except Barrier as barrier:
                if self._audit is None:
                    raise
                self._note(index, barrier)

    def _names_ahead(self, segment: Segment) -> list[str]:
        """What may be imported by name. A module that is left out may set a variable, or an
        attribute of another module, before it imports the next one: of its imports only libraries
        that come before anything else are sure to be what they are in a run."""
        if segment.path is None or segment.unit in segment.influenced:
            return segment.modules
        audit = self._audit
        with audit.paused() if audit is not None else contextlib.nullcontext():
            leading = leading_imports(segment.path, segment.unit, self._find, self._is_first_party)
        self.report.directories |= leading.directories
        if leading.extents:
            self._read(leading.extents[-1])
        names = (
            name
            for statement in leading.imports
            for name in (statement.name, *(f"{statement.name}.{one}" for one in statement.names))
        )
        recorded = set(segment.modules)
        return [name for name in dict.fromkeys(names) if name in recorded]

    def _compare(self, index: int, segment: Segment, modules: list[str]) -> None:
        """The step must have imported what it imported in the recorded run."""
        mine = {name for name in modules if not is_neutral(name) and importable(name)}
        recorded = {name for name in segment.modules if name in sys.modules}
        for name in mine - recorded:
            if name in self._hook_modules:
                raise Barrier(f"{name} is imported by a hook before it in a run")
            if not self._plan.changed:
                raise Barrier(f"imports {name}, which it did not in the recorded run")
        missing = set(segment.modules) - sys.modules.keys()
        if any(entry.startswith(f"{index}:") for entry in self._plan.skip):
            missing = set()
        if missing and not self.report.barriers and not self._plan.changed:
            raise Barrier(f"does not import {min(missing)}, which it did in the recorded run")

    def _compare_plugins(self, segment: Segment, modules: list[str]) -> None:
        """What is a plugin must not have become one that has a hand in what comes after it."""
        record, changed = self._plan.record, self._plan.changed
        for name in modules:
            module = sys.modules.get(name)
            file = peek(module, "__file__")
            is_conftest = segment.kind == "conftest" and file == segment.path
            if not isinstance(module, types.ModuleType) or not (is_conftest or file in changed):
                continue
            hook = hooks.which_matter([module], lambda _: True, configured=True)
            if hook is not None and record.hooks is None:
                raise Barrier(f"{hook}, which the recorded run did not have, comes after it")
            if is_conftest and file in changed and _directs_collection(module):
                raise Barrier("may have changed what is collected")

    def _inputs(self, added: Sequence[Entry]) -> None:
        for entry in added:
            if entry.origin and os.path.isabs(entry.origin):
                self._read([entry.origin])
            for directory in peek(entry.module, "__path__") or ():
                if isinstance(directory, str):
                    self.report.directories.add(directory)

    def _compare_generators(
        self,
        index: int,
        added: Sequence[Entry],
        before: dict[str, tuple[object, Callable[[], None]]],
        effects: Effects,
    ) -> None:
        """A generator left in the same state by both executions was seeded: keep that state."""
        for name, (state, restore) in census.generators().items():
            if name in before and before[name][0] == state:
                continue
            key = f"{index}:{name}"
            digest = hashlib.blake2b(repr(state).encode(), digest_size=8).hexdigest()
            self.report.generators[key] = digest
            if self._plan.generators.get(key) == digest:
                effects.restore.append(restore)
            elif name in before and key in self._plan.generators and self._is_of_project(added):
                raise Barrier("draws random numbers at import that nobody has seeded")
            elif name != "random":  # which is seeded anew by every fork
                effects.restore.append(functools.partial(reseed, name))


def _difference(before: dict[str, str], after: dict[str, str]) -> dict[str, str | None]:
    return {
        name: after.get(name)
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def _directs_collection(conftest: types.ModuleType) -> bool:
    """Whether a conftest names plugins, or files to leave out (`_pytest.main`)."""
    names = ("pytest_plugins", "collect_ignore", "collect_ignore_glob")
    return any(peek(conftest, name) for name in names)


def _failed(error: BaseException) -> str:
    return f"{type(error).__name__} when imported ahead of time"


def _hook_modules(record: Record) -> set[str]:
    """Modules that hooks, not test files, have imported in the recorded run."""
    return {
        name for segment in record.segments if segment.kind == "names" for name in segment.modules
    }


def _filter_warnings(record: Record) -> None:
    """The filters under which pytest imports (`_pytest.warnings.catch_warnings_for_item`)."""
    if not sys.warnoptions:
        warnings.filterwarnings("always", category=DeprecationWarning)
        warnings.filterwarnings("always", category=PendingDeprecationWarning)
    apply_warning_filters(record.warning_filters, record.warning_options)


def _path_with_root(path: Path, record: Record) -> list[str]:
    """`sys.path` as `import_path` will leave it before it imports: a run does that part itself."""
    if record.import_mode == "importlib":
        return list(sys.path)
    root = str(_package_root(path, record))
    if record.import_mode == "append":
        return [*sys.path, root] if root not in sys.path else list(sys.path)
    return [root, *sys.path] if root != sys.path[0] else list(sys.path)


def _package_root(path: Path, record: Record) -> Path:
    resolve = getattr(_pytest.pathlib, "resolve_pkg_root_and_module_name", None)
    if resolve is None:  # pytest 8.0
        package = resolve_package_path(path)
        return path.parent if package is None else package.parent
    try:
        root, _ = resolve(path, consider_namespace_packages=record.consider_namespace_packages)
    except _pytest.pathlib.CouldNotResolvePathError:
        return path.parent
    return Path(root)


def _import(path: Path, record: Record) -> None:
    """As `_pytest.python.importtestmodule` and `_importconftest` do."""
    options: dict[str, Any] = {"mode": record.import_mode, "root": Path(record.root)}
    if "consider_namespace_packages" in inspect.signature(import_path).parameters:
        options["consider_namespace_packages"] = record.consider_namespace_packages
    import_path(path, **options)
