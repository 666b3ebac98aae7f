/** The commands of the palette. */

import * as vscode from "vscode";
import type { Folders } from "./folders";
import { SHOW_LOGS, RESTART_SERVER } from "./statusItem";

/** Registers them. */
export function registerCommands(
  folders: Folders,
  log: vscode.LogOutputChannel,
): vscode.Disposable {
  const handlers: Record<string, () => unknown> = {
    [SHOW_LOGS]: () => {
      log.show();
    },
    [RESTART_SERVER]: async () => folders.restart(),
    "fastcollect.stopServer": async () => folders.stop(),
    "fastcollect.runLast": async () => vscode.commands.executeCommand("testing.reRunLastRun"),
    "fastcollect.runFailed": async () => vscode.commands.executeCommand("testing.reRunFailTests"),
    "fastcollect.cancel": async () => vscode.commands.executeCommand("testing.cancelRun"),
    "fastcollect.showStatus": async () => {
      const document = await vscode.workspace.openTextDocument({
        language: "markdown",
        content: folders.describe(),
      });
      await vscode.window.showTextDocument(document, { preview: true });
    },
    "fastcollect.copyDebugInformation": async () => {
      await vscode.env.clipboard.writeText(folders.describe());
      void vscode.window.showInformationMessage("Copied: paste it into your bug report.");
    },
  };
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([id, handler]) =>
      vscode.commands.registerCommand(id, handler),
    ),
  );
}
