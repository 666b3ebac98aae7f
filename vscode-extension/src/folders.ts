/** One client per workspace folder that is a Python project; folders come and go. */

import path from "node:path";
import * as vscode from "vscode";
import { describeAll } from "./description";
import { FolderClient } from "./folderClient";
import { FolderRuns } from "./folderRuns";
import { notify } from "./notification";
import { FOREIGN_GLOB, marksProject, PROJECT_GLOBS } from "./project";
import { Profiles } from "./profiles";
import { PythonExtensions } from "./pythonExtensions";
import { refused } from "./refusal";
import { offerToTurnOff } from "./rivals";
import { INTERPRETER, PROFILES, readSettings } from "./settings";
import { StatusItem } from "./statusItem";
import type { FolderTests } from "./testController";
import { TestExplorer } from "./testController";
import type { RunKind } from "./wire";

/** Kept for the workspace, by folder: the interpreter for which tests are only to be listed. */
const STATIC_ONLY = "fastcollect.staticOnly";

interface Project {
  readonly folder: vscode.WorkspaceFolder;
  readonly client: FolderClient;
  readonly tests: FolderTests;
  readonly runs: FolderRuns;
  readonly status: StatusItem;
}

/** Owns the clients of all folders. */
export class Folders {
  readonly #log: vscode.LogOutputChannel;
  readonly #explorer: TestExplorer;
  readonly #profiles: Profiles;
  readonly #projects = new Map<string, Project>();
  readonly #listeners: vscode.Disposable;

  readonly #version: string;
  readonly #memory: vscode.Memento;
  readonly #pythons: PythonExtensions;

  /**
   * @param version the extension's
   * @param memory what is kept for the workspace
   */
  constructor(log: vscode.LogOutputChannel, version: string, memory: vscode.Memento) {
    this.#log = log;
    this.#memory = memory;
    this.#pythons = new PythonExtensions(log);
    this.#version = version;
    this.#explorer = new TestExplorer(async () => {
      await this.#each(async ({ client }) => client.refresh());
    });
    this.#profiles = new Profiles(this.#explorer.controller, async (kind, name, request, token) =>
      this.#run(kind, name, request, token),
    );
    this.#listeners = vscode.Disposable.from(
      vscode.workspace.onDidChangeWorkspaceFolders(async ({ added, removed }) => {
        await Promise.all([
          ...removed.map(async (folder) => this.#close(folder)),
          ...added.map(async (folder) => this.#openIfProject(folder)),
        ]);
      }),
      vscode.workspace.onDidChangeConfiguration(async (event) => {
        if (event.affectsConfiguration(PROFILES)) {
          this.#nameProfiles();
        }
        await this.#each(async ({ folder, client }) => {
          if (event.affectsConfiguration(INTERPRETER, folder.uri)) {
            await client.reconsider(`${INTERPRETER} changed`);
          }
        });
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(async () => {
        await this.#each(async ({ client }) => client.reconnect("the workspace is trusted"));
      }),
      this.#pythons,
      this.#pythons.onDidChange(async () => {
        await this.#each(async ({ client }) => client.selectionChanged());
      }),
      // A folder may become a project later.
      vscode.workspace.onDidOpenTextDocument(async ({ uri }) => this.#consider(uri)),
      vscode.workspace.onDidSaveTextDocument(async ({ uri }) => this.#consider(uri)),
    );
  }

  /** Opens the folders that are there. */
  async open(): Promise<void> {
    const folders = vscode.workspace.workspaceFolders ?? [];
    await Promise.all(folders.map(async (folder) => this.#openIfProject(folder)));
  }

  /** Restarts all servers. */
  async restart(): Promise<void> {
    await this.#each(async ({ client }) => client.restartServer("asked for"));
  }

  /** Ends all servers, also for others, until a restart is asked for. */
  async stop(): Promise<void> {
    await this.#each(async ({ client }) => client.stopServer("asked for"));
  }

  /** What is to be said of everything, in Markdown. */
  describe(): string {
    const versions = {
      extension: this.#version,
      "VS Code": vscode.version,
      platform: `${process.platform} ${process.arch}`,
      trusted: String(vscode.workspace.isTrusted),
    };
    const states = [...this.#projects.values()].map(({ folder, client }) => ({
      name: folder.name,
      state: client.state,
      python: client.python,
    }));
    return describeAll(versions, states);
  }

  /** Disconnects from all servers; the folders are of no use afterwards. */
  async close(): Promise<void> {
    this.#listeners.dispose();
    await this.#each(async ({ folder }) => this.#close(folder));
    this.#profiles.dispose();
    this.#explorer.dispose();
  }

  async #openIfProject(folder: vscode.WorkspaceFolder): Promise<void> {
    const [mark] = await vscode.workspace.findFiles(
      new vscode.RelativePattern(folder, `{${PROJECT_GLOBS.join(",")}}`),
      new vscode.RelativePattern(folder, FOREIGN_GLOB),
      1,
    );
    if (mark === undefined) {
      this.#log.info(`${folder.name}: not a Python project`);
    } else if (vscode.workspace.getWorkspaceFolder(folder.uri) !== undefined) {
      // Else it was closed during the search.
      await this.#openFolder(folder, `found ${vscode.workspace.asRelativePath(mark, false)}`);
    }
  }

  async #consider(file: vscode.Uri): Promise<void> {
    const folder = vscode.workspace.getWorkspaceFolder(file);
    if (folder !== undefined && marksProject(path.basename(file.fsPath))) {
      await this.#openFolder(folder, `opened ${vscode.workspace.asRelativePath(file, false)}`);
    }
  }

  async #openFolder(folder: vscode.WorkspaceFolder, cause: string): Promise<void> {
    const key = folder.uri.toString();
    if (folder.uri.scheme !== "file" || this.#projects.has(key)) {
      return;
    }
    const status = new StatusItem(folder);
    const staticKey = `${STATIC_ONLY} ${key}`;
    const tests = this.#explorer.addFolder(folder);
    const runs = new FolderRuns({
      folder,
      controller: this.#explorer.controller,
      tests,
      log: this.#log,
      whenStarted: async () => client.settled(),
      refused: (reason) => void refused(reason, client.python),
      profile: (kind) => this.#profiles.standard(kind),
    });
    const client: FolderClient = new FolderClient(folder, {
      tests,
      runs,
      status,
      log: this.#log,
      notify: (problem) =>
        void notify(problem, async (python) => {
          await this.#memory.update(staticKey, python);
          await client.reconnect("static only");
        }),
      staticFor: () => this.#memory.get<string>(staticKey),
      selectedInterpreter: async (uri) => this.#pythons.interpreter(uri),
    });
    this.#projects.set(key, { folder, client, tests, runs, status });
    this.#nameProfiles();
    void offerToTurnOff(folder, this.#memory);
    await client.start(cause);
  }

  /** A request of the Test Explorer: of each folder what is selected there. */
  async #run(
    kind: RunKind,
    name: string | undefined,
    request: vscode.TestRunRequest,
    token: vscode.CancellationToken,
  ): Promise<void> {
    await this.#each(async ({ folder, tests, runs }) => {
      const include = request.include === undefined ? "all" : tests.selected(request.include);
      const exclude = tests.selected(request.exclude ?? []);
      if (include.length === 0 || exclude === "all") {
        return;
      }
      const { args, profiles } = readSettings(folder);
      const wanted = {
        request,
        kind,
        exclude,
        args: [...args, ...(name === undefined ? [] : (profiles[name] ?? []))],
        ...(include === "all" ? {} : { include }),
      };
      await runs.run(wanted, token);
    });
  }

  #nameProfiles(): void {
    const names = [...this.#projects.values()].flatMap(({ folder }) =>
      Object.keys(readSettings(folder).profiles),
    );
    this.#profiles.name(new Set(names));
  }

  async #close(folder: vscode.WorkspaceFolder): Promise<void> {
    const key = folder.uri.toString();
    const project = this.#projects.get(key);
    if (project === undefined) {
      return;
    }
    this.#projects.delete(key);
    this.#explorer.removeFolder(folder);
    await project.client.stop("folder closed");
    project.status.dispose();
  }

  async #each(action: (project: Project) => Promise<void>): Promise<void> {
    await Promise.all([...this.#projects.values()].map(action));
  }
}
