/** A run that the server could not begin: what it says, and what can be done about it. */

import * as vscode from "vscode";
import { missingPackages } from "./failure";
import { installInTerminal } from "./install";

/** Shows the reason; returns when the user has answered it or closed it. */
export async function refused(reason: string, python: string | undefined): Promise<void> {
  const packages = missingPackages(reason);
  if (packages === undefined || python === undefined) {
    await vscode.window.showErrorMessage(`pytest-fastcollect: ${reason}`);
    return;
  }
  const install = `Install ${packages}`;
  if (
    (await vscode.window.showErrorMessage(`pytest-fastcollect: ${reason}`, install)) === install
  ) {
    installInTerminal(python, packages);
  }
}
