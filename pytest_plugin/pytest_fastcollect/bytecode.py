"""Cached bytecode that CPython would trust, but that may not be what the source says now.

A .pyc is taken to be right if it names the source's mtime and size. An edit that keeps both
(`cp -p`, `rsync -t`, `touch -r`) goes unseen, and so does a link that leads to another file of that
size and second. The source's ctime cannot be set: bytecode that is not younger than that is left
aside while modules are executed ahead of time.

Where files were copied or unpacked (image layers), that is all bytecode. Such as says just what its
source says is made young again, once, in the background: its time is set, its content stays.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from _pytest.assertion import rewrite

_stat, _lstat = os.stat, os.lstat
"""As they are before a probe watches who asks: these questions are ours, one for each module."""
_HEADER = 16
"""Bytes before the code (PEP 552)."""
_TICK_NS = 20_000_000
"""By how much the clock of files may be behind."""


def may_be_stale(source: str, cached: str) -> bool:
    """Whether the source's inode, or the link to it, changed after the bytecode was written. False
    without bytecode."""
    try:
        changed_ns = max(_stat(source).st_ctime_ns, _lstat(source).st_ctime_ns)
        return _stat(cached).st_mtime_ns <= changed_ns
    except OSError:
        return False


def loaded_stale() -> dict[str, str]:
    """Source files of modules that have been imported from bytecode that may be stale, and that."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    found = [(getattr(spec, "origin", None), getattr(spec, "cached", None)) for spec in specs]
    return {
        source: cached
        for source, cached in found
        if isinstance(source, str) and isinstance(cached, str) and may_be_stale(source, cached)
    }


def renew(source: str, cached: str) -> bool:
    """Have bytecode that says what its source says be younger than that. False where it does not,
    or this interpreter is not to write any.

    It is as young as the moment before the source was read: a change since then is younger. Only
    what is this source's alone: not what has another name, nor what lies below a prefix, where a
    path that comes to lead elsewhere keeps its bytecode.
    """
    beside = os.path.join(os.path.dirname(source), "__pycache__")
    if sys.dont_write_bytecode or os.path.dirname(cached) != beside:
        return False
    began_ns = time.time_ns() - _TICK_NS
    try:
        with open(cached, "rb") as file, warnings.catch_warnings():
            # What warns is what is compiled in a run, and only there.
            warnings.simplefilter("ignore")
            content = file.read()
            header, body = content[:_HEADER], content[_HEADER:]
            # With a hash of its source, checked or not (PEP 552), it is none of ours.
            if header[:8] != importlib.util.MAGIC_NUMBER + bytes(4):
                return False
            if os.fstat(file.fileno()).st_nlink > 1:
                return False
            with open(source, "rb") as text:
                code = compile(text.read(), source, "exec", dont_inherit=True)
            if not _is_same(marshal.loads(body), code):
                return False
            os.utime(file.fileno(), ns=(began_ns, began_ns))
    except Exception:  # a source nested too deeply, say: the import itself tells
        return False
    return True


def _is_same(one: object, other: types.CodeType) -> bool:
    """Whether two codes do the same and tell the same lines, which `==` leaves out on 3.10."""
    if not isinstance(one, types.CodeType) or one != other:
        return False
    if one.co_linetable != other.co_linetable:
        return False
    inner = zip(one.co_consts, other.co_consts, strict=True)
    return all(_is_same(a, b) for a, b in inner if isinstance(b, types.CodeType))


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


def distrust(renewing: bool = False) -> Callable[[], None]:
    """Import from source where the bytecode may be stale: CPython's and pytest's own (which pytest
    writes again by itself).

    `renewing`: and have what is not stale be trusted from now on. Returns what undoes that.
    """
    path_stats = SourceFileLoader.path_stats
    read_pyc = rewrite._read_pyc

    def checked_path_stats(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
        # `SourceLoader.get_code` neither reads nor writes bytecode when this raises OSError.
        cached = importlib.util.cache_from_source(path)
        if may_be_stale(path, cached) and not (renewing and renew(path, cached)):
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
    """`distrust` for the duration, in the background: there is time to renew."""
    undo = distrust(renewing=True)
    try:
        yield
    finally:
        undo()
