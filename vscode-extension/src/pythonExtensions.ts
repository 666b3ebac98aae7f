/**
 * The interpreter that is selected in another extension: *Python Environments*, else *Python*. Neither
 * has to be there; of their interfaces only what is used here is described.
 */

import * as vscode from "vscode";

interface EnvironmentsApi {
  getEnvironment(scope: vscode.Uri): Promise<Environment | undefined>;
  onDidChangeEnvironment: vscode.Event<unknown>;
}

interface Environment {
  readonly execInfo?: { readonly run?: { readonly executable?: string } };
}

interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: { readonly path: string }): Promise<Resolved | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

interface Resolved {
  readonly executable: { readonly uri?: vscode.Uri };
}

const ENVIRONMENTS = "ms-python.vscode-python-envs";
const PYTHON = "ms-python.python";

export class PythonExtensions implements vscode.Disposable {
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #listeners: vscode.Disposable[] = [];
  readonly #heard = new Set<string>();

  /** Another interpreter may be selected now, or there is another extension to ask. */
  readonly onDidChange = this.#changed.event;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
    this.#listeners.push(
      vscode.extensions.onDidChange(() => {
        this.#changed.fire();
      }),
    );
  }

  /** What is selected for a folder, absolute; nothing where neither extension says. */
  async interpreter(folder: vscode.Uri): Promise<string | undefined> {
    return (
      (await this.#ask(ENVIRONMENTS, async (exported) => {
        const api = exported as EnvironmentsApi;
        this.#hear(ENVIRONMENTS, api.onDidChangeEnvironment);
        return (await api.getEnvironment(folder))?.execInfo?.run?.executable;
      })) ??
      (await this.#ask(PYTHON, async (exported) => {
        const { environments } = exported as PythonApi;
        this.#hear(PYTHON, environments.onDidChangeActiveEnvironmentPath);
        const active = environments.getActiveEnvironmentPath(folder);
        return (await environments.resolveEnvironment(active))?.executable.uri?.fsPath;
      }))
    );
  }

  dispose(): void {
    vscode.Disposable.from(...this.#listeners).dispose();
    this.#changed.dispose();
  }

  /** Another extension's trouble is not ours: the next one is asked. */
  async #ask(
    id: string,
    question: (api: unknown) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    try {
      const api: unknown = await vscode.extensions.getExtension<unknown>(id)?.activate();
      return api === undefined ? undefined : await question(api);
    } catch (error) {
      this.#log.warn(`${id}:`, error);
      return undefined;
    }
  }

  #hear(id: string, event: vscode.Event<unknown>): void {
    if (!this.#heard.has(id)) {
      this.#heard.add(id);
      this.#listeners.push(
        event(() => {
          this.#changed.fire();
        }),
      );
    }
  }
}
