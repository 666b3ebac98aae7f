// Generated from fastcollect_lsp/editor/wire.py by tools/generate_wire_types.py. Do not edit.

/** Announced by both sides as `experimental.fastcollect.version` in their capabilities. */
export const PROTOCOL_VERSION = 1;

/** `case` is one parameter set of a parametrized function. */
export type ItemKind = "dir" | "package" | "file" | "class" | "function" | "case";

export type RunKind = "run" | "debug" | "coverage";

export type RunOrigin = "editor" | "terminal" | "watch";

/** How deep the checkpoint was that a run was resumed from; `cold`: from none. */
export type Served = "warm" | "collected" | "cold";

export type ServerState = "stopped" | "starting" | "warming" | "warm" | "degraded";

export type RunEvent = Enqueued | Started | Skipped | Passed | Failed | Output | Discovered | Ended;

/** A place in a text document, as in LSP 3.17. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

/** A half-open range of a text document, as in LSP 3.17. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** A range in a document, as in LSP 3.17. */
export interface Location {
  readonly uri: string;
  readonly range: Range;
}

/** One node of the test tree; the tree is a flat list, parents before their children. */
export interface TestItem {
  readonly id: string;
  readonly label: string;
  readonly kind: ItemKind;
  /** Names of the marks known to apply. */
  readonly tags: readonly string[];
  /** What pytest makes of it cannot be decided without importing: it may have cases, or vanish. */
  readonly dynamic: boolean;
  /** Has children, whether or not this answer holds them. */
  readonly canResolveChildren: boolean;
  readonly parent?: string;
  /** The file that holds it; for a `dir` or `package`, the directory itself. */
  readonly uri?: string;
  /** Its definition; where there is an `error` in the source, the place of the error. */
  readonly range?: Range;
  /** Orders siblings as pytest does, where the label does not. */
  readonly sortText?: string;
  /** Why it cannot be collected (a syntax error, an import error). One line or several. */
  readonly error?: string;
  /** Why it is `dynamic`, for people. */
  readonly reason?: string;
}

/** Asks for the tree, or a part of it. */
export interface DiscoverTestsParams {
  /** Only what lies below this item; absent: from the top. */
  readonly parent?: string;
  /** So many levels down, 1 = direct children; absent: all. */
  readonly depth?: number;
}

/** The tree, or a part of it, as of one generation. */
export interface DiscoverTestsResult {
  readonly generation: number;
  readonly tests: readonly TestItem[];
}

/** All items of one document (or one directory), instead of those the client has for its URI. */
export interface ReplacedTests {
  readonly uri: string;
  readonly tests: readonly TestItem[];
}

/** What changed in the tree since the generation before. */
export interface TestsChanged {
  /** Counts up; a client that finds a gap asks `fastcollect/discoverTests` again. */
  readonly generation: number;
  readonly replaced: readonly ReplacedTests[];
  /** Documents and directories that hold no tests any more. */
  readonly removed: readonly string[];
}

/** Starts a run. */
export interface RunTestsParams {
  /** Chosen by the client, unique among its runs. */
  readonly runId: string;
  readonly kind: RunKind;
  /** Absent: everything. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Further arguments for pytest. */
  readonly args?: readonly string[];
  /** Run again whenever an input changes, until cancelled. */
  readonly continuous?: boolean;
}

/** Where a debug adapter listens. */
export interface DebugAddress {
  readonly host: string;
  readonly port: number;
}

/** A run has been accepted. */
export interface RunTestsResult {
  readonly enqueued: readonly string[] | "all";
  readonly served: Served;
  /** `kind: "debug"`: where the run waits for a client. */
  readonly debug?: DebugAddress;
}

/** Interrupts a run; the answer says whether there was one to interrupt. */
export interface CancelRunParams {
  readonly runId: string;
}

/** A run begins, whoever began it. */
export interface RunStarted {
  readonly runId: string;
  readonly kind: RunKind;
  readonly origin: RunOrigin;
  readonly args: readonly string[];
}

/** One frame of a failure's traceback. */
export interface StackFrame {
  readonly label: string;
  readonly uri: string;
  readonly range: Range;
}

/** Why a test failed. */
export interface Message {
  readonly text: string;
  /** Outermost frame first. */
  readonly stack: readonly StackFrame[];
  readonly location?: Location;
  readonly expected?: string;
  readonly actual?: string;
}

/** The run will come to this test. */
export interface Enqueued {
  readonly id: string;
  readonly event: "enqueued";
}

/** The test's setup begins. */
export interface Started {
  readonly id: string;
  readonly event: "started";
}

/** The test was not run. */
export interface Skipped {
  readonly id: string;
  readonly reason?: string;
  readonly event: "skipped";
}

/** The test passed; a later event for the same test overrules this one. */
export interface Passed {
  readonly id: string;
  readonly duration: number;
  readonly event: "passed" | "xfailed" | "xpassed";
}

/** The test failed, or its setup, teardown or collection raised (`errored`). */
export interface Failed {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly duration: number;
  readonly event: "failed" | "errored";
}

/** What the run wrote, with its terminal escapes. */
export interface Output {
  readonly value: string;
  readonly id?: string;
  readonly location?: Location;
  readonly event: "output";
}

/** Items that only the run could find out. */
export interface Discovered {
  readonly tests: readonly TestItem[];
  readonly event: "discovered";
}

/** The run's last event. */
export interface Ended {
  /** pytest's exit code; -N where signal N ended the run. */
  readonly exit: number;
  readonly reason?: string;
  readonly event: "ended";
}

/** Events of one run, in order. */
export interface RunProgress {
  readonly runId: string;
  /** Counts up from 0 for each run. */
  readonly seq: number;
  readonly events: readonly RunEvent[];
}

/** What tests depend on has changed on disk: their results are those of before. */
export interface Outdated {
  /** Test files that changed, or import, directly or not, what did. */
  readonly uris: readonly string[];
}

/** Asks what to start, where the client starts things itself. */
export interface ResolveRunParams {
  readonly include: readonly string[];
  readonly kind: RunKind;
}

/** What to start. */
export interface ResolveRunResult {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly debug?: DebugAddress;
}

/** Asks for what a run of kind `coverage` has measured. */
export interface CoverageParams {
  readonly runId: string;
  /** This file in detail; absent: all files in short. */
  readonly uri?: string;
  /** What this test alone has executed. */
  readonly testId?: string;
}

/** How many there are, and how many of them were executed. */
export interface CoverageCount {
  readonly covered: number;
  readonly total: number;
}

/** One way that leads on from a line. */
export interface BranchCoverage {
  readonly executed: boolean;
  readonly label: string;
}

/** One line with a statement; `line` counts from 0. */
export interface StatementCoverage {
  readonly line: number;
  readonly executed: boolean;
  readonly branches: readonly BranchCoverage[];
}

/** One function; `line` is where it begins, or its first statement, from 0. */
export interface DeclarationCoverage {
  readonly name: string;
  readonly line: number;
  readonly executed: boolean;
}

/** One file. */
export interface FileCoverage {
  readonly uri: string;
  readonly statements: CoverageCount;
  readonly branches: CoverageCount;
  readonly declarations: CoverageCount;
  /** The tests that executed anything of it. */
  readonly tests: readonly string[];
  /** In detail only. */
  readonly lines?: readonly StatementCoverage[];
  /** In detail only. */
  readonly functions?: readonly DeclarationCoverage[];
}

/** What was measured. */
export interface CoverageResult {
  readonly files: readonly FileCoverage[];
}

/** One live checkpoint. */
export interface CheckpointStatus {
  readonly name: string;
  readonly pid: number;
  readonly modules: number;
  readonly inputs: number;
  readonly rss_bytes: number;
}

/** How the latest run was served. */
export interface LastRunStatus {
  readonly served: Served;
  readonly reason: string | null;
  readonly proof_ms: number | null;
  readonly fork_ms: number | null;
  readonly wall_ms: number | null;
  readonly exit: number | null;
}

/** The server's state; has at least these keys. */
export interface Status {
  readonly state: ServerState;
  readonly pid: number | null;
  readonly root: string;
  readonly interpreter: string;
  readonly version: string;
  readonly uptime_s: number;
  readonly idle_timeout_s: number;
  readonly rss_bytes: number;
  readonly tests: number;
  readonly checkpoints: readonly CheckpointStatus[];
  readonly last_run: LastRunStatus | null;
  /** Count of runs by how they were served. */
  readonly runs: Readonly<Record<string, number>>;
  readonly clients: number;
}

/** Requests that a client may send. */
export interface ClientRequests {
  "fastcollect/discoverTests": { params: DiscoverTestsParams; result: DiscoverTestsResult };
  "fastcollect/runTests": { params: RunTestsParams; result: RunTestsResult };
  "fastcollect/cancelRun": { params: CancelRunParams; result: boolean };
  "fastcollect/resolveRun": { params: ResolveRunParams; result: ResolveRunResult };
  "fastcollect/coverage": { params: CoverageParams; result: CoverageResult };
  "fastcollect/status": { params: undefined; result: Status };
}

/** Notifications that the server may send. */
export interface ServerNotifications {
  "fastcollect/testsChanged": { params: TestsChanged };
  "fastcollect/runStarted": { params: RunStarted };
  "fastcollect/runProgress": { params: RunProgress };
  "fastcollect/outdated": { params: Outdated };
  "fastcollect/status": { params: Status };
}
