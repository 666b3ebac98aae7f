/** Finds the Python interpreter of a workspace folder. Pure: the file system is passed in. */

import type { PlatformPath } from "node:path";
import path from "node:path";

/** What has to be known of the machine. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** The value of `PATH`. */
  readonly searchPath: string;
  /** Whether it is a file that may be executed; links are followed. */
  readonly isExecutable: (file: string) => boolean;
  readonly isDirectory: (folder: string) => boolean;
}

export type Interpreter =
  | { readonly found: true; readonly python: string }
  | { readonly found: false; readonly because: "setting"; readonly value: string }
  | { readonly found: false; readonly because: "none" | "untrusted" };

const ENVIRONMENT_FOLDERS = [".venv", "venv"];

/** What there is to choose from. */
export interface Choice {
  /** The value of `fastcollect.interpreter`, empty where not set. */
  readonly setting: string;
  /** The one selected in another extension, absolute. */
  readonly selected: string | undefined;
  /** The workspace folder, absolute. */
  readonly folder: string;
  /** Else nothing that lies in the folder may be executed. */
  readonly trusted: boolean;
}

/**
 * The interpreter that the setting names, else the one selected elsewhere, else that of `.venv` or `venv` in the folder, else the one
 * on `PATH`. A setting that names nothing usable is an error: nothing else is tried in its place. Of a
 * folder that is not trusted, only the setting (VS Code hands out the user's own then) and `PATH`, and
 * these only where they name something outside of the folder.
 */
export function findInterpreter(choice: Choice, machine: Machine): Interpreter {
  const { setting, selected, folder, trusted } = choice;
  const found = anyInterpreter(setting, trusted ? selected : undefined, folder, trusted, machine);
  return found.found && !trusted && isInside(found.python, folder, machine)
    ? { found: false, because: "untrusted" }
    : found;
}

function anyInterpreter(
  setting: string,
  selected: string | undefined,
  folder: string,
  trusted: boolean,
  machine: Machine,
): Interpreter {
  if (setting !== "") {
    const python = fromSetting(setting, folder, machine);
    return python === undefined
      ? { found: false, because: "setting", value: setting }
      : { found: true, python };
  }
  if (selected !== undefined && machine.isExecutable(selected)) {
    return { found: true, python: selected };
  }
  for (const name of trusted ? ENVIRONMENT_FOLDERS : []) {
    const python = inEnvironment(pathsOf(machine).join(folder, name), machine);
    if (python !== undefined) {
      return { found: true, python };
    }
  }
  // Windows installs no `python3.exe`; elsewhere a bare `python` may still be Python 2.
  const names = machine.platform === "win32" ? ["python"] : ["python3", "python"];
  for (const name of names) {
    const python = onSearchPath(name, machine);
    if (python !== undefined) {
      return { found: true, python };
    }
  }
  return { found: false, because: "none" };
}

/** The path functions of a platform, so that Windows' rules can be checked elsewhere too. */
export function pathsOf(machine: Pick<Machine, "platform">): PlatformPath {
  return machine.platform === "win32" ? path.win32 : path.posix;
}

function fromSetting(setting: string, folder: string, machine: Machine): string | undefined {
  const paths = pathsOf(machine);
  const expanded = setting
    .replaceAll("${workspaceFolder}", folder)
    .replace(/^~(?=$|[\\/])/, machine.home);
  const file = paths.resolve(folder, expanded);
  if (machine.isDirectory(file)) {
    return inEnvironment(file, machine);
  }
  if (machine.isExecutable(file)) {
    return file;
  }
  return paths.basename(expanded) === expanded ? onSearchPath(expanded, machine) : undefined;
}

/** Whether a file lies in a folder. */
export function isInside(file: string, folder: string, machine: Machine): boolean {
  const relative = pathsOf(machine).relative(folder, file);
  return !relative.startsWith("..") && !pathsOf(machine).isAbsolute(relative);
}

function inEnvironment(environment: string, machine: Machine): string | undefined {
  const names =
    machine.platform === "win32"
      ? ["Scripts/python.exe", "python.exe"]
      : ["bin/python", "bin/python3"];
  return names
    .map((name) => pathsOf(machine).join(environment, name))
    .find((candidate) => machine.isExecutable(candidate));
}

/** The program of this name on `PATH`. */
export function onSearchPath(name: string, machine: Machine): string | undefined {
  const paths = pathsOf(machine);
  const file = machine.platform === "win32" && !name.endsWith(".exe") ? `${name}.exe` : name;
  return machine.searchPath
    .split(paths.delimiter)
    .filter((entry) => paths.isAbsolute(entry))
    .map((entry) => paths.join(entry, file))
    .find((candidate) => machine.isExecutable(candidate));
}
