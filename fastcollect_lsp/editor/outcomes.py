"""What pytest reported, as the events that editors are sent. Pure: reports in, events out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastcollect_lsp import reports
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.order import sort_text

_FAILED = {"failed": "failed", "error": "errored"}
_RANK = {"skipped": 0, "xfailed": 0, "passed": 1, "xpassed": 1, "failed": 2, "errored": 3}
"""A later phase overrules an earlier one only with something worse: pytest counts both."""


@dataclass
class Result:
    """What is known of one test in one run."""

    state: str
    duration: float = 0.0
    messages: list[wire.Message] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    """The exception of each message, in a line or a few."""


@dataclass
class Outcomes:
    """The state of one run's tests."""

    results: dict[wire.NodeId, Result] = field(default_factory=dict)
    _durations: dict[wire.NodeId, float] = field(default_factory=dict)
    _shown: dict[wire.NodeId, int] = field(default_factory=dict)
    """How many sections of captured output have been told."""

    def events(self, report: reports.Report) -> Iterator[wire.RunEvent]:
        """What editors are to be told because of this report."""
        if isinstance(report, reports.Selected):
            yield from (wire.Enqueued(clean(nodeid)) for nodeid in report.ids)
        elif isinstance(report, reports.Started):
            nodeid = clean(report.id)
            self._durations[nodeid] = 0.0
            self._shown.pop(nodeid, None)
            self.results.pop(nodeid, None)  # pytest-rerunfailures: what came before is void
            yield wire.Started(nodeid)
        elif isinstance(report, reports.Phase):
            yield from self._phase(report)
        elif isinstance(report, reports.CollectionFailed):
            message = message_of(report.failure)
            summary = clean(report.failure.summary)
            self.results[clean(report.id)] = Result("errored", 0.0, [message], [summary])
            yield wire.Failed(clean(report.id), [message], 0.0, "errored")
        elif isinstance(report, reports.Trouble):
            yield wire.Output(f"{clean(report.text)}\r\n")

    def _phase(self, report: reports.Phase) -> Iterator[wire.RunEvent]:
        nodeid = clean(report.id)
        duration = self._durations.get(nodeid, 0.0)
        if report.subtest is None:
            duration += report.duration
            self._durations[nodeid] = duration
        if (report.subtest is None and report.when in ("call", "teardown")) or report.failure:
            yield from self._sections(nodeid, report)
        state = state_of(report)
        if state is None:
            return
        before = self.results.get(nodeid)
        if before is not None and _RANK[state] < max(_RANK[before.state], 1):
            return
        if report.failure is not None and state in ("failed", "errored"):
            messages = [message_of(report.failure, report.subtest)]
            summaries = [clean(report.failure.summary)]
            if before is not None:
                messages = [*before.messages, *messages]
                summaries = [*before.summaries, *summaries]
            worst = max(state, before.state if before else state, key=_RANK.__getitem__)
            self.results[nodeid] = Result(worst, duration, messages, summaries)
            event = "errored" if worst == "errored" else "failed"
            yield wire.Failed(nodeid, messages, duration, event)  # type: ignore[arg-type]
        elif before is not None and _RANK[before.state] > _RANK[state]:
            return  # a subtest has failed already
        else:
            self.results[nodeid] = Result(state, duration)
            yield _simple(nodeid, state, report.reason, duration)

    def _sections(self, nodeid: str, report: reports.Phase) -> Iterator[wire.RunEvent]:
        """Captured output. A phase's report repeats what the phases before it captured."""
        known = self._shown.get(nodeid, 0)
        self._shown[nodeid] = max(known, len(report.sections))
        for _, text in report.sections[known:]:
            if text:
                value = clean(text).replace("\r\n", "\n").replace("\n", "\r\n")
                yield wire.Output(value, nodeid)


def state_of(report: reports.Phase) -> str | None:
    """The state that a phase gives its test, by the terminal's category; None: none.

    `_pytest/terminal.py`, pytest_report_teststatus, and the categories that plugins add.
    """
    category = report.category
    if category in ("passed", "skipped", "xfailed", "xpassed"):
        return category
    if category in _FAILED:
        return _FAILED[category]
    if report.failure is not None and category != "rerun":
        return "failed" if report.when == "call" else "errored"
    return None  # a phase that counts nothing; "rerun"; "subtests passed"; a plugin's own


def _simple(nodeid: str, state: str, reason: str | None, duration: float) -> wire.RunEvent:
    if state == "skipped":
        return wire.Skipped(nodeid, clean(reason) if reason else None)
    return wire.Passed(nodeid, duration, state)  # type: ignore[arg-type]


def message_of(failure: reports.Failure, subtest: str | None = None) -> wire.Message:
    """A failure as editors show it: innermost location, stack outermost first."""
    stack = [wire.StackFrame(clean(f.label), _uri(f.path), _line(f.line)) for f in failure.stack]
    location = None
    if failure.path is not None and failure.line is not None:
        location = wire.Location(_uri(failure.path), _line(failure.line))
    text = clean(failure.text)
    return wire.Message(
        text=f"{clean(subtest)}\n{text}" if subtest else text,
        stack=stack,
        location=location,
        expected=None if failure.expected is None else clean(failure.expected),
        actual=None if failure.actual is None else clean(failure.actual),
    )


def _uri(path: str) -> str:
    try:
        return Path(path).as_uri()
    except ValueError:
        return ""  # no absolute path: code that comes from no file


def _line(line: int) -> wire.Range:
    return wire.Range(wire.Position(line, 0), wire.Position(line + 1, 0))


def exact_items(collected: reports.FileCollected) -> Sequence[wire.TestItem]:
    """The items of one file as pytest has collected them, the file's own first."""
    uri = Path(collected.path).as_uri()
    nodeid = clean(collected.id)
    above, _, label = nodeid.rpartition("/")
    parents = {item.parent for item in collected.items}
    items = [
        wire.TestItem(
            id=nodeid,
            label=label,
            kind="file",
            tags=[],
            dynamic=False,
            canResolveChildren=bool(collected.items),
            parent=above or None,
            uri=uri,
            sortText=sort_text(Path(collected.path).name),
        )
    ]
    for order, item in enumerate(collected.items):
        items.append(
            wire.TestItem(
                id=clean(item.id),
                label=clean(item.label),
                kind=item.kind,  # type: ignore[arg-type]
                tags=item.tags,
                dynamic=False,
                canResolveChildren=item.id in parents,
                parent=clean(item.parent),
                uri=uri,
                sortText=f"{order:06}",
            )
        )
    return items


def clean(text: str) -> str:
    """A text without lone surrogates, which JSON in UTF-8 cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
