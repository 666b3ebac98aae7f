"""What became of tests last, by file, and what goes on: what lenses, hints and actions show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.outcomes import Result
from fastcollect_lsp.run import Listener, Progress, Run

if TYPE_CHECKING:
    from fastcollect_lsp.runs import Runs

FAILED = frozenset({"failed", "errored"})


class Results(Listener):
    """As of the events that one connection has seen; filled from earlier runs when it begins."""

    def __init__(self) -> None:
        self._runs: Runs | None = None
        self._by_file: dict[str, dict[wire.NodeId, Result]] = {}
        self._going: dict[wire.NodeId, str] = {}
        """Tests that have begun, and in which run."""
        self._listeners: list[Callable[[], None]] = []

    def begin(self, runs: Runs) -> None:
        """Follow these runs from now on."""
        self._runs = runs
        for nodeid, result in runs.latest.items():
            self._by_file.setdefault(file_of(nodeid), {})[nodeid] = result
        runs.listeners.append(self)

    def end(self) -> None:
        """The connection has ended."""
        if self._runs is not None:
            self._runs.listeners.remove(self)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when something may look different."""
        self._listeners.append(listener)

    def started(self, run: Run) -> None:
        """A run has begun."""
        self._tell()

    def progress(self, run: Run, progress: Progress) -> None:
        """Something has happened in it."""
        for event in progress.events:
            self._take(run, event)
        self._tell()

    def _take(self, run: Run, event: wire.RunEvent) -> None:
        if isinstance(event, wire.Started):
            self._going[event.id] = run.id
        elif isinstance(event, wire.Enqueued):
            # Whatever kept the file from being collected is gone.
            self._by_file.get(file := file_of(event.id), {}).pop(file, None)
        elif isinstance(event, (wire.Passed, wire.Failed, wire.Skipped)):
            self._going.pop(event.id, None)
            if self._runs is not None and (result := self._runs.latest.get(event.id)):
                self._by_file.setdefault(file_of(event.id), {})[event.id] = result
        elif isinstance(event, wire.Ended):
            self._going = {test: by for test, by in self._going.items() if by != run.id}

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # ---- reading ----

    def get(self, nodeid: wire.NodeId) -> Result | None:
        """What became of a test (or of the collection of a file) last."""
        return self._by_file.get(file_of(nodeid), {}).get(nodeid)

    def is_going(self, nodeid: wire.NodeId) -> bool:
        """Whether a test has begun and not ended."""
        return nodeid in self._going

    def cases(self, file: str) -> dict[wire.NodeId, list[wire.NodeId]]:
        """Parameter sets in a file that have been run, or are being run, by their function."""
        found: dict[wire.NodeId, list[wire.NodeId]] = {}
        going = [test for test in self._going if file_of(test) == file]
        for test in dict.fromkeys([*self._by_file.get(file, {}), *going]):
            function, bracket, _ = test.partition("[")
            if bracket:
                found.setdefault(function, []).append(test)
        return found

    def below(self, nodeid: wire.NodeId) -> Iterator[tuple[wire.NodeId, Result]]:
        """An item's own result and those of all below it, as far as they have been run."""
        for test, result in self._by_file.get(file_of(nodeid), {}).items():
            if test == nodeid or test.startswith((f"{nodeid}::", f"{nodeid}[")):
                yield test, result

    def failed(self) -> list[wire.NodeId]:
        """All that failed when it was run last."""
        return [
            test
            for results in self._by_file.values()
            for test, result in results.items()
            if result.state in FAILED
        ]


def file_of(nodeid: wire.NodeId) -> str:
    """The file that a node id begins with."""
    return nodeid.partition("::")[0]


def duration(seconds: float) -> str:
    """A duration for people."""
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def counted(states: Iterable[str]) -> str:
    """How many tests came out how, as pytest's last line says it: `1 failed, 3 passed`."""
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    named = [(counts[state], name) for state, name in _NAMES.items() if state in counts]
    return ", ".join(f"{n} {name}{'s' if name == 'error' and n > 1 else ''}" for n, name in named)


_NAMES = {
    "failed": "failed",
    "errored": "error",
    "passed": "passed",
    "skipped": "skipped",
    "xfailed": "xfailed",
    "xpassed": "xpassed",
}
