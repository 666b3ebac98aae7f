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
  | { readonly found: false; readonly because: "none" };

const ENVIRONMENT_FOLDERS = [".venv", "venv"];

/**
 * The interpreter that the setting names, else that of `.venv` or `venv` in the folder, else the one
 * on `PATH`. A setting that names nothing usable is an error: nothing else is tried in its place.
 *
 * @param setting the value of `fastcollect.interpreter`, empty where not set
 * @param folder the workspace folder, absolute
 */
export function findInterpreter(setting: string, folder: string, machine: Machine): Interpreter {
  if (setting !== "") {
    const python = fromSetting(setting, folder, machine);
    return python === undefined
      ? { found: false, because: "setting", value: setting }
      : { found: true, python };
  }
  for (const name of ENVIRONMENT_FOLDERS) {
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

function inEnvironment(environment: string, machine: Machine): string | undefined {
  const names =
    machine.platform === "win32"
      ? ["Scripts/python.exe", "python.exe"]
      : ["bin/python", "bin/python3"];
  return names
    .map((name) => pathsOf(machine).join(environment, name))
    .find((candidate) => machine.isExecutable(candidate));
}

function onSearchPath(name: string, machine: Machine): string | undefined {
  const paths = pathsOf(machine);
  const file = machine.platform === "win32" && !name.endsWith(".exe") ? `${name}.exe` : name;
  return machine.searchPath
    .split(paths.delimiter)
    .filter((entry) => paths.isAbsolute(entry))
    .map((entry) => paths.join(entry, file))
    .find((candidate) => machine.isExecutable(candidate));
}
