/** Installing packages, where the user sees it. */

import * as vscode from "vscode";
import { installCommand } from "./environment";

/** Runs pip of an environment in a terminal that is shown. */
export function installInTerminal(python: string, packages: string): void {
  const terminal = vscode.window.createTerminal({ name: `Install ${packages}` });
  terminal.show();
  terminal.sendText(installCommand(python, packages));
}
