/** Installing packages, where the user sees it. */

import * as vscode from "vscode";
import { installCommand } from "./environment";

/**
 * Runs pip of an environment in a terminal that is shown.
 *
 * @param whenDone called when the command has ended well, where the shell tells VS Code of it
 */
export function installInTerminal(python: string, packages: string, whenDone?: () => void): void {
  const terminal = vscode.window.createTerminal({ name: `Install ${packages}` });
  const command = installCommand(python, packages);
  terminal.show();
  terminal.sendText(command);
  const listener = vscode.window.onDidEndTerminalShellExecution((event) => {
    if (event.terminal === terminal) {
      listener.dispose();
      if (event.exitCode === 0) {
        whenDone?.();
      }
    }
  });
}
