/** What the tests find on this machine. A part that is missing is an error that says what to run. */

import { existsSync } from "node:fs";
import path from "node:path";

const HERE = path.dirname(import.meta.dirname);
export const REPOSITORY = path.resolve(HERE, "../../..");
export const EXTENSION = path.join(REPOSITORY, "vscode-extension");
export const SHOTS = path.join(REPOSITORY, "tests/editor/shots");

/** Programs that may hang get this long, in milliseconds: only so that a failure ends. */
export const DEADLINE = 60_000;

/** code-server's main program. */
export function codeServerEntry() {
  const folder = process.env["FASTCOLLECT_CODE_SERVER"] ?? path.join(REPOSITORY, ".work/code-server");
  return present(path.join(folder, "node_modules/code-server/out/node/entry.js"), "code-server");
}

/** Debian's Chromium. */
export function chromiumProgram() {
  return present("/usr/bin/chromium", "chromium");
}

/** The interpreter whose environment holds the server that is tested. */
export function serverPython() {
  const python = process.env["FASTCOLLECT_PYTHON"] ?? path.join(REPOSITORY, ".venv/bin/python");
  if (!existsSync(path.join(path.dirname(python), "fastcollect"))) {
    throw new Error(`no \`fastcollect\` beside ${python}: set FASTCOLLECT_PYTHON, see CONTRIBUTING.md`);
  }
  return python;
}

/**
 * @param {string} file
 * @param {string} what
 */
function present(file, what) {
  if (!existsSync(file)) {
    throw new Error(`no ${what} at ${file}: run tests/editor/vscode/setup.sh`);
  }
  return file;
}
