"""Real suites, written by others: where they are and how they are run.

`FASTCOLLECT_SUITES` names a directory with `suites/NAME`, `venvs/NAME` and `manifest.json`, made by
the suites' own set-up script; `prepare_suites.sh` installs this project into their environments.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from fastcollect_lsp.verify import Project

IN_CI = ("importlib_resources",)
"""One that is quick. `FASTCOLLECT_ALL_SUITES=1` runs all that are set up."""


@dataclass(frozen=True)
class Suite:
    """One suite, set up."""

    name: str
    project: Project
    items: int
    flaky: frozenset[str]


def directory() -> Path | None:
    """Where the suites are set up, if they are."""
    named = os.environ.get("FASTCOLLECT_SUITES")
    return Path(named).absolute() if named else None


def available() -> list[Suite]:
    """The suites to run: those of CI, or all."""
    base = directory()
    if base is None:
        return []
    wanted = None if os.environ.get("FASTCOLLECT_ALL_SUITES") else set(IN_CI)
    found = []
    for entry in json.loads((base / "manifest.json").read_text())["suites"]:
        python = base / entry["venv"] / "bin" / "python"
        if (wanted is not None and entry["name"] not in wanted) or not python.exists():
            continue
        args = (*entry["pytest_args"], *entry["run_args"])
        project = Project(base / entry["cwd"], python, args)
        flaky = frozenset(entry["flaky"])
        found.append(Suite(entry["name"], project, entry["expected_items"], flaky))
    return found
