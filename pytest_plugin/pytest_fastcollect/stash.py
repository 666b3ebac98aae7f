"""Modules executed ahead of time, and the import that hands them out.

A checkpoint has executed modules that its run children have not imported yet. In a run child they
are taken out of `sys.modules` and put back at the moment the run imports them, together with all
that their execution had imported, in the natural order: what a run can see in `sys.modules` at any
moment is what a cold run would see. Nothing is executed twice, and nothing is reloaded.
"""

from __future__ import annotations

import builtins
import gc
import importlib.abc
import importlib.machinery
import operator
import os
import socket
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _pytest.assertion.rewrite import AssertionRewritingHook

from . import leaving
from .generators import SessionDraws
from .modules import namespace_of, peek

_Spec = importlib.machinery.ModuleSpec
_FindSpec = Callable[..., "_Spec | None"]


ABSENT: Any = object()
"""Stands for a built-in name that is not there."""


def changed_builtins(before: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """How the built-in names differ from `before`, as `Effects` keeps it."""
    now = vars(builtins)
    if list(before) == list(now) and all(map(operator.is_, before.values(), now.values())):
        return {}
    return {
        name: (before.get(name, ABSENT), now.get(name, ABSENT))
        for name in before.keys() | now.keys()
        if before.get(name, ABSENT) is not now.get(name, ABSENT)
    }


def _set_builtin(name: str, value: Any) -> None:
    if value is ABSENT:
        vars(builtins).pop(name, None)
    else:
        setattr(builtins, name, value)


@dataclass
class Effects:
    """What the execution of one step did to the interpreter beyond the modules themselves."""

    path_before: list[str] = field(default_factory=list)
    path_after: list[str] = field(default_factory=list)
    environ: dict[str, str | None] = field(default_factory=dict)
    builtins: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Built-in names that were replaced, added or removed: before and after (`ABSENT`)."""
    warnings: list[warnings.WarningMessage] = field(default_factory=list)
    restore: list[Callable[[], None]] = field(default_factory=list)
    """Things to put right in the run child (states of random number generators)."""

    def apply(self) -> None:
        """Do to this process what the execution of the step did to the one it happened in."""
        if self.path_before != self.path_after:
            self._apply_path()
        self.apply_environ()
        for name, (_, after) in self.builtins.items():
            _set_builtin(name, after)
        for restore in self.restore:
            restore()
        for message in self.warnings:
            warnings.warn_explicit(
                message.message,
                message.category,
                message.filename,
                message.lineno,
                source=message.source,
            )

    def undo_builtins(self) -> None:
        """In the run child: have the built-in names as they were before the step."""
        for name, (before, _) in self.builtins.items():
            _set_builtin(name, before)

    def apply_environ(self) -> None:
        """Set and unset the environment variables that the step did."""
        for name, value in self.environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _apply_path(self) -> None:
        if sys.path == self.path_before:
            sys.path[:] = self.path_after
            return
        for index, entry in enumerate(self.path_after):
            if entry not in self.path_before:
                sys.path.insert(index, entry)
        for entry in self.path_before:
            if entry not in self.path_after and entry in sys.path:
                sys.path.remove(entry)


@dataclass
class Entry:
    """One module executed ahead of time."""

    name: str
    module: Any
    origin: str | None
    start: int
    """When its import began, counted in imports; those that began later but completed before it
    were imported by it."""
    step: int
    effects: Effects | None = None
    spec: _Spec | None = None
    used: bool = False
    """Handed out already: whoever takes it out of `sys.modules` wants it executed again."""
    imports: frozenset[str] = frozenset()
    """What its execution may import: known where modules were executed one by one, by their names,
    so that what one of them imports had begun before it."""
    package: dict[str, Any] | None = None
    """The namespace that gets this submodule as an attribute when it is imported; None where the
    package imports it itself."""


class Stash(importlib.abc.Loader):
    """All modules executed ahead of time, in order of completion."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._by_name: dict[str, list[int]] = {}
        self._claims: dict[str, set[int]] = {}
        """What was executed ahead of the files that import it, as indices, by file."""
        self.path: list[str] | None = None
        """What the last step has left as `sys.path`; None where it was none to tell that."""
        self.diverged = False
        """Whether that is known to be another one than in the recorded run."""
        self._paths: dict[int, list[str]] = {}
        """The `sys.path` with which each step was executed."""
        self._finding = False
        self.finalizers: list[Callable[[], object]] = []
        """How to look at objects that were made ahead of time and whose end could be seen."""
        self.draws: SessionDraws | None = None
        """Who is to know when generators are put right."""

    def freeze(self) -> None:
        """In a checkpoint that is about to wait: keep the collector from what is there now, so that
        forks go on sharing it."""
        gc.collect()
        objects = [one for one in gc.get_objects() if type(one) is not socket.socket]  # but ours
        self.finalizers += leaving.remember(leaving.finalizers(objects))
        del objects
        gc.freeze()

    def let_go(self) -> None:
        """At the end of a run: nothing is kept alive for being here, or kept from the collector."""
        for everything in (self.entries, self._by_name, self._claims, self.finalizers):
            everything.clear()
        gc.unfreeze()

    def add(
        self, names: Sequence[str], starts: dict[str, int], step: int, unit: str | None
    ) -> list[Entry]:
        """Take note of modules that a step has executed; they stay in `sys.modules` for now.

        `unit` is the file that the step was about. Where pytest imports it itself (importlib mode)
        it enters `sys.modules` before it is executed: it is what completed last all the same.
        """
        added: list[Entry] = []
        following = 0
        for name in reversed(names):
            module = sys.modules.get(name)
            if module is None:
                continue
            spec = peek(module, "__spec__")
            # A module put into sys.modules by other code has no start of its own: it belongs to
            # the one that completed next.
            following = starts.get(name, following)
            origin = getattr(spec, "origin", None)
            added.append(Entry(name, module, origin, following, step, spec=spec))
        added.reverse()
        added.sort(key=lambda entry: unit is not None and entry.origin == unit)
        for entry in added:
            self._by_name.setdefault(entry.name, []).append(len(self.entries))
            self.entries.append(entry)
        return added

    def claim(self, importers: Sequence[str], added: Sequence[Entry]) -> None:
        """What was added last is what these files import first: it comes with the files."""
        end = len(self.entries)
        for file in importers:
            self._claims.setdefault(file, set()).update(range(end - len(added), end))

    def uses_collector(self, below: str) -> bool:
        """Whether objects made before the fork will be missed while they are frozen: a module of
        the project (its files are `below`) has `gc`, or any has bound what asks it for objects."""
        asking = {id(gc.get_objects), id(gc.get_referrers)}
        for entry in self.entries:
            values = {id(value) for value in (namespace_of(entry.module) or {}).values()}
            if values & asking or (id(gc) in values and self._is_below(entry, below)):
                return True
        return False

    @staticmethod
    def _is_below(entry: Entry, below: str) -> bool:
        origin = entry.origin or ""
        return origin.startswith(below + os.sep) and "site-packages" not in origin

    def hide(self) -> None:
        """In the run child: nothing of this has been imported yet."""
        self._unbind()
        for entry in reversed(self.entries):
            if sys.modules.get(entry.name) is entry.module:
                del sys.modules[entry.name]
            if entry.effects is not None:
                entry.effects.undo_builtins()

    def _unbind(self) -> None:
        """`from package import module` imports nothing where the package has that attribute."""
        for index, entry in enumerate(self.entries):
            package, _, name = entry.name.rpartition(".")
            namespace = namespace_of(sys.modules.get(package)) if package else None
            if namespace is None or namespace.get(name) is not entry.module:
                continue
            imports_it = any(
                index < other and self._belongs(entry, self.entries[other])
                for other in self._by_name.get(package, ())
            )
            if not imports_it:
                entry.package = namespace
                del namespace[name]

    def install(self) -> None:
        """In the run child: let imports find what has been executed already.

        pytest's assertion rewriting hook comes first on `sys.meta_path` and claims test modules, so
        its `find_spec` is where the stash has to be asked.
        """
        original: _FindSpec = AssertionRewritingHook.find_spec
        stash = self
        for entry in self.entries:
            if entry.effects is not None:
                self._paths[entry.step] = entry.effects.path_before

        def find_spec(
            self: AssertionRewritingHook,
            name: str,
            path: Sequence[str | bytes] | None = None,
            target: types.ModuleType | None = None,
        ) -> _Spec | None:
            if name in stash._by_name and not stash._finding:
                spec = stash._find(self, name, path)
                if spec is not None:
                    return spec
            return original(self, name, path, target)

        AssertionRewritingHook.find_spec = find_spec  # type: ignore[method-assign]

    def _find(
        self, hook: AssertionRewritingHook, name: str, path: Sequence[str | bytes] | None
    ) -> _Spec | None:
        natural = self._natural_spec(hook, name, path)
        if natural is None:
            return None
        for index in self._by_name[name]:
            entry = self.entries[index]
            if entry.origin == natural.origin and not entry.used and self._holds(index, hook):
                spec = _Spec(
                    name,
                    self,
                    origin=natural.origin,
                    loader_state=(index, hook),
                    is_package=natural.submodule_search_locations is not None,
                )
                if natural.submodule_search_locations is not None:
                    spec.submodule_search_locations = list(natural.submodule_search_locations)
                return spec
        return None

    def _holds(self, index: int, hook: AssertionRewritingHook) -> bool:
        """Whether what a module had imported would be found there with the present `sys.path`.

        It was executed with the `sys.path` of a recorded run; a file edited since, or one that was
        left to the run, may have made another one.
        """
        path = self._paths.get(self.entries[index].step)
        if path is None or path == sys.path:
            return True
        for nested in self._nested(index):
            if "." not in nested.name and nested.spec is not None:
                natural = self._natural_spec(hook, nested.name, None)
                if natural is None or natural.origin != nested.origin:
                    return False
        return True

    def _nested(self, index: int) -> list[Entry]:
        """What the execution of a module had imported and nobody has been given yet."""
        entry = self.entries[index]
        first = index
        while first > 0 and self._belongs(self.entries[first - 1], entry):
            first -= 1
        nested = self._brought(first, entry) if entry.imports else []
        return [*nested, *(one for one in self.entries[first:index] if not one.used)]

    def _brought(self, end: int, entry: Entry) -> list[Entry]:
        """Of the entries before `end`, what the execution of this one imports; of that, and so on:
        what a module imports completes before it."""
        found: list[Entry] = []
        wanted = set(entry.imports)
        for index in range(end - 1, -1, -1):
            candidate = self.entries[index]
            if candidate.step != entry.step:
                break
            is_package = any(name.startswith(candidate.name + ".") for name in wanted)
            if not candidate.used and (is_package or candidate.name in wanted):
                found.append(candidate)
                wanted |= candidate.imports
        found.reverse()
        return found

    def _natural_spec(
        self, hook: AssertionRewritingHook, name: str, path: Sequence[str | bytes] | None
    ) -> _Spec | None:
        """What a cold run would find: the stash is used for that very file only."""
        self._finding = True
        try:
            for finder in sys.meta_path:
                if finder is hook:
                    continue
                spec: _Spec | None = finder.find_spec(name, path)  # type: ignore[arg-type]
                if spec is not None:
                    return spec
            return None
        finally:
            self._finding = False

    def create_module(self, spec: _Spec) -> types.ModuleType | None:
        """The module as it was executed; one that replaced itself is put in by `exec_module`."""
        module = self.entries[spec.loader_state[0]].module
        return module if type(module) is types.ModuleType else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Import what the module had imported, then be done: it has been executed."""
        spec = module.__spec__
        assert spec is not None
        index, hook = spec.loader_state
        entry = self.entries[index]
        nested = self._nested(index)
        claims = (self._claims.get(candidate.origin or "", ()) for candidate in [*nested, entry])
        libraries = [self.entries[library] for library in sorted(set().union(*claims))]
        for candidate in [*libraries, *nested, entry]:
            if not candidate.used or candidate is entry:
                self._activate(candidate, hook)
        sys.modules[entry.name] = entry.module

    @staticmethod
    def _belongs(candidate: Entry, entry: Entry) -> bool:
        return candidate.step == entry.step and candidate.start >= entry.start

    def _activate(self, entry: Entry, hook: AssertionRewritingHook) -> None:
        entry.used = True
        module = entry.module
        if entry.package is not None:
            entry.package[entry.name.rpartition(".")[2]] = module
        if entry.name in sys.modules and sys.modules[entry.name] is module and not entry.effects:
            if entry.spec is not None and type(module) is types.ModuleType:
                module.__spec__ = entry.spec
            return
        if type(module) is types.ModuleType:
            module.__spec__ = entry.spec
        if isinstance(peek(module, "__loader__"), AssertionRewritingHook):
            module.__loader__ = hook
            if entry.spec is not None:
                entry.spec.loader = hook
            if entry.origin is not None:
                hook._rewritten_names[entry.name] = Path(entry.origin)
        sys.modules.setdefault(entry.name, module)
        if entry.effects is not None:
            effects, entry.effects = entry.effects, None
            if self.draws is not None and effects.restore:
                self.draws.pause()
                effects.apply()
                self.draws.resume()
            else:
                effects.apply()
