"""The wire types of the editor protocol: the one definition; TypeScript's is generated from it.

A field's name is its name on the wire. `X | None = None` means: absent where there is none, never
`null`; `X | None` without a default means: always there, `null` where there is none. `Literal`
fields with a default are tags. Positions are LSP positions (0-based lines, UTF-16 characters), URIs
are `file:` URIs, durations are seconds. What goes over the wire is described in docs/protocol.md,
which changes together with this file (tests/editor/test_documents.py).

This module is plain data and imports nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

PROTOCOL_VERSION = 1
"""Announced by both sides as `experimental.fastcollect.version` in their capabilities."""

NodeId = str
"""pytest's node id: the only key of a test anywhere in the protocol."""

Uri = str
"""A `file:` URI."""

ItemKind = Literal["dir", "package", "file", "class", "function", "case"]
"""`case` is one parameter set of a parametrized function."""

RunKind = Literal["run", "debug", "coverage"]
RunOrigin = Literal["editor", "terminal", "watch"]
Served = Literal["warm", "collected", "cold"]
"""How deep the checkpoint was that a run was resumed from; `cold`: from none."""

ServerState = Literal["stopped", "starting", "warming", "warm", "degraded"]


# ---- the tree ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text document, as in LSP 3.17."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Range:
    """A half-open range of a text document, as in LSP 3.17."""

    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Location:
    """A range in a document, as in LSP 3.17."""

    uri: Uri
    range: Range


@dataclass(frozen=True, slots=True)
class TestItem:
    """One node of the test tree; the tree is a flat list, parents before their children."""

    id: NodeId
    label: str
    kind: ItemKind
    tags: Sequence[str]
    """Names of the marks known to apply."""
    dynamic: bool
    """What pytest makes of it cannot be decided without importing: it may have cases, or vanish."""
    canResolveChildren: bool
    """Has children, whether or not this answer holds them."""
    parent: NodeId | None = None
    uri: Uri | None = None
    """The file that holds it; for a `dir` or `package`, the directory itself."""
    range: Range | None = None
    """Its definition; where there is an `error` in the source, the place of the error."""
    sortText: str | None = None
    """Orders siblings as pytest does, where the label does not."""
    error: str | None = None
    """Why it cannot be collected (a syntax error, an import error). One line or several."""
    reason: str | None = None
    """Why it is `dynamic`, for people."""


@dataclass(frozen=True, slots=True)
class DiscoverTestsParams:
    """Asks for the tree, or a part of it."""

    parent: NodeId | None = None
    """Only what lies below this item; absent: from the top."""
    depth: int | None = None
    """So many levels down, 1 = direct children; absent: all."""


@dataclass(frozen=True, slots=True)
class DiscoverTestsResult:
    """The tree, or a part of it, as of one generation."""

    generation: int
    tests: Sequence[TestItem]


@dataclass(frozen=True, slots=True)
class ReplacedTests:
    """All items of one document (or one directory), instead of those the client has for its URI."""

    uri: Uri
    tests: Sequence[TestItem]


@dataclass(frozen=True, slots=True)
class TestsChanged:
    """What changed in the tree since the generation before."""

    generation: int
    """Counts up; a client that finds a gap asks `fastcollect/discoverTests` again."""
    replaced: Sequence[ReplacedTests]
    removed: Sequence[Uri]
    """Documents and directories that hold no tests any more."""


# ---- runs --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTestsParams:
    """Starts a run."""

    runId: str
    """Chosen by the client, unique among its runs."""
    kind: RunKind
    include: Sequence[NodeId] | None = None
    """Absent: everything."""
    exclude: Sequence[NodeId] | None = None
    args: Sequence[str] | None = None
    """Further arguments for pytest."""
    continuous: bool | None = None
    """Run again whenever an input changes, until cancelled."""


@dataclass(frozen=True, slots=True)
class DebugAddress:
    """Where a debug adapter listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RunTestsResult:
    """A run has been accepted."""

    enqueued: Sequence[NodeId] | Literal["all"]
    served: Served
    debug: DebugAddress | None = None
    """`kind: "debug"`: where the run waits for a client."""


@dataclass(frozen=True, slots=True)
class CancelRunParams:
    """Interrupts a run; the answer says whether there was one to interrupt."""

    runId: str


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins, whoever began it."""

    runId: str
    kind: RunKind
    origin: RunOrigin
    args: Sequence[str]


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One frame of a failure's traceback."""

    label: str
    uri: Uri
    range: Range


@dataclass(frozen=True, slots=True)
class Message:
    """Why a test failed."""

    text: str
    stack: Sequence[StackFrame]
    """Outermost frame first."""
    location: Location | None = None
    expected: str | None = None
    actual: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The run will come to this test."""

    id: NodeId
    event: Literal["enqueued"] = "enqueued"


@dataclass(frozen=True, slots=True)
class Started:
    """The test's setup begins."""

    id: NodeId
    event: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The test was not run."""

    id: NodeId
    reason: str | None = None
    event: Literal["skipped"] = "skipped"


@dataclass(frozen=True, slots=True)
class Passed:
    """The test passed; a later event for the same test overrules this one."""

    id: NodeId
    duration: float
    event: Literal["passed", "xfailed", "xpassed"] = "passed"


@dataclass(frozen=True, slots=True)
class Failed:
    """The test failed, or its setup, teardown or collection raised (`errored`)."""

    id: NodeId
    messages: Sequence[Message]
    duration: float
    event: Literal["failed", "errored"] = "failed"


@dataclass(frozen=True, slots=True)
class Output:
    """What the run wrote, with its terminal escapes."""

    value: str
    id: NodeId | None = None
    location: Location | None = None
    event: Literal["output"] = "output"


@dataclass(frozen=True, slots=True)
class Discovered:
    """Items that only the run could find out."""

    tests: Sequence[TestItem]
    event: Literal["discovered"] = "discovered"


@dataclass(frozen=True, slots=True)
class Ended:
    """The run's last event."""

    exit: int
    """pytest's exit code; -N where signal N ended the run."""
    reason: str | None = None
    event: Literal["ended"] = "ended"


RunEvent = Enqueued | Started | Skipped | Passed | Failed | Output | Discovered | Ended


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Events of one run, in order."""

    runId: str
    seq: int
    """Counts up from 0 for each run."""
    events: Sequence[RunEvent]


@dataclass(frozen=True, slots=True)
class Outdated:
    """What tests depend on has changed on disk: their results are those of before."""

    uris: Sequence[Uri]
    """Test files that changed, or import, directly or not, what did."""


@dataclass(frozen=True, slots=True)
class ResolveRunParams:
    """Asks what to start, where the client starts things itself."""

    include: Sequence[NodeId]
    kind: RunKind


@dataclass(frozen=True, slots=True)
class ResolveRunResult:
    """What to start."""

    program: str
    args: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    debug: DebugAddress | None = None


# ---- coverage ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CoverageParams:
    """Asks for what a run of kind `coverage` has measured."""

    runId: str
    uri: Uri | None = None
    """This file in detail; absent: all files in short."""
    testId: NodeId | None = None
    """What this test alone has executed."""


@dataclass(frozen=True, slots=True)
class CoverageCount:
    """How many there are, and how many of them were executed."""

    covered: int
    total: int


@dataclass(frozen=True, slots=True)
class BranchCoverage:
    """One way that leads on from a line."""

    executed: bool
    label: str


@dataclass(frozen=True, slots=True)
class StatementCoverage:
    """One line with a statement; `line` counts from 0."""

    line: int
    executed: bool
    branches: Sequence[BranchCoverage]


@dataclass(frozen=True, slots=True)
class DeclarationCoverage:
    """One function; `line` is where it begins, or its first statement, from 0."""

    name: str
    line: int
    executed: bool


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """One file."""

    uri: Uri
    statements: CoverageCount
    branches: CoverageCount
    declarations: CoverageCount
    tests: Sequence[NodeId]
    """The tests that executed anything of it."""
    lines: Sequence[StatementCoverage] | None = None
    """In detail only."""
    functions: Sequence[DeclarationCoverage] | None = None
    """In detail only."""


@dataclass(frozen=True, slots=True)
class CoverageResult:
    """What was measured."""

    files: Sequence[FileCoverage]


# ---- status: the names are those of `fastcollect status --json` ----------------------------------


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """One live checkpoint."""

    name: str
    pid: int
    modules: int
    inputs: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class LastRunStatus:
    """How the latest run was served."""

    served: Served
    reason: str | None
    proof_ms: float | None
    fork_ms: float | None
    wall_ms: float | None
    exit: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The server's state; has at least these keys."""

    state: ServerState
    pid: int | None
    root: str
    interpreter: str
    version: str
    uptime_s: float
    idle_timeout_s: float
    rss_bytes: int
    tests: int
    checkpoints: Sequence[CheckpointStatus]
    last_run: LastRunStatus | None
    runs: Mapping[str, int]
    """Count of runs by how they were served."""
    clients: int


# ---- methods -----------------------------------------------------------------------------------


class Method(NamedTuple):
    """One method of the protocol: who may send it, with what, and what comes back."""

    name: str
    sender: Literal["client", "server"]
    params: object
    result: object
    """The type of a request's result; None: a notification."""
    since: int | None
    """The protocol version that has it; None: fixed, but not built yet and not to be called."""


METHODS: tuple[Method, ...] = (
    Method("fastcollect/discoverTests", "client", DiscoverTestsParams, DiscoverTestsResult, 1),
    Method("fastcollect/testsChanged", "server", TestsChanged, None, 1),
    Method("fastcollect/runTests", "client", RunTestsParams, RunTestsResult, 1),
    Method("fastcollect/cancelRun", "client", CancelRunParams, bool, 1),
    Method("fastcollect/runStarted", "server", RunStarted, None, 1),
    Method("fastcollect/runProgress", "server", RunProgress, None, 1),
    Method("fastcollect/outdated", "server", Outdated, None, 1),
    Method("fastcollect/resolveRun", "client", ResolveRunParams, ResolveRunResult, 1),
    Method("fastcollect/coverage", "client", CoverageParams, CoverageResult, 1),
    Method("fastcollect/status", "client", None, Status, 1),
    Method("fastcollect/status", "server", Status, None, 1),
)
