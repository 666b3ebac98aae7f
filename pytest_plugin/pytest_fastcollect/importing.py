"""Imports as pytest does them: assertion rewriting, warnings, `sys.path`."""

from __future__ import annotations

import contextlib
import importlib.abc
import inspect
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import _pytest.assertion
import _pytest.pathlib
from _pytest.assertion.rewrite import AssertionRewritingHook
from _pytest.config import apply_warning_filters, get_config
from _pytest.pathlib import import_path, resolve_package_path

from fastcollect_lsp.protocol import Record

from . import bytecode

_ASKS_FOR_NAMESPACES = "consider_namespace_packages" in inspect.signature(import_path).parameters


class ExactHook(AssertionRewritingHook):
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


class Starts(importlib.abc.MetaPathFinder):
    """Numbers imports in the order in which they begin. Finds nothing itself."""

    def __init__(self) -> None:
        self.starts: dict[str, int] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> None:
        self.starts[name] = len(self.starts) + 1


@contextlib.contextmanager
def import_system(record: Record, starts: Starts) -> Iterator[None]:
    """pytest's assertion rewriting and our count of imports, for the duration."""
    config: Any = get_config()
    # (to ask for `inicfg` warns from pytest 9.1 on: an error with -W error)
    if not hasattr(config, "_inicfg") and not hasattr(config, "inicfg"):
        config.inicfg = {}  # up to pytest 9.0 only parsing a command line sets it
    hook: Any = _pytest.assertion.install_importhook(config)
    hook.__class__ = ExactHook
    hook.fnpats = record.python_files
    hook._must_rewrite.update(record.rewrite_marks)
    hook.exact = frozenset(record.rewritten)
    hook.known = frozenset(name for segment in record.segments for name in segment.modules)
    sys.meta_path.insert(0, starts)
    try:
        with bytecode.distrusted():
            yield
    finally:
        sys.meta_path.remove(starts)
        sys.meta_path.remove(hook)
        config._ensure_unconfigure()


def filter_warnings(record: Record) -> None:
    """The filters under which pytest imports (`_pytest.warnings.catch_warnings_for_item`)."""
    if not sys.warnoptions:
        warnings.filterwarnings("always", category=DeprecationWarning)
        warnings.filterwarnings("always", category=PendingDeprecationWarning)
    apply_warning_filters(record.warning_filters, record.warning_options)


def path_with_root(path: Path, record: Record, roots: dict[Path, str]) -> list[str]:
    """`sys.path` as `import_path` will leave it before it imports: a run does that part itself.

    `roots`: those found so far, by directory.
    """
    if record.import_mode == "importlib":
        return list(sys.path)
    root = roots.get(path.parent)
    if root is None:
        root = str(_package_root(path, record))
        if not record.consider_namespace_packages:  # else what can be imported by then decides
            roots[path.parent] = root
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


def import_file(path: Path, record: Record) -> None:
    """As `_pytest.python.importtestmodule` and `_importconftest` do."""
    options: dict[str, Any] = {"mode": record.import_mode, "root": Path(record.root)}
    if _ASKS_FOR_NAMESPACES:
        options["consider_namespace_packages"] = record.consider_namespace_packages
    import_path(path, **options)
