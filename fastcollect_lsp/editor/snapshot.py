"""The test tree at one moment, and what differs between two moments. Pure and immutable.

The unit is the *entry*: all items of one file, or one directory by itself. An entry keeps its items
as JSON, as the Rust scan wrote them, and parses only where somebody looks inside: 10,000 items are
2.5 MB of JSON, but 20 MB of objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from json import JSONDecoder
from typing import Any

import orjson

from fastcollect_lsp.editor import codec, wire

_DECODER = JSONDecoder()

PlainItem = dict[str, Any]
"""A `TestItem` as parsed JSON."""


@dataclass(frozen=True)
class Entry:
    """What is replaced as a whole: the items of one file, or one directory's own item."""

    uri: wire.Uri
    json: bytes
    """A JSON array of `TestItem`s, not empty, without white space around it."""
    exact: bool = False
    """From pytest's collection, not from the static scan."""

    @classmethod
    def of_json(cls, json: bytes, *, exact: bool = False) -> Entry | None:
        """An entry of the items of one file or directory; None where there are no items."""
        first = next(one_by_one(json), None)
        return cls(first["uri"], json, exact) if first else None

    def plain(self) -> list[PlainItem]:
        """The items, parsed anew (about 1 µs each)."""
        items: list[PlainItem] = orjson.loads(self.json)
        return items

    def raw(self) -> list[bytes]:
        """The JSON of each item, nothing parsed.

        Each begins with its id, and a quotation mark inside of a text is escaped: this very
        sequence of bytes stands between two items and nowhere else.
        """
        items = self.json[1:-1].split(b'},{"id":')
        heads = [b"", *[b'{"id":'] * (len(items) - 1)]
        tails = [*[b"}"] * (len(items) - 1), b""]
        return [b"".join(parts) for parts in zip(heads, items, tails, strict=True)]

    def outline(self) -> list[PlainItem]:
        """The items but for parameter sets, of which there may be thousands, parsed anew."""
        return [orjson.loads(raw) for raw in self.raw() if b'"kind":"case"' not in raw]

    def items(self) -> Sequence[wire.TestItem]:
        """The items as wire types."""
        return codec.decode_json(list[wire.TestItem], self.json)

    @cached_property
    def may_have_errors(self) -> bool:
        """False: certainly no item has an `error`; spares parsing."""
        return b'"error":' in self.json


@dataclass(frozen=True)
class TreeChange:
    """What differs between two generations of the tree."""

    generation: int
    replaced: tuple[Entry, ...]
    removed: tuple[wire.Uri, ...]

    def __bool__(self) -> bool:
        return bool(self.replaced or self.removed)

    @cached_property
    def json(self) -> orjson.Fragment:
        """The params of `fastcollect/testsChanged` (`wire.TestsChanged`), encoded once for all."""
        replaced = [
            {"uri": entry.uri, "tests": orjson.Fragment(entry.json)} for entry in self.replaced
        ]
        changed = {"generation": self.generation, "replaced": replaced, "removed": self.removed}
        return orjson.Fragment(codec.encode(changed))


class Snapshot:
    """The whole tree: directories, parents first, then files in pytest's order."""

    def __init__(self, generation: int, entries: Mapping[str, Entry], directories: int) -> None:
        """`entries` by absolute path; the first `directories` of them are directories."""
        self.generation = generation
        self._entries = entries
        self._directories = directories

    @classmethod
    def empty(cls) -> Snapshot:
        """The tree before anything is known."""
        return cls(0, {}, 0)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by absolute path."""
        return self._entries

    def files(self) -> Iterator[tuple[str, Entry]]:
        """Absolute path and entry of each file."""
        for index, pair in enumerate(self._entries.items()):
            if index >= self._directories:
                yield pair

    def successor(
        self, entries: Mapping[str, Entry], directories: int
    ) -> tuple[Snapshot, TreeChange]:
        """The tree after this one, a generation further only if something differs."""
        following = Snapshot(self.generation + 1, entries, directories)
        change = following.difference(self)
        return following if change else Snapshot(self.generation, entries, directories), change

    def difference(self, earlier: Snapshot) -> TreeChange:
        """What a client that knows `earlier` has to replace and remove."""
        before = earlier._entries
        replaced = tuple(
            entry
            for path, entry in self._entries.items()
            if path not in before or before[path].json != entry.json
        )
        kept = {entry.uri for entry in self._entries.values()}
        removed = tuple(entry.uri for entry in before.values() if entry.uri not in kept)
        return TreeChange(self.generation, replaced, removed)

    def everything(self) -> TreeChange:
        """The whole tree, for a client that knows nothing."""
        return self.difference(Snapshot.empty())

    def discover(self, parent: wire.NodeId | None, depth: int | None, root: str) -> orjson.Fragment:
        """The result of `fastcollect/discoverTests` (`wire.DiscoverTestsResult`) as JSON.

        `parent` not in the tree (any more): no items.
        """
        if parent is None and depth is None:
            items = b",".join(entry.json[1:-1] for entry in self._entries.values())
        else:
            entries = self._around(parent, root)
            items = codec.encode(list(select(entries, parent, depth)))[1:-1]
        head = b'{"generation":%d,"tests":[' % self.generation
        return orjson.Fragment(head + items + b"]}")

    def children(self, parent: wire.NodeId | None, root: str) -> list[PlainItem]:
        """The items right below `parent`, or those without a parent."""
        return list(select(self._around(parent, root), parent, 1))

    def _around(self, parent: wire.NodeId | None, root: str) -> Iterator[Entry]:
        """Entries among which all items are that lie below `parent`, parents first."""
        if parent is None:
            yield from self._entries.values()
            return
        top = os.path.normpath(os.path.join(root, parent.partition("::")[0]))
        for path, entry in self._entries.items():
            if path == top or path.startswith(top.rstrip(os.sep) + os.sep):
                yield entry


def one_by_one(json: bytes) -> Iterator[PlainItem]:
    """The items of a JSON array, parsed as far as they are asked for."""
    text = json.decode()
    index = text.find("{")
    while index >= 0:
        item, index = _DECODER.raw_decode(text, index)
        yield item
        index = text.find("{", index)


def select(
    entries: Iterator[Entry], parent: wire.NodeId | None, depth: int | None
) -> Iterator[PlainItem]:
    """Of a flat tree, parents first: what lies at most `depth` levels below `parent`.

    What is deeper is not even parsed: an editor that asks level by level does so because of
    projects in which that takes long.
    """
    levels: dict[wire.NodeId | None, int] = {parent: 0}
    for entry in entries:
        if depth is None or (parent is not None and "::" in parent):
            yield from _within(entry.plain(), levels, depth)
            continue
        first = next(one_by_one(entry.json))
        found = list(_within([first], levels, depth))
        if first["id"] in levels and levels[first["id"]] < depth:
            outline = entry.outline()
            found += _within(outline[1:], levels, depth)
            if any(item["canResolveChildren"] for item in _open(found, levels, depth)):
                found = list(_within(entry.plain(), levels, depth))
        yield from found


def _within(
    items: Iterable[PlainItem], levels: dict[wire.NodeId | None, int], depth: int | None
) -> Iterator[PlainItem]:
    """Those of the items that lie at most `depth` levels down; `levels` learns where they are."""
    for item in items:
        above = levels.get(item.get("parent"))
        if above is not None and (depth is None or above < depth):
            levels[item["id"]] = above + 1
            yield item


def _open(
    found: Iterable[PlainItem], levels: Mapping[wire.NodeId | None, int], depth: int
) -> Iterator[PlainItem]:
    """The functions whose parameter sets are asked for as well."""
    return (item for item in found if item["kind"] == "function" and levels[item["id"]] < depth)
