/** The connection with one language server. */

import * as vscode from "vscode";
import type {
  ClientCapabilities,
  DynamicFeature,
  LanguageClientOptions,
  StaticFeature,
} from "vscode-languageclient/node";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import type { ServerCommand } from "./environment";
import { everythingIn } from "./project";
import { RestartBudget } from "./restarts";
import { ServerProcess } from "./serverProcess";
import { SECTION } from "./settings";
import type { ClientRequests, ServerNotifications } from "./wire";
import { PROTOCOL_VERSION } from "./wire";

const NAME = "pytest-fastcollect";

/**
 * What the Test Explorer has itself: buttons beside the code. The commands that belong to them would also be
 * registered once for each folder, which VS Code refuses.
 */
const LEFT_OUT: readonly string[] = [
  "textDocument/codeAction",
  "textDocument/codeLens",
  "workspace/executeCommand",
];

/** A language client that knows our protocol's methods by their types. */
export class ServerClient extends LanguageClient {
  readonly #log: vscode.LogOutputChannel;
  readonly #process: ServerProcess;

  /**
   * @param staticOnly nothing of the project is to be imported
   * @param onGaveUp called when the server has stopped so often that it is not started again
   */
  constructor(
    folder: vscode.WorkspaceFolder,
    command: ServerCommand,
    staticOnly: boolean,
    log: vscode.LogOutputChannel,
    onGaveUp: (reason: string) => void,
  ) {
    const server = new ServerProcess(command, folder.uri.fsPath, log);
    let hasRun = false;
    const restarts = new RestartBudget(() => performance.now());
    const options: LanguageClientOptions = {
      documentSelector: [
        { scheme: "file", language: "python", pattern: everythingIn(folder.uri.fsPath) },
      ],
      workspaceFolder: folder,
      outputChannel: log,
      traceOutputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: {
        staticOnly,
        failures: false, // as diagnostics: they are in the Test Explorer
      },
      initializationFailedHandler: () => false, // `start` rejects, which is answered there
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue }),
        closed: () => {
          if (!hasRun || server.killed) {
            return { action: CloseAction.DoNotRestart, handled: true };
          }
          if (restarts.spend()) {
            return { action: CloseAction.Restart, handled: true };
          }
          onGaveUp(restarts.exhausted);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
    super(SECTION, NAME, async () => server.start(), options);
    this.#process = server;
    this.onDidChangeState(({ newState }) => {
      hasRun ||= newState === State.Running;
    });
    this.registerFeature(announcement);
    this.#log = log;
  }

  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    if (!("registrationType" in feature && LEFT_OUT.includes(feature.registrationType.method))) {
      super.registerFeature(feature);
    }
  }

  /** Sends one of our requests; rejects when the server answers with an error or the connection ends. */
  async ask<M extends keyof ClientRequests>(
    method: M,
    params: ClientRequests[M]["params"],
  ): Promise<ClientRequests[M]["result"]> {
    return params === undefined
      ? this.sendRequest<ClientRequests[M]["result"]>(method)
      : this.sendRequest<ClientRequests[M]["result"]>(method, params);
  }

  /** Calls back for each of our notifications of one method, over restarts too. */
  whenTold<M extends keyof ServerNotifications>(
    method: M,
    listener: (params: ServerNotifications[M]["params"]) => void,
  ): vscode.Disposable {
    return this.onNotification(method, listener);
  }

  /** The version of our protocol that the server announced; of no use before it is running. */
  get announcedVersion(): unknown {
    const experimental: unknown = this.initializeResult?.capabilities.experimental;
    return property(property(experimental, SECTION), "version");
  }

  /**
   * Ends the process without a word, of which `start` comes to its end too. For a server that does not
   * answer: the client itself stops none but those that are running.
   */
  kill(): void {
    this.#process.kill();
  }

  // What the client and the server's `window/logMessage` have to say goes to the log, at its level.
  // Nothing of it is shown as a notification: problems are, once and in our words (`notification.ts`).

  override error(message: string, data?: unknown): void {
    this.#log.error(message, ...details(data));
  }

  override warn(message: string, data?: unknown): void {
    this.#log.warn(message, ...details(data));
  }

  override info(message: string, data?: unknown): void {
    this.#log.info(message, ...details(data));
  }
}

/** The base class passes `false` where it has none. */
function details(data: unknown): unknown[] {
  return data === undefined || typeof data === "boolean" ? [] : [data];
}

const announcement: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    // The Test Explorer shows how far a run is.
    capabilities.window = { ...capabilities.window, workDoneProgress: false };
    capabilities.experimental = {
      ...(capabilities.experimental as object | undefined),
      [SECTION]: { version: PROTOCOL_VERSION },
    };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

function property(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && key in value
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
