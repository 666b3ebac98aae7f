/** The extension's settings. */

import * as vscode from "vscode";

export const SECTION = "fastcollect";
export const INTERPRETER = `${SECTION}.interpreter`;

export interface Settings {
  /**
   * As the user wrote it, without space around it; empty where not set. VS Code hands out whatever
   * the file holds, so it may be no string at all.
   */
  readonly interpreter: unknown;
}

/** The settings that hold for a folder. */
export function readSettings(folder: vscode.WorkspaceFolder): Settings {
  const interpreter = vscode.workspace
    .getConfiguration(SECTION, folder.uri)
    .get<unknown>("interpreter", "");
  return { interpreter: typeof interpreter === "string" ? interpreter.trim() : interpreter };
}
