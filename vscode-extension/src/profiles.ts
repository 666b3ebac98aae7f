/** The buttons of the Test Explorer: Run, Debug, Coverage, and the profiles that the settings name. */

import * as vscode from "vscode";
import { loadCoverage } from "./coverage";
import { PROFILES } from "./settings";
import type { RunKind } from "./wire";

const KINDS = {
  run: vscode.TestRunProfileKind.Run,
  debug: vscode.TestRunProfileKind.Debug,
  coverage: vscode.TestRunProfileKind.Coverage,
} satisfies Record<RunKind, vscode.TestRunProfileKind>;

const TITLES: Record<RunKind, string> = { run: "Run", debug: "Debug", coverage: "Coverage" };

/** Called with the name of the profile, if it is one that the settings name. */
export type RunHandler = (
  kind: RunKind,
  name: string | undefined,
  request: vscode.TestRunRequest,
  token: vscode.CancellationToken,
) => Promise<void>;

/** Keeps the profiles of a controller as the settings say. */
export class Profiles implements vscode.Disposable {
  readonly #controller: vscode.TestController;
  readonly #handler: RunHandler;
  readonly #standard = new Map<RunKind, vscode.TestRunProfile>();
  readonly #named = new Map<string, vscode.TestRunProfile[]>();

  constructor(controller: vscode.TestController, handler: RunHandler) {
    this.#controller = controller;
    this.#handler = handler;
    for (const kind of ["run", "debug", "coverage"] as const) {
      this.#standard.set(kind, this.#create(kind, undefined));
    }
  }

  /** The profile of a kind that is there without any setting. */
  standard(kind: RunKind): vscode.TestRunProfile | undefined {
    return this.#standard.get(kind);
  }

  /** Has one profile of each kind for each of these names, and no others. */
  name(names: ReadonlySet<string>): void {
    for (const [name, profiles] of this.#named) {
      if (!names.has(name)) {
        vscode.Disposable.from(...profiles).dispose();
        this.#named.delete(name);
      }
    }
    for (const name of names) {
      if (!this.#named.has(name)) {
        const kinds = ["run", "debug", "coverage"] as const;
        this.#named.set(
          name,
          kinds.map((kind) => this.#create(kind, name)),
        );
      }
    }
  }

  dispose(): void {
    this.name(new Set());
    vscode.Disposable.from(...this.#standard.values()).dispose();
  }

  #create(kind: RunKind, name: string | undefined): vscode.TestRunProfile {
    const profile = this.#controller.createRunProfile(
      name ?? TITLES[kind],
      KINDS[kind],
      async (request, token) => this.#handler(kind, name, request, token),
      name === undefined,
      undefined,
      kind !== "debug", // a debugger that stops at each change is of no use
    );
    profile.configureHandler = () => {
      void vscode.commands.executeCommand("workbench.action.openSettings", PROFILES);
    };
    if (kind === "coverage") {
      profile.loadDetailedCoverage = async (_run, file) => loadCoverage(file);
      profile.loadDetailedCoverageForTest = async (_run, file, test) => loadCoverage(file, test);
    }
    return profile;
  }
}
