"""Cached bytecode that CPython would trust, but that may not be what the source says now.

A .pyc is taken to be right if it names the source's mtime and size. An edit that keeps both
(`cp -p`, `rsync -t`, `touch -r`) goes unseen, and so does a link that leads to another file of that
size and second. The source's ctime cannot be set: bytecode that is not younger than that is left
aside while modules are executed ahead of time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from _pytest.assertion import rewrite


def may_be_stale(source: str, cached: str) -> bool:
    """Whether the source's inode, or the link to it, changed after the bytecode was written. False
    without bytecode."""
    try:
        changed_ns = max(os.stat(source).st_ctime_ns, os.lstat(source).st_ctime_ns)
        return os.stat(cached).st_mtime_ns <= changed_ns
    except OSError:
        return False


def loaded_stale() -> list[str]:
    """Source files of modules that have been imported from bytecode that may be stale."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    found = [(getattr(spec, "origin", None), getattr(spec, "cached", None)) for spec in specs]
    return [
        source
        for source, cached in found
        if isinstance(source, str) and isinstance(cached, str) and may_be_stale(source, cached)
    ]


def give_prefix(prefix: str | None, is_option: bool) -> None:
    """Have this interpreter look for bytecode where it would have, had it not been told to look
    where none is."""
    nowhere = str(sys.pycache_prefix)
    sys.pycache_prefix = prefix
    sys._xoptions.pop("pycache_prefix", None)
    if is_option and prefix is not None:
        sys._xoptions["pycache_prefix"] = prefix
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if spec is None or not str(spec.cached).startswith(nowhere):
            continue
        spec.cached = importlib.util.cache_from_source(spec.origin)
        vars(module)["__cached__"] = spec.cached


def distrust() -> Callable[[], None]:
    """Import from source where the bytecode may be stale: CPython's and pytest's own.

    Returns what undoes that.
    """
    path_stats = SourceFileLoader.path_stats
    read_pyc = rewrite._read_pyc

    def checked_path_stats(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
        # `SourceLoader.get_code` neither reads nor writes bytecode when this raises OSError.
        if may_be_stale(path, importlib.util.cache_from_source(path)):
            raise OSError("bytecode older than the source's last change")
        return path_stats(self, path)

    def checked_read_pyc(source: Path, pyc: Path, *args: Any) -> Any:
        return None if may_be_stale(str(source), str(pyc)) else read_pyc(source, pyc, *args)

    def undo() -> None:
        SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]
        rewrite._read_pyc = read_pyc

    SourceFileLoader.path_stats = checked_path_stats  # type: ignore[method-assign]
    rewrite._read_pyc = checked_read_pyc  # type: ignore[assignment]
    return undo


@contextlib.contextmanager
def distrusted() -> Iterator[None]:
    """`distrust` for the duration."""
    undo = distrust()
    try:
        yield
    finally:
        undo()
