/** One client per workspace folder that is a Python project; folders come and go. */

import path from "node:path";
import * as vscode from "vscode";
import { FolderClient } from "./folderClient";
import { notify } from "./notification";
import { FOREIGN_GLOB, marksProject, PROJECT_GLOBS } from "./project";
import { INTERPRETER } from "./settings";
import { StatusItem } from "./statusItem";
import { TestExplorer } from "./testController";

interface Project {
  readonly folder: vscode.WorkspaceFolder;
  readonly client: FolderClient;
  readonly status: StatusItem;
}

/** Owns the clients of all folders. */
export class Folders {
  readonly #log: vscode.LogOutputChannel;
  readonly #explorer: TestExplorer;
  readonly #projects = new Map<string, Project>();
  readonly #listeners: vscode.Disposable;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
    this.#explorer = new TestExplorer(async () => {
      await this.#each(async ({ client }) => client.refresh());
    });
    this.#listeners = vscode.Disposable.from(
      vscode.workspace.onDidChangeWorkspaceFolders(async ({ added, removed }) => {
        await Promise.all([
          ...removed.map(async (folder) => this.#close(folder)),
          ...added.map(async (folder) => this.#openIfProject(folder)),
        ]);
      }),
      vscode.workspace.onDidChangeConfiguration(async (event) => {
        await this.#each(async ({ folder, client }) => {
          if (event.affectsConfiguration(INTERPRETER, folder.uri)) {
            await client.reconnect(`${INTERPRETER} changed`);
          }
        });
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

  /** Disconnects from all servers; the folders are of no use afterwards. */
  async close(): Promise<void> {
    this.#listeners.dispose();
    await this.#each(async ({ folder }) => this.#close(folder));
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
    const client = new FolderClient(folder, {
      tests: this.#explorer.addFolder(folder),
      status,
      log: this.#log,
      notify: (problem) => void notify(problem),
    });
    this.#projects.set(key, { folder, client, status });
    await client.start(cause);
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
