"""Executes the imports of a record, step by step, in a process that will be a checkpoint.

The same plan is executed twice. First by a disposable process under an audit hook, the probe, which
finds the inputs and the first step that must not happen ahead of time; then by the process that
stays, without any hook. Both must do the same.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import os
import random
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter  # as it is before a probe watches who asks for the time
from typing import Any

import pytest
from _pytest.pathlib import resolve_package_path

from fastcollect_lsp.protocol import Segment

from .ambient import ASKS_FOR_TERMINAL
from .audit import Audit, Forbidden, Observed
from .checks import Checks, Unattributed
from .comparison import Comparison
from .contained import imported_at_once, imported_names, keeps_to_itself
from .finding import Finder
from .generators import Draws, seed_again, unseeded
from .importing import Starts, filter_warnings, import_file, import_system, path_with_root
from .leading import Import, Leading, leading_imports
from .modules import is_neutral, new_modules, peek
from .opened import Opened
from .plan import Barrier, Plan, Report
from .stash import Effects, Entry, Stash, changed_builtins
from .surroundings import Surroundings
from .tracing import Reads, TracedList, environ_changes, raw_environ, traced_environ


class Replay:
    """One execution of a plan. Adds what it executes to `stash`."""

    def __init__(self, plan: Plan, stash: Stash, announce: Callable[[int], None]) -> None:
        self._plan = plan
        self._stash = stash
        self._announce = announce
        self._finder = Finder(plan.record.root)
        self._comparison = Comparison(plan, stash)
        self._draws = Draws(plan.generators)
        self._starts = Starts()
        self._seen = set(sys.modules)
        self._audit = Audit() if plan.probe else None
        self._checks = Checks(self._audit, plan.careful)
        self._surroundings: Surroundings | None = None
        """As what is left to the run child is to find them."""
        self._opened: Opened | None = None
        self._argv_read = False
        self._reads = Reads()
        self._sys_path: list[str] = []
        """The one whose directories are inputs by now."""
        self._builtins: dict[str, Any] = {}
        self._unseeded: list[weakref.ref[random.Random]] = []
        self._roots: dict[Path, str] = {}
        self._index = plan.first
        self.report = Report(generators=self._draws.found)

    def run(self) -> None:
        """Raises Barrier, or Unattributed. The step in progress has been announced before it
        begins."""
        began = perf_counter()
        self._set_environ()
        sys.argv[:] = self._plan.record.argv
        importlib.invalidate_caches()  # a directory that was not there may be by now
        self.report.directories.update(filter(None, map(os.path.abspath, sys.path)))
        if self._audit is not None:
            with self._audit.paused():
                self._opened = Opened(self._plan.record.root)
            before = sys.argv, sys.orig_argv
            sys.argv = TracedList(sys.argv, self._read_argv, first=False)
            sys.orig_argv = TracedList(sys.orig_argv, self._read_argv, first=True)
            traced = zip(before, (sys.argv, sys.orig_argv), strict=True)
            self._audit.wrap_functions(self._plan.record.markers, traced)
        with (
            self._checks.output.watch(),
            traced_environ() as self._reads,
            import_system(self._plan.record, self._starts),
        ):
            self._checks.rebase()
            # For the width of its help: a parser of pytest's, which each run makes for itself.
            self._reads.names -= {"COLUMNS", "LINES"}
            if self._plan.pending:
                self._note_surroundings()
            for index in range(self._plan.first, self._plan.last):
                if self._plan.skip & {str(index), f"{index}:shallow"}:
                    self._note_surroundings()
                if str(index) in self._plan.skip:
                    self._diverges(self._plan.record.segments[index])
                else:
                    self._announce(index)
                    self._attempt(index, self._plan.record.segments[index])
            if self._plan.libraries:
                self._announce(self._plan.last)
                self._libraries(self._plan.last, self._plan.record.segments[self._plan.last])
            self._finish()
        # A variable that an earlier step has set counts with the caller's value too: where that is
        # the same, the steps do the same.
        caller = self._plan.environ
        self.report.environ = {name: caller.get(name) for name in self._reads.names}
        self.report.whole_environ = self._reads.whole
        self.report.elapsed_ms = (perf_counter() - began) * 1000
        self.report.modules = len(self._stash.entries)

    def _note_surroundings(self) -> None:
        if self._surroundings is None:
            with self._checks.unwatched():
                self._surroundings = Surroundings()

    def _look_around(self) -> None:
        """Raises Barrier."""
        with self._checks.unwatched():
            changed = self._surroundings.changed() if self._surroundings is not None else None
        if changed is not None:
            reason = f"changes {changed}, which a module before it may look at in a run"
            self._surroundings = None
            raise Barrier(reason, as_recorded=True)

    def _finish(self) -> None:
        """Look at what has not been looked at yet."""
        try:
            if self._plan.careful:
                self._look_around()
            else:
                try:
                    self._look_around()
                except Barrier as barrier:
                    raise Unattributed(str(barrier)) from None
            if (hazard := self._checks.rest()) is not None:
                if self._plan.libraries:
                    raise Unattributed(hazard)  # which of them is counted where it is imported
                raise Barrier(hazard, as_recorded=True)
        except Barrier as barrier:
            if self._audit is None:
                raise
            self._note(self._index, barrier)

    def _attempt(self, index: int, segment: Segment) -> None:
        """One step. A probe notes what stands against it and goes on: it is disposable anyway."""
        self._index = index
        began = perf_counter()
        try:
            self._step(index, segment)
            self._check(None)
            if self._plan.careful:
                self._look_around()
            self.report.costs_ms[index] = (perf_counter() - began) * 1000
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
        self._checks.rebase()
        self._take(self._audit.take())  # the next step is not to be blamed for this one

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
        if any(self._finder.would_be_of_project(name) for name in others):
            return False
        if others & imported_names(source) - set(self._names_ahead(segment)):
            return False
        return keeps_to_itself(source)

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
        hazard = self._checks.hazard()
        terminal = self._checks.output.took_notice_of_terminal()
        if self._audit is not None:
            observed = self._audit.take()
            self._take(observed)
            terminal |= observed.terminal
            hazard = hazard or next(iter(observed.hazards), None)
            if self._argv_read:
                self._argv_read = False
                hazard = hazard or "reads sys.argv at import"
        if terminal and not self._is_captured():
            hazard = hazard or ASKS_FOR_TERMINAL
        if hazard:
            raise Barrier(hazard, module, as_recorded=True)
        self.report.captured |= terminal

    def _is_captured(self) -> bool:
        """Whether nothing is a terminal to this step of the recorded run: pytest captures before
        any conftest, but not before its plugins."""
        is_plugins = self._plan.record.segments[self._index].kind == "names"
        return self._plan.record.captured and not is_plugins

    def _read_argv(self) -> None:
        self._argv_read = True

    def _take(self, observed: Observed) -> None:
        self._read(observed.files)
        if self._opened is not None:
            self._read(self._opened.take())
        self.report.directories |= observed.directories
        self.report.kinds |= observed.kinds

    def _read(self, files: Iterable[str]) -> None:
        for file in files:
            self.report.files.setdefault(file, self._index)

    def _step(self, index: int, segment: Segment) -> None:
        shallow = self._shallow(index)
        if segment.kind == "broken" and not shallow:
            raise Barrier("cannot be imported", as_recorded=True)
        if segment.kind == "opaque" and not shallow:
            raise Barrier("imported in a way of its own")
        if self._diverges(segment):
            raise Barrier("sys.path is not what it was in the recorded run")
        sys.path[:] = segment.sys_path
        if segment.sys_path != self._sys_path:
            self._sys_path = segment.sys_path
            self.report.directories.update(map(os.path.abspath, segment.sys_path))
        effects = Effects()
        self._draws.begin()
        with self._filtered_warnings() as caught:
            try:
                self._execute(index, segment, effects, caught)
            finally:
                modules = new_modules(self._seen)
        self._comparison.modules(index, segment, modules, complete=not self.report.barriers)
        self._comparison.plugins(segment, modules)
        self._comparison.environ(segment, self._reads.names)
        added = self._stash.add(modules, self._starts.starts, index, segment.path)
        if segment.path is None and self._audit is None:  # a probe hands nothing out
            _note_imports(added)
        self._keep(index, added, effects, caught)
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
                filter_warnings(self._plan.record)
                yield caught
        except (Barrier, Unattributed):
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
        caught: Sequence[warnings.WarningMessage],
    ) -> None:
        """What was executed is in the stash: have it come with what it did besides."""
        self._inputs(added)
        effects.warnings = list(caught)
        effects.builtins = changed_builtins(self._builtins)
        effects.restore += [held.restore for held in self._checks.output.held()]
        restore, drawn = self._draws.end(index)
        if drawn and self._finder.has_of_project(added):
            raise Barrier("draws random numbers at import that nobody has seeded")
        effects.restore += restore
        if self._unseeded:
            effects.restore.append(functools.partial(seed_again, self._unseeded))
        if added:
            added[-1].effects = effects

    def _libraries(self, index: int, segment: Segment) -> None:
        """The leading imports of a step, without the step."""
        self._index = index
        began = perf_counter()
        assert segment.path is not None
        with self._checks.unwatched():
            sys.path[:] = path_with_root(Path(segment.path), self._plan.record, self._roots)
        leading = self._leading(segment.path, segment.unit)
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
                if self._audit is None:
                    raise
                self._note(number, Barrier(str(barrier), statement.name))
                break
            self.report.libraries.append(statement.name)
            self.report.extents = extents
        self.report.costs_ms[index] = (perf_counter() - began) * 1000

    def _library(self, index: int, segment: Segment, statement: Import) -> None:
        effects = Effects(path_before=list(sys.path))
        self._draws.begin()
        environ = raw_environ()
        with self._filtered_warnings() as caught:
            try:
                self._import_ahead(statement.name, caught)
                if statement.names:
                    __import__(statement.name, fromlist=statement.names)
            finally:
                modules = new_modules(self._seen)
        self._comparison.environ(segment, self._reads.names)
        added = self._stash.add(modules, self._starts.starts, -1 - index, None)
        self._stash.claim(statement.importers, added)
        effects.path_after = list(sys.path)
        effects.environ = environ_changes(environ)
        self._keep(index, added, effects, caught)

    def _leading(self, path: str, module: str | None) -> Leading:
        finder = self._finder
        with self._checks.unwatched():
            leading = leading_imports(path, module, finder.find, finder.is_first_party)
        self.report.directories |= leading.directories
        return leading

    def _shallow(self, index: int) -> bool:
        return f"{index}:shallow" in self._plan.skip

    def _execute(
        self,
        index: int,
        segment: Segment,
        effects: Effects,
        caught: Sequence[warnings.WarningMessage],
    ) -> None:
        record = self._plan.record
        environ = raw_environ()
        if segment.path is not None:
            sys.path[:] = path_with_root(Path(segment.path), record, self._roots)
        effects.path_before = list(sys.path)
        if segment.path is None or self._shallow(index):
            self._import_names(index, segment, caught)
        else:
            path = Path(segment.path)
            if segment.kind == "conftest" and resolve_package_path(path) is None:
                sys.modules.pop("conftest", None)
                self._seen.discard("conftest")
            import_file(path, record)
        effects.path_after = list(sys.path)
        effects.environ = environ_changes(environ)

    def _import_names(
        self, index: int, segment: Segment, caught: Sequence[warnings.WarningMessage]
    ) -> None:
        """Import, in their order, the modules that a hook or a module left out has imported."""
        for name in self._names_ahead(segment):
            if name == segment.unit or name in sys.modules:
                continue
            if f"{index}:{name}" in self._plan.skip:
                continue
            try:
                try:
                    self._import_ahead(name, caught)
                except Barrier:
                    raise
                except Forbidden as forbidden:
                    raise Barrier(str(forbidden), name) from None
                except BaseException as error:
                    # It could be imported in the recorded run: what hooks did before it matters,
                    # and may matter to all that follows.
                    raise Barrier(f"{name}: {_failed(error)}") from None
                if index == 0:
                    # Plugins: the caller has imported, and printed, as well.
                    self._checks.output.forgive()
                self._check(name)
            except Barrier as barrier:
                if self._audit is None:
                    raise
                self._note(index, barrier)

    def _import_ahead(self, name: str, caught: Sequence[warnings.WarningMessage]) -> None:
        """Import a module by its name, where the run does so by a statement of somebody's, which
        warnings of its import may name. Raises Barrier, and whatever the import does."""
        before = len(caught)
        importlib.import_module(name)
        here = importlib.import_module.__code__.co_filename
        if any(warning.filename == here for warning in caught[before:]):
            raise Barrier("warns whoever imports it", name)

    def _names_ahead(self, segment: Segment) -> list[str]:
        """What may be imported by name. A module that is left out may set a variable, or an
        attribute of another module, before it imports the next one: of its imports only libraries
        that come before anything else are sure to be what they are in a run."""
        if segment.path is None or segment.unit in segment.influenced:
            return segment.modules
        leading = self._leading(segment.path, segment.unit)
        if leading.extents:
            self._read(leading.extents[-1])
        names = (
            name
            for statement in leading.imports
            for name in (statement.name, *(f"{statement.name}.{one}" for one in statement.names))
        )
        recorded = set(segment.modules)
        return [name for name in dict.fromkeys(names) if name in recorded]

    def _inputs(self, added: Sequence[Entry]) -> None:
        for entry in added:
            if entry.origin and os.path.isabs(entry.origin):
                self._read([entry.origin])
            for directory in peek(entry.module, "__path__") or ():
                if isinstance(directory, str):
                    self.report.directories.add(directory)


def _note_imports(added: Sequence[Entry]) -> None:
    for entry in added:
        if entry.origin is None or not entry.origin.endswith(".py"):
            continue
        is_package = os.path.basename(entry.origin) == "__init__.py"
        package = entry.name if is_package else entry.name.rpartition(".")[0]
        with contextlib.suppress(OSError):
            entry.imports = imported_at_once(Path(entry.origin).read_bytes(), package)


def _failed(error: BaseException) -> str:
    return f"{type(error).__name__} when imported ahead of time"
