"""Does a step do what it did in the recorded run? What follows it relies on that."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable

from fastcollect_lsp.protocol import Record, Segment

from . import hooks
from .modules import importable, is_neutral, peek
from .plan import Barrier, Plan
from .stash import Stash


class Comparison:
    """Of what a plan's steps did with the record. Each method raises Barrier for a difference."""

    def __init__(self, plan: Plan, stash: Stash) -> None:
        self._plan = plan
        self._stash = stash
        self._hook_modules = _hook_modules(plan.record)

    def modules(self, index: int, segment: Segment, modules: Iterable[str], complete: bool) -> None:
        """The step must have imported what it imported in the recorded run; `complete`: all the
        steps before it were."""
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
        if missing and complete and not self._plan.changed:
            raise Barrier(f"does not import {min(missing)}, which it did in the recorded run")

    def plugins(self, segment: Segment, modules: Iterable[str]) -> None:
        """What is a plugin must not have become one that has a hand in what comes after it."""
        record, changed = self._plan.record, self._plan.changed
        for name in modules:
            module = sys.modules.get(name)
            file = peek(module, "__file__")
            is_conftest = segment.kind == "conftest" and file == segment.path
            if not isinstance(module, types.ModuleType) or not (is_conftest or file in changed):
                continue
            hook = hooks.which_matter([module], lambda _: True, configured=True, options={})
            if hook is not None and record.hooks is None:
                raise Barrier(f"{hook}, which the recorded run did not have, comes after it")
            if is_conftest and file in changed and _directs_collection(module):
                raise Barrier("may have changed what is collected")

    def environ(self, segment: Segment, read: Iterable[str]) -> None:
        """What hooks of a run set in the environment before this step is not set here."""
        if not segment.environ:
            return
        here: set[str] = set()
        for entry in self._stash.entries:
            if entry.effects is not None:
                here.update(entry.effects.environ)
        if depends := (set(segment.environ) - here) & set(read):
            raise Barrier(f"depends on {min(depends)}, which the run itself sets")


def _directs_collection(conftest: types.ModuleType) -> bool:
    """Whether a conftest names plugins, or files to leave out (`_pytest.main`)."""
    names = ("pytest_plugins", "collect_ignore", "collect_ignore_glob")
    return any(peek(conftest, name) for name in names)


def _hook_modules(record: Record) -> set[str]:
    """Modules that hooks, not test files, have imported in the recorded run."""
    return {
        name for segment in record.segments if segment.kind == "names" for name in segment.modules
    }
