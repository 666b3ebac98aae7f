/** How the language server of a Python environment is started. Pure: the file system is passed in. */

import type { Machine } from "./interpreter";
import { isInside, onSearchPath, pathsOf } from "./interpreter";

/** A program and the arguments that come before the subcommand. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Whether `program` is known to be there; else the module has to be looked for first. */
  readonly installed: boolean;
}

/** The package that is installed, and the module that is then importable. */
export const PACKAGE = "pytest-fastcollect";
export const MODULE = "fastcollect_lsp";

/** A program for `python -c`: exits with 0 if the module can be imported. It does not import it. */
export const MODULE_PROBE = `import importlib.util, sys
sys.exit(importlib.util.find_spec("${MODULE}") is None)`;

/**
 * The `fastcollect` command beside an interpreter, else the module run by it.
 *
 * @param python the interpreter, absolute; links are not followed, since the link is what makes a
 *   virtual environment
 */
export function serverCommand(python: string, machine: Machine): ServerCommand {
  const paths = pathsOf(machine);
  const names =
    machine.platform === "win32" ? ["fastcollect.exe", "Scripts/fastcollect.exe"] : ["fastcollect"];
  const program = names
    .map((name) => paths.join(paths.dirname(python), name))
    .find((candidate) => machine.isExecutable(candidate));
  return program === undefined
    ? { program: python, args: ["-m", MODULE], installed: false }
    : { program, args: [], installed: true };
}

/**
 * A `fastcollect` command of no project's: on `PATH`, outside of the folder. It can list tests from their
 * source; nothing of the project can be run with it.
 */
export function commandOnSearchPath(folder: string, machine: Machine): ServerCommand | undefined {
  const program = onSearchPath("fastcollect", machine);
  return program === undefined || isInside(program, folder, machine)
    ? undefined
    : { program, args: [], installed: true };
}

/** What a user types to install packages into an environment. */
export function installCommand(python: string, packages = PACKAGE): string {
  const quoted = /^[\w./\\:+-]+$/.test(python) ? python : `"${python}"`;
  return `${quoted} -m pip install ${packages}`;
}
