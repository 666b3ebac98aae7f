/** The extension's settings. */

import * as vscode from "vscode";

export const SECTION = "fastcollect";
export const INTERPRETER = `${SECTION}.interpreter`;
export const PROFILES = `${SECTION}.profiles`;
const ARGS = `${SECTION}.args`;
const JUST_MY_CODE = `${SECTION}.debug.justMyCode`;

export interface Settings {
  /**
   * As the user wrote it, without space around it; empty where not set. VS Code hands out whatever
   * the file holds, so it may be no string at all.
   */
  readonly interpreter: unknown;
  /** Further arguments for every run. */
  readonly args: readonly string[];
  /** Arguments by the name of a profile. */
  readonly profiles: Readonly<Record<string, readonly string[]>>;
  readonly justMyCode: boolean;
}

/** The settings that hold for a folder. */
export function readSettings(folder: vscode.WorkspaceFolder): Settings {
  const configuration = vscode.workspace.getConfiguration(undefined, folder.uri);
  const interpreter = configuration.get<unknown>(INTERPRETER, "");
  const profiles = configuration.get<unknown>(PROFILES, {});
  return {
    interpreter: typeof interpreter === "string" ? interpreter.trim() : interpreter,
    args: strings(configuration.get<unknown>(ARGS)),
    profiles: Object.fromEntries(
      Object.entries(typeof profiles === "object" && profiles !== null ? profiles : {}).map(
        ([name, args]) => [name, strings(args)],
      ),
    ),
    justMyCode: configuration.get<unknown>(JUST_MY_CODE) !== false,
  };
}

/** What of a value is a list of strings. */
function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
