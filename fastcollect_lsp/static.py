"""The static scan as a list of nodes, for the command line."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from . import cache
from ._core import ProjectConfig, Scan
from .arguments import Arguments, UsageError, of_project
from .editor.uris import path_of


@dataclass(frozen=True)
class Node:
    """One node of pytest's tree, as the scanner sees it."""

    id: str
    kind: str
    """dir, package, file, class, function or case."""
    parent: str | None
    path: str
    """Its file or directory, absolute."""
    line: int | None
    """Counted from one."""
    tags: tuple[str, ...]
    reason: str | None
    """Why it is dynamic: there may be other tests at or below it, more or fewer. None if exact."""
    error: str | None
    """Why pytest would fail to collect it."""
    has_children: bool

    @property
    def is_test(self) -> bool:
        """Whether it stands for a test: a case, or a function without known cases."""
        return self.kind in ("function", "case") and not self.has_children

    def to_json(self) -> dict[str, Any]:
        """As `fastcollect collect --static --json` prints it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "parent": self.parent,
            "path": self.path,
            "line": self.line,
            "tags": list(self.tags),
            "dynamic": self.reason is not None,
            "reason": self.reason,
            "error": self.error,
        }


@dataclass(frozen=True)
class Tree:
    """A scanned project."""

    nodes: Sequence[Node]
    by_id: Mapping[str, Node] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {node.id: node for node in self.nodes})

    @property
    def tests(self) -> list[Node]:
        """In pytest's order."""
        return [node for node in self.nodes if node.is_test]

    @property
    def errors(self) -> list[Node]:
        """Where pytest would fail."""
        return [node for node in self.nodes if node.error is not None]

    @property
    def dynamic(self) -> list[Node]:
        """Where only pytest knows; what is inside of such is left out if the reason is the same."""
        found = []
        for node in self.nodes:
            above = self.by_id.get(node.parent or "")
            if node.reason is not None and (above is None or above.reason != node.reason):
                found.append(node)
        return found

    def explanation(self, node_id: str) -> str | None:
        """Why a test may be at `node_id`, or not: the reason of the nearest node at or above it."""
        for above in lineage(node_id):
            node = self.by_id.get(above)
            if node is not None and node.reason is not None:
                return node.reason
        return None


def lineage(node_id: str) -> list[str]:
    """A node id, then those of its function, classes and file."""
    names, bracket, _ = node_id.partition("[") if "::" in node_id else (node_id, "", "")
    parts = names.split("::")
    above = ["::".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return [node_id, *above] if bracket else above


def project_scan(root: str) -> Scan:
    """A scan, not yet begun, of what pytest collects without arguments in this root directory."""
    return Scan(of_project(root, os.environ), cache=cache.directory())


def scan(config: ProjectConfig, arguments: Arguments, cwd: Path) -> Tree:
    """Scan what these arguments mean. Raises UsageError for a node id that is not there."""
    paths = [_absolute(path, cwd) for path in arguments.paths]
    made = Scan(config, paths, cache=cache.directory())
    made.refresh()
    tree = Tree([_node(item) for item in orjson.loads(made.tree_json())])
    for path in arguments.paths:
        if "::" in path and not _has(tree, path, config, cwd):
            raise UsageError(f"not found: {path}")
    return tree


def _absolute(argument: str, cwd: Path) -> str:
    path, colons, names = argument.partition("::")
    return os.path.normpath(cwd / path) + colons + names


def _has(tree: Tree, argument: str, config: ProjectConfig, cwd: Path) -> bool:
    """Whether a node id is there, or perhaps there."""
    path, _, names = argument.partition("::")
    file = os.path.relpath(os.path.normpath(cwd / path), config.root)
    node_id = f"{file}::{names}"
    if node_id in tree.by_id or tree.explanation(node_id) is not None:
        return True
    node = tree.by_id.get(file)
    return node is not None and node.error is not None


@functools.lru_cache(maxsize=16)  # nodes of one file follow each other
def _path_of(uri: str) -> str:
    return path_of(uri) or uri


def _node(item: Mapping[str, Any]) -> Node:
    place = item.get("range")
    return Node(
        id=item["id"],
        kind=item["kind"],
        parent=item.get("parent"),
        path=_path_of(item["uri"]),
        line=place["start"]["line"] + 1 if place else None,
        tags=tuple(item["tags"]),
        reason=item.get("reason") or ("not decided by the text" if item["dynamic"] else None),
        error=item.get("error"),
        has_children=item["canResolveChildren"],
    )
