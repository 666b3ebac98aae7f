"""`fastcollect collect`: the project's node ids, from pytest or without importing anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import arguments, difference, static
from ._core import ProjectConfig
from .arguments import UsageError
from .static import Tree

USAGE_ERROR = 4
"""pytest's own exit status for it."""


def collect_static(args: Sequence[str], as_json: bool) -> int:
    """Print what the static scanner sees.

    Exit status: 1 where pytest would fail to collect something, 4 for a usage error, else 0.
    """
    started = time.perf_counter()
    try:
        config, tree = _scan(args)
    except UsageError as error:
        return _refuse(error)
    seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps(_to_json(config, tree)))
    else:
        from .report import print_tree

        print_tree(tree, seconds)
    return 1 if tree.errors else 0


def collect_difference(command: Sequence[str], args: Sequence[str], as_json: bool) -> int:
    """Compare the static scan with pytest's own collection, cold.

    Exit status: 1 where a difference has no explanation, 4 for a usage error, else 0.
    """
    try:
        _, tree = _scan(args)
        collected = difference.collect(command, args)
    except UsageError as error:
        return _refuse(error)
    except difference.PytestFailed as error:
        print(f"pytest collected nothing:\n{error}", file=sys.stderr)
        return USAGE_ERROR
    groups = difference.compare(tree, collected)
    if as_json:
        listed = [
            {"kind": group.kind, "explanation": group.explanation, "ids": list(group.ids)}
            for group in groups
        ]
        counts = {"pytest": len(collected.ids), "static": len(tree.tests)}
        print(json.dumps({"counts": counts, "differences": listed}))
    else:
        from .report import print_differences

        print_differences(groups, len(collected.ids), len(tree.tests))
    return 1 if any(group.explanation is None for group in groups) else 0


def collect_exact(command: Sequence[str], args: Sequence[str], as_json: bool) -> int:
    """Print what pytest itself collects, warm where possible; pytest's exit status."""
    done = subprocess.run(
        [*command, "--collect-only", "-q", *args],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if not as_json:
        sys.stdout.write(done.stdout)
        return done.returncode
    ids = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith(" ")]
    print(json.dumps({"exit": done.returncode, "ids": ids}))
    return done.returncode


def _scan(args: Sequence[str]) -> tuple[ProjectConfig, Tree]:
    cwd = Path.cwd()
    parsed = arguments.parse(args, os.environ)
    config = arguments.configure(parsed, cwd)
    return config, static.scan(config, parsed, cwd)


def _refuse(error: UsageError) -> int:
    print(f"fastcollect: {error}", file=sys.stderr)
    return USAGE_ERROR


def _to_json(config: ProjectConfig, tree: Tree) -> dict[str, object]:
    def version(numbers: tuple[int, ...] | None) -> str | None:
        return None if numbers is None else ".".join(map(str, numbers))

    return {
        "root": config.root,
        "inifile": config.inifile,
        "pytest": version(config.pytest_version),
        "python": version(config.python_version),
        "counts": {
            "files": sum(node.kind == "file" for node in tree.nodes),
            "tests": len(tree.tests),
            "dynamic": len(tree.dynamic),
            "errors": len(tree.errors),
        },
        "items": [node.to_json() for node in tree.nodes],
    }
