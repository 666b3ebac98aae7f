/** Tells the user about a problem, once, with what can be done about it. */

import * as vscode from "vscode";
import { PACKAGE } from "./environment";
import { installInTerminal } from "./install";
import type { Problem, Remedy } from "./problem";
import { INTERPRETER } from "./settings";
import { RESTART_SERVER, SHOW_LOGS } from "./statusItem";

const TITLES: Record<Remedy["kind"], string> = {
  copyCommand: "Copy command",
  install: "Install",
  manageTrust: "Manage workspace trust",
  openSettings: "Open settings",
  restart: "Restart server",
  showLogs: "Show logs",
  staticOnly: "Static only",
};

/**
 * Shows a notification; returns when the user has answered it or closed it.
 *
 * @param listOnly called where tests are only to be listed as long as an interpreter has no server
 */
export async function notify(
  problem: Problem,
  listOnly: (python: string) => Promise<void>,
): Promise<void> {
  const buttons = problem.remedies.map((remedy) => ({ title: TITLES[remedy.kind], remedy }));
  const answer = await vscode.window.showErrorMessage(problem.message, ...buttons);
  if (answer?.remedy.kind === "staticOnly") {
    await listOnly(answer.remedy.python);
  } else if (answer !== undefined) {
    await apply(answer.remedy);
  }
}

async function apply(remedy: Exclude<Remedy, { kind: "staticOnly" }>): Promise<void> {
  switch (remedy.kind) {
    case "copyCommand":
      await vscode.env.clipboard.writeText(remedy.command);
      break;
    case "install":
      installInTerminal(remedy.python, PACKAGE, () => {
        void vscode.commands.executeCommand(RESTART_SERVER);
      });
      break;
    case "manageTrust":
      await vscode.commands.executeCommand("workbench.trust.manage");
      break;
    case "openSettings":
      await vscode.commands.executeCommand("workbench.action.openSettings", INTERPRETER);
      break;
    case "restart":
      await vscode.commands.executeCommand(RESTART_SERVER);
      break;
    case "showLogs":
      await vscode.commands.executeCommand(SHOW_LOGS);
      break;
  }
}
