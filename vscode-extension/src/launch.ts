/** From a folder's settings to the command that starts its language server, or the reason why not. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ServerCommand } from "./environment";
import { commandOnSearchPath, MODULE_PROBE, serverCommand } from "./environment";
import { findInterpreter } from "./interpreter";
import { thisMachine } from "./machine";
import type { Problem } from "./problem";
import {
  badInterpreterSetting,
  noInterpreter,
  NOT_INSTALLED,
  nothingToList,
  notTrusted,
  serverFailed,
  serverMissing,
} from "./problem";
import type { Settings } from "./settings";

const execute = promisify(execFile);

export type Launch =
  | {
      readonly ready: true;
      readonly python: string;
      readonly command: ServerCommand;
      /** Nothing of the project is to be imported. */
      readonly staticOnly: boolean;
    }
  | { readonly ready: false; readonly problem: Problem };

/** The folder of which a server is wanted. */
export interface Place {
  /** Absolute. */
  readonly folder: string;
  /** What it is called in the editor. */
  readonly name: string;
  readonly trusted: boolean;
  /** The interpreter selected in another extension, absolute. */
  readonly selected: string | undefined;
  /** The interpreter for which, as long as the server is missing there, tests are to be listed only. */
  readonly staticFor: string | undefined;
}

/** Decides what to start. */
export async function prepareLaunch(settings: Settings, place: Place): Promise<Launch> {
  const { folder, name, trusted, selected } = place;
  if (typeof settings.interpreter !== "string") {
    return { ready: false, problem: badInterpreterSetting(settings.interpreter) };
  }
  const machine = thisMachine();
  const interpreter = findInterpreter(
    { setting: settings.interpreter, selected, folder, trusted },
    machine,
  );
  if (!interpreter.found) {
    const problem =
      interpreter.because === "setting"
        ? badInterpreterSetting(interpreter.value)
        : interpreter.because === "untrusted"
          ? notTrusted(name)
          : noInterpreter(name);
    return { ready: false, problem };
  }
  const { python } = interpreter;
  const command = serverCommand(python, machine);
  if (!command.installed && !trusted) {
    // `python -m` would take modules from the folder.
    return { ready: false, problem: notTrusted(name) };
  }
  if (!command.installed) {
    const problem = await lookForModule(python, folder, name);
    const other = commandOnSearchPath(folder, machine);
    if (problem?.summary === NOT_INSTALLED && python === place.staticFor) {
      return other === undefined
        ? { ready: false, problem: nothingToList(python) }
        : { ready: true, python, command: other, staticOnly: true };
    }
    if (problem !== undefined) {
      return { ready: false, problem };
    }
  }
  return { ready: true, python, command, staticOnly: !trusted };
}

/**
 * Ends the server that clients of this command connect to; without one, nothing happens. Rejects with
 * what the command says where it fails.
 */
export async function stopServer({ program, args }: ServerCommand, folder: string): Promise<void> {
  await execute(program, [...args, "stop"], { cwd: folder });
}

/** Asks the interpreter whether it has the server's module; what stands in the way if it has not. */
async function lookForModule(
  python: string,
  folder: string,
  name: string,
): Promise<Problem | undefined> {
  return new Promise((resolve) => {
    execFile(python, ["-c", MODULE_PROBE], { cwd: folder }, (error, _stdout, stderr) => {
      if (error === null) {
        resolve(undefined);
      } else if (error.code === 1 && stderr === "") {
        resolve(serverMissing(python));
      } else {
        // Such as a file that is executable and no Python.
        resolve(serverFailed(name, `${python}: ${stderr.trim() || error.message}`));
      }
    });
  });
}
