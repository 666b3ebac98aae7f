/** The Python extension's own pytest support: with both, each test is shown twice. */

import * as vscode from "vscode";

const ENABLED = "python.testing.pytestEnabled";
const ASKED = "fastcollect.askedAboutPytestEnabled";

/** Offers once per workspace to turn it off for a folder where it is on. */
export async function offerToTurnOff(
  folder: vscode.WorkspaceFolder,
  memory: vscode.Memento,
): Promise<void> {
  const key = `${ASKED} ${folder.uri.toString()}`;
  const configuration = vscode.workspace.getConfiguration(undefined, folder.uri);
  if (configuration.get<unknown>(ENABLED) !== true || memory.get<boolean>(key) === true) {
    return;
  }
  await memory.update(key, true);
  const turnOff = "Turn off for this folder";
  const answer = await vscode.window.showInformationMessage(
    `The tests of "${folder.name}" are also shown by the Python extension (${ENABLED}): each is there twice.`,
    turnOff,
    "Keep both",
  );
  if (answer === turnOff) {
    await configuration.update(ENABLED, false, vscode.ConfigurationTarget.WorkspaceFolder);
  }
}
