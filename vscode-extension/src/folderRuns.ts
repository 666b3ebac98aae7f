/** The runs of one folder: begun here, in a terminal, or by a change of a file. */

import * as vscode from "vscode";
import { showCoverage } from "./coverage";
import { debugRun } from "./debugging";
import type { ServerClient } from "./server";
import type { FolderTests } from "./testController";
import { RunView } from "./runView";
import type { RunKind, RunProgress, RunStarted, RunTestsParams } from "./wire";

/** A run that somebody has asked for in the editor. */
export interface Wanted {
  readonly request: vscode.TestRunRequest;
  readonly kind: RunKind;
  /** Absent: everything. */
  readonly include?: readonly string[];
  readonly exclude: readonly string[];
  readonly args: readonly string[];
}

/** What the runs of a folder need of the rest of the extension. */
export interface RunSurroundings {
  readonly folder: vscode.WorkspaceFolder;
  readonly controller: vscode.TestController;
  readonly tests: FolderTests;
  readonly log: vscode.LogOutputChannel;
  /** Returns when a server that is being started has answered, or has not. */
  whenStarted(): Promise<void>;
  /** The server could not begin a run, and says why. */
  refused(reason: string): void;
  /** A run that the editor has not asked for stands under this profile, so that it can be run again. */
  profile(kind: RunKind): vscode.TestRunProfile | undefined;
}

let runs = 0;

/** A request that has been answered takes no further runs. */
function again({ include, exclude, profile }: vscode.TestRunRequest): vscode.TestRunRequest {
  return new vscode.TestRunRequest(include, exclude, profile, true, true);
}

export class FolderRuns {
  readonly #around: RunSurroundings;
  readonly #going = new Map<string, { view: RunView; kind: RunKind }>();
  /** By the id of their first run. */
  readonly #continuous = new Map<string, Wanted>();
  #client: ServerClient | undefined;

  constructor(around: RunSurroundings) {
    this.#around = around;
  }

  /** Runs go to this server from now on; those that go on by themselves begin again with it. */
  connected(client: ServerClient): void {
    this.#client = client;
    for (const [runId, wanted] of this.#continuous) {
      void this.#begin(client, runId, { ...wanted, request: again(wanted.request) }, true);
    }
  }

  /** There is no server: what is going on will not be told to its end. */
  disconnected(): void {
    this.#client = undefined;
    for (const { view } of this.#going.values()) {
      view.say("The connection with the server has ended: this run is not followed any further.");
      view.end();
    }
    this.#going.clear();
  }

  /** The tree has changed: tests that a run has reported may be shown now. */
  treeChanged(): void {
    for (const { view } of this.#going.values()) {
      view.show([]);
    }
  }

  /** Begins a run; returns when it has ended, or at once where it begins others by itself. */
  async run(wanted: Wanted, token: vscode.CancellationToken): Promise<void> {
    await this.#around.whenStarted();
    if (token.isCancellationRequested) {
      return;
    }
    const client = this.#client;
    if (client === undefined) {
      const name = this.#around.folder.name;
      this.#around.refused(`The server for "${name}" is not running.`);
      return;
    }
    runs += 1;
    const runId = `vscode-${String(process.pid)}-${String(runs)}`;
    const continuous = wanted.request.continuous === true;
    if (continuous) {
      this.#continuous.set(runId, wanted);
    }
    token.onCancellationRequested(() => {
      this.#continuous.delete(runId);
      void this.#cancel(runId);
    });
    await this.#begin(client, runId, wanted, continuous);
  }

  async #begin(
    client: ServerClient,
    runId: string,
    wanted: Wanted,
    continuous: boolean,
  ): Promise<void> {
    const view = this.#open(runId, wanted.kind, wanted.request, undefined);
    const params: RunTestsParams = {
      runId,
      kind: wanted.kind,
      ...(wanted.include === undefined ? {} : { include: wanted.include }),
      exclude: wanted.exclude,
      args: wanted.args,
      continuous,
    };
    try {
      const { debug } = await client.ask("fastcollect/runTests", params);
      if (debug !== undefined) {
        await debugRun(view, debug, this.#around.folder, async () => this.#cancel(runId));
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      view.say(reason);
      this.#going.delete(runId);
      this.#continuous.delete(runId);
      view.end();
      // A connection that has ended is told by other means.
      if (client === this.#client && client.isRunning()) {
        this.#around.refused(reason);
      }
    }
    await view.ended;
  }

  /** The server tells of a run. One that nobody here has asked for is shown all the same. */
  started({ runId, kind, origin, args }: RunStarted): void {
    this.#around.log.info(`${this.#around.folder.name}: ${kind} ${runId} (${origin})`);
    if (this.#going.has(runId)) {
      return;
    }
    const wanted = this.#continuous.get(runId.slice(0, Math.max(runId.lastIndexOf("/"), 0)));
    if (wanted !== undefined) {
      this.#open(runId, kind, again(wanted.request), "after a change");
      return;
    }
    const named = args.map((id) => this.#around.tests.get(id)).filter((item) => item !== undefined);
    const include = named.length > 0 && named.length === args.length ? named : undefined;
    const profile = this.#around.profile(kind);
    const request = new vscode.TestRunRequest(include, undefined, profile, false, true);
    this.#open(runId, kind, request, `${["pytest", ...args].join(" ")} (${origin})`);
  }

  /** The server tells what has happened in a run. */
  async progress(client: ServerClient, { runId, events }: RunProgress): Promise<void> {
    const going = this.#going.get(runId);
    if (going === undefined) {
      return;
    }
    const { view, kind } = going;
    view.show(events);
    const end = events.find((event) => event.event === "ended");
    if (end === undefined) {
      return;
    }
    this.#around.log.info(
      `${this.#around.folder.name}: ${runId} has ended: ${end.exit} ${end.reason ?? ""}`,
    );
    if (end.reason !== undefined) {
      view.say(end.reason);
    }
    try {
      if (kind === "coverage") {
        await showCoverage(client, runId, view.run, this.#around.tests);
      }
    } catch (error) {
      view.say(String(error));
    }
    await view.finish();
    this.#going.delete(runId);
  }

  #open(
    runId: string,
    kind: RunKind,
    request: vscode.TestRunRequest,
    name: string | undefined,
  ): RunView {
    const run = this.#around.controller.createTestRun(request, name, true);
    const view = new RunView(run, this.#around.tests);
    this.#going.set(runId, { view, kind });
    run.token.onCancellationRequested(() => {
      void this.#cancel(runId);
    });
    return view;
  }

  async #cancel(runId: string): Promise<void> {
    try {
      await this.#client?.ask("fastcollect/cancelRun", { runId });
    } catch (error) {
      this.#around.log.warn(`${runId}: fastcollect/cancelRun:`, error);
    }
  }
}
