"""Calls into the Rust scan, made in a worker thread, and what they bring back.

Nothing here touches the tree's state: arguments in, `Scanned` out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from fastcollect_lsp.editor import codec, wire
from fastcollect_lsp.editor.order import sort_text
from fastcollect_lsp.editor.snapshot import Entry, PlainItem, one_by_one

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


def scan_all(
    scan: Scan, overlays: Mapping[str, bytes], root: str, followed: Set[str] = frozenset()
) -> tuple[Scanned, set[str]]:
    """Walk the project and scan what changed; and the test files that `followed` files concern."""
    concerned = dependents(scan, followed)
    changed = scan.refresh(overlays)
    files = {path: Entry.of_json(scan.items_json(path)) for path in changed}
    scanned = Scanned(files, (scan.paths, directories(scan.tree_json(), root)), scan.counts)
    concerned |= dependents(scan, followed)
    return scanned, concerned.intersection(scan.paths) if concerned else concerned


def dependents(scan: Scan, paths: Set[str]) -> set[str]:
    """The test files that import any of these files, or are one of them."""
    return {test for path in paths for test in scan.dependents_of(path, "called")}


def scan_one(scan: Scan, path: str, overlay: bytes | None) -> Scanned:
    """Scan one test file again, from a buffer or from disk."""
    if not scan.update(path, overlay):
        return Scanned({}, None, scan.counts)
    return Scanned({path: Entry.of_json(scan.items_json(path))}, None, scan.counts)


def directories(tree_json: bytes, root: str) -> dict[str, Entry]:
    """The directories and packages of a whole tree, where they come first, by absolute path."""
    found: dict[str, Entry] = {}
    for item in one_by_one(tree_json):
        if item["kind"] not in ("dir", "package"):
            break
        path = os.path.normpath(os.path.join(root, item["id"]))
        found[path] = Entry(item["uri"], orjson.dumps([item]))
    return found


def directories_of(entry: Entry, root: str) -> dict[str, Entry]:
    """The directories above a file, topmost first, by absolute path; packages are not told apart.

    For files in folders where the scan has found nothing.
    """
    found: list[tuple[str, Entry]] = []
    parent = entry.plain()[0].get("parent")
    while parent:
        path = os.path.normpath(os.path.join(root, parent))
        uri = Path(path).as_uri()
        above, _, label = parent.rpartition("/")
        order = sort_text(Path(path).name)
        item = wire.TestItem(
            parent, label, "dir", [], False, True, above or None, uri, sortText=order
        )
        found.append((path, Entry(uri, codec.encode([item]))))
        parent = above
    return dict(reversed(found))


def same_as_disk(path: str, text: bytes) -> bool:
    """Whether a buffer holds what the file holds (editors keep a byte order mark to themselves)."""
    try:
        on_disk = Path(path).read_bytes()
    except OSError:
        return False
    return on_disk in (text, BYTE_ORDER_MARK + text)


def entry_with_error(static: Entry, error: str, line: int | None) -> Entry:
    """The static items of a file that pytest cannot collect, the file's own with the reason."""
    items = static.plain()
    items[0] = {**items[0], "error": error}
    if line is not None:
        start, end = {"line": line, "character": 0}, {"line": line + 1, "character": 0}
        items[0]["range"] = {"start": start, "end": end}
    return Entry(static.uri, orjson.dumps(items), exact=True)


def exact_entry(items: Sequence[wire.TestItem], static: Entry | None) -> Entry | None:
    """An entry of exact items, the file's own first; None where there are none.

    Items without a range get that of the static item with their id, a parameter set its function's.
    """
    plain: list[PlainItem] = orjson.loads(codec.encode(items))
    if static is not None and plain:
        known = static.plain()
        _put_ranges(plain, known)
        if plain == known:  # which editors need not be told again
            return Entry(static.uri, static.json, exact=True)
    return Entry(plain[0]["uri"], orjson.dumps(plain), exact=True) if plain else None


def _put_ranges(items: list[PlainItem], known: list[PlainItem]) -> None:
    """Give items without a range that of the one with their id, a parameter set its function's."""
    ranges = {item["id"]: item.get("range") for item in known}
    for item in items:
        if "range" not in item:
            found = ranges.get(item["id"])
            if found is None and item["kind"] == "case":
                found = ranges.get(item.get("parent"))
            if found is not None:
                item["range"] = found
