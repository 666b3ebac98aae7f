/** The language status item of one folder, shown beside `{}` while one of its Python files is open. */

import * as vscode from "vscode";
import type { ClientState } from "./presentation";
import { present } from "./presentation";
import { everythingIn } from "./project";

export const SHOW_LOGS = "fastcollect.showLogs";
export const RESTART_SERVER = "fastcollect.restartServer";

const SEVERITIES = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};

/** Shows states as they come. */
export class StatusItem implements vscode.Disposable {
  readonly #item: vscode.LanguageStatusItem;

  constructor(folder: vscode.WorkspaceFolder) {
    this.#item = vscode.languages.createLanguageStatusItem(
      `fastcollect.status ${folder.uri.toString()}`,
      { scheme: "file", language: "python", pattern: everythingIn(folder.uri.fsPath) },
    );
    this.#item.name = "pytest-fastcollect";
    this.#item.command = { command: SHOW_LOGS, title: "Show logs" };
  }

  /** Replaces what is shown. */
  show(state: ClientState): void {
    const { text, detail, severity, busy } = present(state);
    this.#item.text = text;
    this.#item.detail = detail;
    this.#item.severity = SEVERITIES[severity];
    this.#item.busy = busy;
  }

  dispose(): void {
    this.#item.dispose();
  }
}
