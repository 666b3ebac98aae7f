"""What a lens says of a test: its last outcome, or that of all below it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.marks import raised
from fastcollect_lsp.editor.outcomes import Result
from fastcollect_lsp.editor.results import FAILED, Results, counted, duration, file_of
from fastcollect_lsp.editor.snapshot import PlainItem

MAX_SUMMARY = 80
"""Characters of an exception that a lens shows."""


@dataclass
class Verdict:
    """The tests of one item that have been run, and whether any of them is running."""

    results: list[Result] = field(default_factory=list)
    going: bool = False

    @property
    def text(self) -> str:
        """For people; empty where nothing has been run."""
        if self.going:
            return "⟳ running"
        if not self.results:
            return ""
        if len(self.results) == 1:
            return _single(self.results[0])
        failed = [result for result in self.results if result.state in FAILED]
        took = duration(sum(result.duration for result in self.results))
        counts = counted(result.state for result in self.results)
        return f"{'✗' if failed else '✓'} {counts}, {took}"


def _single(result: Result) -> str:
    if result.state in FAILED:
        return f"✗ {first_line(result.summaries)}"
    if result.state == "skipped":
        return "○ skipped"
    took = duration(result.duration)
    return f"✓ {took}" if result.state == "passed" else f"✓ {result.state}, {took}"


def first_line(summaries: Iterable[str]) -> str:
    """The first line of the first exception, shortened."""
    line = next((s.strip().partition("\n")[0] for s in summaries if s.strip()), "failed")
    return line if len(line) <= MAX_SUMMARY else f"{line[: MAX_SUMMARY - 1]}…"


def verdicts(items: Iterable[PlainItem], results: Results) -> Mapping[wire.NodeId, Verdict]:
    """The verdicts of one file's items, parents before their children, as the tree has them.

    Only of tests that exist: of a deleted test, or of a parameter set that is gone, nothing counts.
    """
    found: dict[wire.NodeId, Verdict] = {}
    parents: dict[wire.NodeId, wire.NodeId | None] = {}
    cases: Mapping[wire.NodeId, list[wire.NodeId]] | None = None
    for item in items:
        nodeid = item["id"]
        parents[nodeid] = item.get("parent")
        ids = [nodeid]
        if item["kind"] == "function" and item["dynamic"]:
            cases = results.cases(file_of(nodeid)) if cases is None else cases
            ids += cases.get(nodeid, ())
        own = [result for test in ids if (result := results.get(test)) is not None]
        if item["kind"] == "file":  # the tree knows best whether it can be collected
            error = item.get("error")
            own = [Result("errored", summaries=[raised(error)])] if error else []
        found[nodeid] = Verdict(own, any(map(results.is_going, ids)))
    for nodeid in reversed(parents):
        if (above := found.get(parents[nodeid] or "")) is not None:
            above.results += found[nodeid].results
            above.going |= found[nodeid].going
    return found
