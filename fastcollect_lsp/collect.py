"""`fastcollect collect`: the project's node ids, from pytest or without importing anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from ._core import Scan, project_config


def collect_static(args: Sequence[str], as_json: bool) -> int:
    """Print what the static scanner sees; what cannot be parsed is named on stderr, exit 1."""
    config = project_config(os.getcwd(), list(args))
    scan = Scan(config, [os.path.abspath(arg) for arg in args])
    scan.refresh()
    tree = scan.tree_json()
    items = json.loads(tree)
    if as_json:
        sys.stdout.write(tree.decode() + "\n")
    else:
        for item in items:
            if item["kind"] in ("function", "case") and not item["canResolveChildren"]:
                print(item["id"] + (" [dynamic]" if item["dynamic"] else ""))
    errors = [item for item in items if item.get("error")]
    for item in errors:
        print(f"{item['id']}: {item['error']}", file=sys.stderr)
    return 1 if errors else 0


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
