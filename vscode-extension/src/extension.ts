/** Entry points of the extension. */

import * as vscode from "vscode";
import { Folders } from "./folders";
import { RESTART_SERVER, SHOW_LOGS } from "./statusItem";

let folders: Folders | undefined;

/** Called by VS Code once one of the activation events in package.json has happened. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("pytest-fastcollect", { log: true });
  const opened = new Folders(log);
  folders = opened;
  context.subscriptions.push(
    log,
    vscode.commands.registerCommand(SHOW_LOGS, () => {
      log.show();
    }),
    vscode.commands.registerCommand(RESTART_SERVER, async () => opened.restart()),
  );
  await opened.open();
}

/** Called by VS Code when the window closes or the extension is disabled; it waits a few seconds. */
export async function deactivate(): Promise<void> {
  await folders?.close();
  folders = undefined;
}
