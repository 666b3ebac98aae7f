"""What a run tells the server while it goes on: one frame for each thing that happens.

Standard library only and cheap to import: the run's own process sends these. They hold what pytest
reported, not what an editor makes of it: that is `editor.outcomes`. Ids are pytest's node ids,
paths are absolute, lines count from 0, durations are seconds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from .protocol import ProtocolError, build

MAX_TEXT = 1 << 20
"""Characters of one text (captured output, a failure) that travel; the rest is cut off."""


@dataclass(frozen=True)
class Begun:
    """First: what run this is."""

    args: list[str]
    """The command line behind `pytest`."""
    root: str
    began_ns: int
    """ns since the epoch; it may not know of later edits."""
    cold: str | None = None
    """Why the server had no part in it, where it did not decide that itself."""


@dataclass(frozen=True)
class Orders:
    """The server's answer to `Begun`."""

    wanted: bool = False
    """Whether anybody wants to know of this run."""
    kind: str = "run"
    """run | debug | coverage | collect"""
    exclude: list[str] = field(default_factory=list)
    """Node ids; not to be run, nor what is below them."""


@dataclass(frozen=True)
class Item:
    """One item, or one class, in a file."""

    id: str
    label: str
    kind: str
    """class | function | case"""
    parent: str
    tags: list[str]
    line: int | None = None


@dataclass(frozen=True)
class FileCollected:
    """All that pytest has found in one file."""

    id: str
    path: str
    items: list[Item]


@dataclass(frozen=True)
class Selected:
    """The run will come to these items."""

    ids: list[str]


@dataclass(frozen=True)
class Started:
    """`pytest_runtest_logstart`."""

    id: str


@dataclass(frozen=True)
class Frame:
    """One frame of a traceback."""

    label: str
    path: str
    line: int


@dataclass(frozen=True)
class Failure:
    """Why something failed, as pytest shows it."""

    text: str
    """The whole representation, without colours."""
    summary: str
    """The exception, in a line or a few."""
    stack: list[Frame]
    """Outermost first."""
    path: str | None = None
    """Where it was raised."""
    line: int | None = None
    expected: str | None = None
    """The right side of the `==` that failed."""
    actual: str | None = None
    """The left side."""


@dataclass(frozen=True)
class Phase:
    """`pytest_runtest_logreport`: setup, call or teardown of an item, or a subtest, is over."""

    id: str
    when: str
    category: str
    """As the terminal counts it: passed, failed, error, skipped, xfailed, …; empty: not counted."""
    duration: float
    """Of this phase, and of those before it that there was nothing else to tell of."""
    reason: str | None = None
    failure: Failure | None = None
    sections: list[list[str]] = field(default_factory=list)
    """Captured output: (heading, text)."""
    subtest: str | None = None
    """What tells this subtest from others of the same item."""


@dataclass(frozen=True)
class CollectionFailed:
    """`pytest_collectreport` of something that could not be collected."""

    id: str
    path: str | None
    failure: Failure


@dataclass(frozen=True)
class Debugging:
    """A debug adapter listens, and the run waits for it to be connected."""

    host: str
    port: int


@dataclass(frozen=True)
class Trouble:
    """What was asked for cannot be had: a package is missing."""

    text: str


@dataclass(frozen=True)
class Finished:
    """Last: `pytest_sessionfinish` is over."""

    exit: int


Report = (
    Begun
    | FileCollected
    | Selected
    | Started
    | Phase
    | CollectionFailed
    | Debugging
    | Trouble
    | Finished
)

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Begun,
        FileCollected,
        Selected,
        Started,
        Phase,
        CollectionFailed,
        Debugging,
        Trouble,
        Finished,
    )
}


def to_message(report: Report) -> dict[str, Any]:
    """A report as plain data, tagged with its type.

    `dataclasses.asdict` copies deeply, which takes longer than everything else about a report.
    """
    message = {"report": type(report).__name__, **vars(report)}
    if isinstance(report, FileCollected):
        message["items"] = [vars(item) for item in report.items]
    elif isinstance(report, (Phase, CollectionFailed)) and report.failure is not None:
        message["failure"] = dataclasses.asdict(report.failure)
    return message


def parse(message: dict[str, Any]) -> Report:
    """The report in a message. Raises ProtocolError."""
    kind = _KINDS.get(str(message.pop("report", None)))
    if kind is None:
        raise ProtocolError("a report of no known kind")
    report = build(kind, message)
    if isinstance(report, FileCollected):
        return dataclasses.replace(report, items=[build(Item, item) for item in report.items])
    if isinstance(report, (Phase, CollectionFailed)) and report.failure is not None:
        return dataclasses.replace(report, failure=_failure(report.failure))
    return report  # type: ignore[no-any-return]


def to_orders(orders: Orders) -> dict[str, Any]:
    """Orders as plain data."""
    return dataclasses.asdict(orders)


def parse_orders(message: dict[str, Any]) -> Orders:
    """Raises ProtocolError."""
    return build(Orders, message)


def _failure(data: Any) -> Failure:
    failure = build(Failure, data)
    if not isinstance(failure.stack, list):
        raise ProtocolError("Failure: a list of frames was expected")
    return dataclasses.replace(failure, stack=[build(Frame, frame) for frame in failure.stack])


def cut(text: str) -> str:
    """A text, shortened where it is too long to travel."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n… {len(text) - MAX_TEXT} more characters\n"
