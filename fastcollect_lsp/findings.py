"""What a run finds out of the tests themselves: its collection makes the tree exact."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import reports
from .editor.outcomes import clean, exact_items
from .run import Run

if TYPE_CHECKING:
    from .tree import ProjectTree


class Findings:
    """Takes into the tree what runs have collected."""

    def __init__(self, tree: ProjectTree) -> None:
        self._tree = tree

    def collected(self, run: Run, report: reports.FileCollected) -> None:
        """Exact items, unless the file has been written since the run began."""
        run.collected.add(report.path)
        if self._holds(run, report.path):
            self._tree.set_exact_soon(report.path, exact_items(report))

    def not_collected(self, run: Run, report: reports.CollectionFailed) -> None:
        """A file that pytest cannot collect keeps its items, and says why."""
        path = report.path
        if path is None:
            return
        run.collected.add(path)
        if self._holds(run, path):
            lines = [frame.line for frame in report.failure.stack if frame.path == path]
            self._tree.set_error(path, clean(report.failure.text), lines[-1] if lines else None)

    def _holds(self, run: Run, path: str) -> bool:
        """Whether what a run has found in a file is what the file says now."""
        try:
            below = Path(path).is_relative_to(self._tree.root)
            return below and os.stat(path).st_mtime_ns < run.began_ns
        except OSError:
            return False
