"""Failures as data: where, what, and both sides of the comparison that failed.

With pytest-xdist an exception exists in a worker only; what is found out there travels to the
controller beside the serialized report, where no other plugin sees it.
"""

from __future__ import annotations

import os
import pprint
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

from fastcollect_lsp.reports import CollectionFailed, Failure, Frame, Phase, cut

KEY = "_fastcollect_detail"
"""In the serialized reports of workers."""
MAX_FRAMES = 64
MAX_SIDE = 100_000
"""Characters of one side of a comparison."""

Detail = dict[str, Any]
"""JSON: `labels` (of frames, by `path:line`), `stack`, `expected`, `actual`."""


class Failures:
    """Plugin object: keeps what reports do not hold until their report comes."""

    def __init__(self, config: pytest.Config) -> None:
        self._directory = str(config.invocation_params.dir)
        self._details: dict[tuple[str, str], Detail] = {}
        self._compared: tuple[CodeType, int, str, str] | None = None
        """Code and line of the last `==` that failed, its left and its right side."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """An assertion fails: its sides exist now, and may have changed when it is reported."""
        if op != "==":
            return
        frame = _asserting_frame(sys._getframe())
        if frame is None:
            return
        try:
            self._compared = (frame.f_code, frame.f_lineno, _side(left), _side(right))
        except Exception:  # a broken __repr__ is the test's own affair
            self._compared = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """The exception is at hand: note what the report will not tell."""
        report = yield
        compared, self._compared = self._compared, None
        if call.excinfo is not None and report.failed:
            try:
                detail = _detail(call.excinfo, compared)
            except Exception:  # a traceback of another kind (Cython's, a plugin's)
                return report
            self.keep(report, detail)
        return report

    def keep(self, report: pytest.TestReport, detail: Detail) -> None:
        """What a worker knows of a report."""
        self._details[report.nodeid, str(report.when)] = detail

    def take(self, report: pytest.TestReport) -> Detail:
        """What is known of a report beyond what it says itself."""
        return self._details.pop((report.nodeid, str(report.when)), {})

    def phase(self, report: pytest.TestReport, category: str, detail: Detail) -> Phase:
        """A report as data. `category`: how the terminal has counted it."""
        context = getattr(report, "context", None)  # of SubtestReport
        return Phase(
            id=report.nodeid,
            when=str(report.when),
            category=category,
            duration=float(getattr(report, "duration", 0.0)),
            reason=_reason(report),
            failure=self._failure(report, detail) if report.failed else None,
            sections=[[name, cut(text)] for name, text in report.sections],
            subtest=_subtest(context),
        )

    def of_collection(self, report: pytest.CollectReport) -> CollectionFailed:
        """Why something could not be collected."""
        location = report.fspath
        path = self._absolute(str(location)) if location else None
        return CollectionFailed(report.nodeid, path, self._failure(report, {}))

    def _failure(self, report: pytest.TestReport | pytest.CollectReport, detail: Detail) -> Failure:
        text = cut(str(report.longreprtext))
        crash = getattr(report.longrepr, "reprcrash", None)
        summary = str(getattr(crash, "message", "") or text.strip().rpartition("\n")[2])
        stack = list(self._stack(report.longrepr, detail))
        return Failure(
            text=text,
            summary=cut(summary),
            stack=stack,
            path=self._absolute(str(crash.path)) if crash else None,
            line=max(int(crash.lineno) - 1, 0) if crash else None,
            expected=detail.get("expected"),
            actual=detail.get("actual"),
        )

    def _stack(self, longrepr: Any, detail: Detail) -> Iterator[Frame]:
        """The frames that pytest shows; where it shows none (`--tb=line`), those there were."""
        labels = detail.get("labels", {})
        shown = 0
        for entry in getattr(getattr(longrepr, "reprtraceback", None), "reprentries", []):
            location = getattr(entry, "reprfileloc", None)
            if location is None or shown == MAX_FRAMES:
                continue
            shown += 1
            path = self._absolute(str(location.path))
            line = max(int(location.lineno) - 1, 0)
            label = labels.get(f"{path}:{line}") or str(location.message) or "<unknown>"
            yield Frame(label, path, line)
        if not shown:
            yield from (Frame(*frame) for frame in detail.get("stack", []))

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._directory, path))


def _detail(
    excinfo: pytest.ExceptionInfo[BaseException], compared: tuple[CodeType, int, str, str] | None
) -> Detail:
    entries = [
        (entry.frame.code.raw, str(entry.path), entry.lineno)
        for entry in excinfo.traceback[-MAX_FRAMES:]
    ]
    stack = [(code.co_name, path, line) for code, path, line in entries if not _internal(path)]
    detail: Detail = {
        "labels": {f"{path}:{line}": name for name, path, line in stack},
        "stack": stack,
    }
    if compared is not None and isinstance(excinfo.value, AssertionError) and entries:
        code, line, left, right = compared
        # An assertion that failed earlier, inside of `pytest.raises`, explains nothing here.
        if (code, line - 1) == (entries[-1][0], entries[-1][2]):
            detail |= {"expected": right, "actual": left}
    return detail


def _internal(path: str) -> bool:
    return f"{os.sep}_pytest{os.sep}" in path or f"{os.sep}pluggy{os.sep}" in path


def _asserting_frame(frame: FrameType | None) -> FrameType | None:
    """The frame whose assertion pytest is about to explain."""
    if frame is not None:
        frame = frame.f_back  # ours
    while frame is not None and _internal(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _side(value: object) -> str:
    text = value if isinstance(value, str) else pprint.pformat(value, width=100)
    return text if len(text) <= MAX_SIDE else f"{text[:MAX_SIDE]}…"


def _reason(report: pytest.TestReport) -> str | None:
    """Why it was skipped, or was expected to fail."""
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return str(expected).removeprefix("reason: ")
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return None


def _subtest(context: object) -> str | None:
    """What a subtest is called: its message, else its parameters."""
    if context is None:
        return None
    message, kwargs = getattr(context, "msg", None), getattr(context, "kwargs", {})
    parts = [f"[{message}]"] if message is not None else []
    if kwargs:
        # pytest's own hold what `repr` said, those of pytest-subtests the values themselves.
        shown = (f"{n}={v if isinstance(v, str) else repr(v)}" for n, v in kwargs.items())
        parts.append(f"({', '.join(shown)})")
    return " ".join(parts) or "(<subtest>)"
