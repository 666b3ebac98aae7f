"""Calls into the Rust scan, made in a worker thread, and what they bring back.

Nothing here touches the tree's state: arguments in, `Scanned` out.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.snapshot import Entry

if TYPE_CHECKING:
    from fastcollect_lsp._core import Scan

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Scanned:
    """What one scan found out."""

    files: Mapping[str, Entry | None]
    """New static items, of those files only whose items differ; None: no items any more."""
    tree: tuple[Sequence[str], Mapping[str, Entry]] | None
    """All test files in pytest's order, and all directories; None: as before."""
    counts: tuple[int, int]
    """(files, tests)"""


def scan_all(scan: Scan, overlays: Mapping[str, bytes], root: str) -> Scanned:
    """Walk the project and scan what changed."""
    changed = scan.refresh(overlays)
    files = {path: Entry.of_json(scan.items_json(path)) for path in changed}
    return Scanned(files, (scan.paths, directories(scan.tree_json(), root)), scan.counts)


def scan_one(scan: Scan, path: str, overlay: bytes | None) -> Scanned:
    """Scan one test file again, from a buffer or from disk."""
    if not scan.update(path, overlay):
        return Scanned({}, None, scan.counts)
    return Scanned({path: Entry.of_json(scan.items_json(path))}, None, scan.counts)


def directories(tree_json: bytes, root: str) -> dict[str, Entry]:
    """The directories and packages of a whole tree, where they come first, by absolute path."""
    found: dict[str, Entry] = {}
    for item in itertools.takewhile(
        lambda item: item["kind"] in ("dir", "package"), orjson.loads(tree_json)
    ):
        path = os.path.normpath(os.path.join(root, item["id"]))
        found[path] = Entry(item["uri"], orjson.dumps([item]))
    return found


def same_as_disk(path: str, text: bytes) -> bool:
    """Whether a buffer holds what the file holds (editors keep a byte order mark to themselves)."""
    try:
        on_disk = Path(path).read_bytes()
    except OSError:
        return False
    return on_disk in (text, BYTE_ORDER_MARK + text)


def with_ranges(items: Sequence[wire.TestItem], static: Entry | None) -> Sequence[wire.TestItem]:
    """Exact items, with the ranges of the static ones where they bring none of their own.

    A parameter set (`case`) has its function's.
    """
    if static is None or all(item.range is not None for item in items):
        return items
    ranges = {item.id: item.range for item in static.items()}
    located = []
    for item in items:
        found = item.range or ranges.get(item.id)
        if found is None and item.kind == "case" and item.parent is not None:
            found = ranges.get(item.parent)
        located.append(replace(item, range=found))
    return located
