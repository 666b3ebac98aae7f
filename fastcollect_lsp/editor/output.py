"""What runs and tests wrote, kept for those who ask for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.results import Results, duration
from fastcollect_lsp.run import Listener, Progress, Run

MAX_RUN = 1 << 20
"""Characters of a run's output that are kept: the last ones."""
MAX_TESTS = 8 << 20
"""Characters of captured output of tests that are kept, all in all: the first ones of a run."""

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")


class RunOutput:
    """What one run wrote to its terminal."""

    def __init__(self, run: Run) -> None:
        self.title = f"pytest {' '.join(run.args)}".strip()
        self._parts: list[str] = []
        self._length = 0

    def add(self, text: str) -> None:
        """Append, and forget the beginning where it gets too long."""
        self._parts.append(text)
        self._length += len(text)
        if self._length > 2 * MAX_RUN:
            self._parts = [self.text]
            self._length = len(self._parts[0])

    @property
    def text(self) -> str:
        """The last `MAX_RUN` characters."""
        return "".join(self._parts)[-MAX_RUN:]


class Outputs(Listener):
    """As of the events that one connection has seen."""

    def __init__(self) -> None:
        self._runs: dict[str, RunOutput] = {}
        self._last: RunOutput | None = None
        self._tests: dict[wire.NodeId, tuple[str, list[str]]] = {}
        """Captured output by test, and the run that it is of."""
        self._kept = 0

    def started(self, run: Run) -> None:
        """A run has begun."""
        self._last = self._runs[run.id] = RunOutput(run)

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in it."""
        for event in progress.events:
            if isinstance(event, wire.Started):
                _, parts = self._tests.pop(event.id, ("", []))
                self._kept -= sum(map(len, parts))
            elif isinstance(event, wire.Output):
                self._add(run, event)
            elif isinstance(event, wire.Ended):
                self._runs.pop(run.id, None)

    def _add(self, run: Run, event: wire.Output) -> None:
        if event.id is None:
            if (output := self._runs.get(run.id)) is not None:
                output.add(event.value)
        elif self._kept < MAX_TESTS:
            text = event.value[: MAX_TESTS - self._kept]
            self._kept += len(text)
            self._tests.setdefault(event.id, (run.id, []))[1].append(text)

    def of_run(self) -> str | None:
        """The output of the run that began last, for people; None where there was none."""
        return None if self._last is None else plain(f"$ {self._last.title}\n{self._last.text}")

    def of_tests(self, ids: Sequence[wire.NodeId], results: Results) -> str | None:
        """What became of these items and of those below them; None where nothing has been run."""
        found = [one for nodeid in ids for one in results.below(nodeid)]
        texts = []
        for nodeid, result in found:
            texts.append(f"{nodeid}: {result.state} in {duration(result.duration)}\n")
            texts += [f"{message.text.rstrip()}\n" for message in result.messages]
            captured = "".join(self._tests.get(nodeid, ("", []))[1])
            if captured:
                texts.append(f"-- captured --\n{captured}")
        return plain("\n".join(texts)) if texts else None


def plain(text: str) -> str:
    """Without what only a terminal understands."""
    return _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
