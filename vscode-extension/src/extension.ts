/** Entry points of the extension. */

import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { registerDebugging } from "./debugging";
import { Folders } from "./folders";

let folders: Folders | undefined;

/** Called by VS Code once one of the activation events in package.json has happened. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("pytest-fastcollect", { log: true });
  const opened = new Folders(log, extensionVersion(context), context.workspaceState);
  folders = opened;
  context.subscriptions.push(log, registerDebugging(), registerCommands(opened, log));
  await opened.open();
}

/** Called by VS Code when the window closes or the extension is disabled; it waits a few seconds. */
export async function deactivate(): Promise<void> {
  await folders?.close();
  folders = undefined;
}

function extensionVersion({ extension }: vscode.ExtensionContext): string {
  return String((extension.packageJSON as { version: unknown }).version);
}
