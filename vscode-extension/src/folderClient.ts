/** One workspace folder: its language server, its tests, its status. */

import * as vscode from "vscode";
import { State } from "vscode-languageclient/node";
import type { ServerCommand } from "./environment";
import type { Launch } from "./launch";
import { prepareLaunch, stopServer } from "./launch";
import type { ClientState } from "./presentation";
import type { Problem } from "./problem";
import { serverFailed, serverIncompatible } from "./problem";
import { ServerClient } from "./server";
import { readSettings } from "./settings";
import type { StatusItem } from "./statusItem";
import type { SyncEffect, SyncEvent } from "./sync";
import { INITIAL_SYNC, step } from "./sync";
import type { FolderRuns } from "./folderRuns";
import type { FolderTests } from "./testController";
import type { Status } from "./wire";
import { PROTOCOL_VERSION } from "./wire";

/** In which a server has to have answered for the first time. It may have to be started for that. */
const START_DEADLINE_MS = 60_000;

/** What a folder's client reports to. */
export interface FolderViews {
  readonly tests: FolderTests;
  readonly runs: FolderRuns;
  readonly status: StatusItem;
  readonly log: vscode.LogOutputChannel;
  notify(problem: Problem): void;
  /** The interpreter that another extension has selected for a folder, absolute. */
  selectedInterpreter(folder: vscode.Uri): Promise<string | undefined>;
  /** The interpreter for which tests are only to be listed as long as the server is missing there. */
  staticFor(): string | undefined;
}

/** Connects one folder with its server, and keeps its views up to date. */
export class FolderClient {
  readonly #folder: vscode.WorkspaceFolder;
  readonly #views: FolderViews;
  #client: ServerClient | undefined;
  /** What the latest client was started with. */
  #command: ServerCommand | undefined;
  #python: string | undefined;
  #staticOnly = false;
  /** The interpreter that was decided on last; nothing where none could be. */
  #wanted: string | undefined;
  #state: ClientState = { name: "stopped" };
  #since = performance.now();
  #sync = INITIAL_SYNC;
  /** Starts and stops happen one after the other, in the order they were asked for. */
  #queue: Promise<void> = Promise.resolve();
  /** What will start or stop something and is not in the queue so far. */
  #coming: Promise<unknown> = Promise.resolve();

  constructor(folder: vscode.WorkspaceFolder, views: FolderViews) {
    this.#folder = folder;
    this.#views = views;
    views.status.show(this.#state);
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Returns when all starts and stops that have been asked for are done. */
  async settled(): Promise<void> {
    let seen: readonly Promise<unknown>[] = [];
    while (seen[0] !== this.#queue || seen[1] !== this.#coming) {
      seen = [this.#queue, this.#coming];
      await Promise.all(seen);
    }
  }

  /** The interpreter of the server that was started last. */
  get python(): string | undefined {
    return this.#python;
  }

  /** Connects, which starts the server if none is running; what stands in the way is shown, not thrown. */
  async start(cause: string): Promise<void> {
    return this.#enqueue(async () => this.#start(cause));
  }

  /**
   * Disconnects; the server itself goes on, for others may use it. The tests stay, so that those of the
   * next connection are compared with them.
   */
  async stop(cause: string): Promise<void> {
    return this.#enqueue(async () => this.#stop(cause));
  }

  /** Disconnects, and connects to the server that the settings say then. */
  async reconnect(cause: string): Promise<void> {
    return this.#announce(async () => {
      await this.#decide();
      await this.#again(cause);
    });
  }

  /** Has runs wait that are asked for meanwhile: they would go to a server that is about to be left. */
  async #announce(task: () => Promise<void>): Promise<void> {
    const done = task();
    this.#coming = Promise.all([this.#coming, done.catch(() => undefined)]);
    return done;
  }

  async #again(cause: string): Promise<void> {
    return this.#enqueue(async () => {
      await this.#stop(cause);
      await this.#start(cause);
    });
  }

  /** Connects to the server that the settings say now, unless that is the one there is. */
  async reconsider(cause: string): Promise<void> {
    return this.#announce(async () => {
      if ((await this.#decide()).isNew) {
        await this.#again(cause);
      }
    });
  }

  /** Ends the server, also for others, and starts it again from the settings as they are then. */
  async restartServer(cause: string): Promise<void> {
    return this.#enqueue(async () => {
      await this.#stopServer(cause);
      await this.#start(cause);
    });
  }

  /** Ends the server, also for others. */
  async stopServer(cause: string): Promise<void> {
    return this.#enqueue(async () => this.#stopServer(cause));
  }

  /** Asks for the whole tree again; a server that could not be started is tried again instead. */
  async refresh(): Promise<void> {
    if (this.#state.name === "running") {
      await this.#dispatch({ type: "refreshRequested" });
    } else if (this.#state.name === "failed") {
      await this.reconnect("refresh");
    }
  }

  async #enqueue(task: () => Promise<void>): Promise<void> {
    // A server that has not answered so far would be waited for.
    const starting = this.#client;
    if (starting !== undefined && !starting.isRunning()) {
      this.#client = undefined;
      starting.kill();
    }
    return this.#enqueueQuietly(task);
  }

  async #enqueueQuietly(task: () => Promise<void>): Promise<void> {
    // A task that fails is its caller's to hear of; those behind it run all the same.
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #start(cause: string): Promise<void> {
    this.#enter({ name: "starting" }, cause);
    const { name } = this.#folder;
    const { launch } = await this.#decide();
    if (!launch.ready) {
      await this.#fail(launch.problem);
      return;
    }
    this.#command = launch.command;
    this.#python = launch.python;
    this.#staticOnly = launch.staticOnly;
    const client = this.#connect(launch);
    this.#client = client;
    // A server that ends before it has answered makes `start` return or reject, with whatever it was
    // that met the closed pipe first. What the server said is in the log, and so is the rejection.
    const deadline = setTimeout(() => {
      this.#views.log.error(`${name}: no answer in ${START_DEADLINE_MS / 1000} s`);
      client.kill();
    }, START_DEADLINE_MS);
    await client.start().catch(() => undefined);
    clearTimeout(deadline);
    if (client === this.#client && !client.isRunning()) {
      await this.#fail(serverFailed(name, "it could not be started, the log says why."));
    }
  }

  /** What to start; `isNew` where it is not the interpreter that was decided on before, or none. */
  async #decide(): Promise<{ launch: Launch; isNew: boolean }> {
    const launch = await this.#prepare();
    const wanted = launch.ready ? launch.python : undefined;
    const isNew = wanted === undefined || wanted !== this.#wanted;
    this.#wanted = wanted;
    return { launch, isNew };
  }

  async #prepare(): Promise<Launch> {
    const { name, uri } = this.#folder;
    const { isTrusted: trusted } = vscode.workspace;
    const selected = trusted ? await this.#views.selectedInterpreter(uri) : undefined;
    const staticFor = this.#views.staticFor();
    const place = { folder: uri.fsPath, name, trusted, selected, staticFor };
    return prepareLaunch(readSettings(this.#folder), place);
  }

  /** Connects to the right server where another interpreter is selected now; else nothing happens. */
  async selectionChanged(): Promise<void> {
    return this.#enqueueQuietly(async () => {
      const launch = await this.#prepare();
      const python = launch.ready ? launch.python : undefined;
      if (python !== undefined && python !== this.#python) {
        await this.#stop(`${python} is selected`);
        await this.#start(`${python} is selected`);
      }
    });
  }

  async #stop(cause: string): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) {
      return;
    }
    await this.#dispatch({ type: "disconnected" });
    this.#enter({ name: "stopped" }, cause);
    await endClient(client);
  }

  async #stopServer(cause: string): Promise<void> {
    const command = this.#command;
    await this.#stop(cause);
    if (command !== undefined) {
      await stopServer(command, this.#folder.uri.fsPath).catch((error: unknown) => {
        this.#views.log.error(`${this.#folder.name}: stopping the server:`, error);
      });
    }
  }

  #connect(launch: Launch & { ready: true }): ServerClient {
    const { name } = this.#folder;
    const { command, staticOnly } = launch;
    const gaveUp = (reason: string): void => {
      if (client === this.#client) {
        void this.#fail(serverFailed(name, reason));
      }
    };
    const client = new ServerClient(this.#folder, command, staticOnly, this.#views.log, gaveUp);
    client.onDidChangeState(({ newState }) => {
      if (client === this.#client) {
        void this.#connectionChanged(client, newState, launch.command.program);
      }
    });
    client.whenTold("fastcollect/testsChanged", (change) => {
      if (client === this.#client) {
        void this.#dispatch({ type: "changed", change });
      }
    });
    client.whenTold("fastcollect/status", (status) => {
      if (client === this.#client) {
        this.#enter(this.#running(status), "told");
      }
    });
    client.whenTold("fastcollect/runStarted", (started) => {
      if (client === this.#client) {
        this.#views.runs.started(started);
      }
    });
    client.whenTold("fastcollect/runProgress", (progress) => {
      if (client === this.#client) {
        void this.#views.runs.progress(client, progress);
      }
    });
    client.whenTold("fastcollect/outdated", ({ uris }) => {
      if (client === this.#client) {
        this.#views.tests.outdate(uris);
      }
    });
    return client;
  }

  /** Also after the client has started a server that stopped again by itself. */
  async #connectionChanged(client: ServerClient, state: State, program: string): Promise<void> {
    if (state === State.Stopped) {
      await this.#dispatch({ type: "disconnected" });
    } else if (state === State.Starting) {
      this.#enter({ name: "starting" }, "connecting");
    } else if (client.announcedVersion !== PROTOCOL_VERSION) {
      await this.#fail(serverIncompatible(program, client.announcedVersion, PROTOCOL_VERSION));
    } else {
      this.#enter({ name: "running" }, "connected");
      this.#views.runs.connected(client);
      await Promise.all([this.#askStatus(client), this.#dispatch({ type: "connected" })]);
    }
  }

  async #askStatus(client: ServerClient): Promise<void> {
    try {
      const status = await client.ask("fastcollect/status", undefined);
      if (client === this.#client && this.#state.name === "running") {
        this.#enter(this.#running(status), "asked");
      }
    } catch (error) {
      this.#views.log.warn(`${this.#folder.name}: fastcollect/status:`, error);
    }
  }

  async #dispatch(event: SyncEvent): Promise<void> {
    if (event.type === "disconnected" || event.type === "abandoned") {
      this.#views.runs.disconnected();
    }
    const [state, effects] = step(this.#sync, event);
    this.#sync = state;
    for (const effect of effects) {
      await this.#perform(effect);
    }
  }

  async #perform(effect: SyncEffect): Promise<void> {
    const { log, tests, runs } = this.#views;
    const { name } = this.#folder;
    if (effect.type === "show") {
      log.debug(`${name}: ${effect.changes.length} changes of the tree`);
      tests.apply(effect.changes);
      runs.treeChanged();
      return;
    }
    const client = this.#client;
    if (client === undefined) {
      return;
    }
    log.debug(`${name}: asking for all tests: ${effect.because}`);
    try {
      const result = await client.ask("fastcollect/discoverTests", {});
      if (client === this.#client) {
        await this.#dispatch({ type: "discovered", result });
        tests.known();
      }
    } catch (error) {
      log.error(`${name}: fastcollect/discoverTests:`, error);
      if (client === this.#client) {
        await this.#dispatch({ type: "discoveryFailed" });
        tests.known();
      }
    }
  }

  async #fail(problem: Problem): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#enter({ name: "failed", problem }, problem.message);
    this.#views.notify(problem);
    await this.#dispatch({ type: "abandoned" });
    if (client !== undefined) {
      await endClient(client);
    }
  }

  #running(status: Status): ClientState {
    return { name: "running", status, staticOnly: this.#staticOnly };
  }

  #enter(state: ClientState, cause: string): void {
    const from = this.#state.name;
    this.#state = state;
    this.#views.status.show(state);
    this.#views.tests.describeFolder(
      state.name === "starting",
      state.name === "failed" ? state.problem.message : undefined,
    );
    if (from !== state.name) {
      const now = performance.now();
      const spent = Math.round(now - this.#since);
      this.#views.log.info(
        `${this.#folder.name}: ${from} -> ${state.name} after ${spent} ms: ${cause}`,
      );
      this.#since = now;
    }
  }
}

/** Says goodbye to a running server; one that is not running has its process ended. */
async function endClient(client: ServerClient): Promise<void> {
  await client.dispose().catch(() => {
    client.kill();
  });
}
