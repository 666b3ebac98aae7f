"""A static scan against what pytest itself collects, cold."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import quiet
from .static import Tree, lineage


class PytestFailed(Exception):
    """pytest collected nothing at all: its last words."""


@dataclass(frozen=True)
class Collected:
    """What pytest collected."""

    ids: Sequence[str]
    failures: Mapping[str, str]
    """What went wrong, by the node id of the collector that failed or was skipped."""


@dataclass(frozen=True)
class Group:
    """Differences with one explanation."""

    kind: str
    """missing (only pytest has it), extra (only the scan has it), order."""
    explanation: str | None
    """Why; None where the scan promised otherwise."""
    ids: Sequence[str]


def collect(command: Sequence[str], args: Sequence[str]) -> Collected:
    """Have pytest collect with these arguments. Raises PytestFailed."""
    with tempfile.TemporaryDirectory(prefix="fastcollect-") as directory:
        dump = Path(directory, "dump.json")
        env = {**os.environ, "FASTCOLLECT": "0", "FASTCOLLECT_DUMP": str(dump)}
        plugins = ["-p", "no:fastcollect", "-p", "pytest_fastcollect.dump"]
        done = quiet.run([*command, *plugins, "--collect-only", "-q", *args], env)
        if not dump.exists():
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            raise PytestFailed("\n".join(lines[-5:]) or f"exit status {done.returncode}")
        content = json.loads(dump.read_text(encoding="utf-8", errors="surrogatepass"))
        return Collected(content["ids"], content["failures"])


def compare(tree: Tree, collected: Collected) -> list[Group]:
    """All differences, grouped; those without an explanation first."""
    scanned = [node.id for node in tree.tests]
    missing = Counter(collected.ids) - Counter(scanned)
    extra = Counter(scanned) - Counter(collected.ids)
    groups: dict[tuple[str, str | None], list[str]] = {}
    for node_id in collected.ids:
        if missing[node_id]:
            key = ("missing", _why_missing(tree, node_id))
            groups.setdefault(key, []).append(node_id)
    for node_id in scanned:
        if extra[node_id]:
            key = ("extra", _why_extra(tree, collected, node_id))
            groups.setdefault(key, []).append(node_id)
    moved = _moved(tree, scanned, collected.ids)
    if moved:
        groups["order", None] = moved
    found = [Group(kind, why, ids) for (kind, why), ids in groups.items()]
    return sorted(found, key=lambda group: (group.explanation is not None, -len(group.ids)))


def _why_missing(tree: Tree, node_id: str) -> str | None:
    reason = tree.explanation(node_id)
    if reason is not None:
        return f"dynamic: {reason}"
    file = lineage(node_id)[-1]
    error = next((n.error for n in map(tree.by_id.get, lineage(node_id)) if n and n.error), None)
    if error is not None:
        return f"the text is broken: {error}"
    if not file.endswith(".py"):
        return "a plugin collects what is no Python file"
    return None


def _why_extra(tree: Tree, collected: Collected, node_id: str) -> str | None:
    for above in lineage(node_id):
        if above in collected.failures:
            return f"pytest could not collect {above}: {collected.failures[above]}"
    reason = tree.explanation(node_id)
    return None if reason is None else f"dynamic: {reason}"


def _moved(tree: Tree, scanned: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Tests that both have, that are not dynamic, and that stand in another order."""
    both = set(scanned) & set(ids)
    exact = {node_id for node_id in both if tree.explanation(node_id) is None}
    left = [node_id for node_id in scanned if node_id in exact]
    right = list(dict.fromkeys(node_id for node_id in ids if node_id in exact))
    return [mine for mine, theirs in zip(left, right, strict=False) if mine != theirs]
