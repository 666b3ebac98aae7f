/** Why a folder has no server, said in one line that names what to do. Pure. */

import { installCommand, PACKAGE } from "./environment";

/** What a notification offers to do about a problem. */
export type Remedy =
  | { readonly kind: "install"; readonly python: string }
  | { readonly kind: "staticOnly"; readonly python: string }
  | { readonly kind: "manageTrust" }
  | { readonly kind: "copyCommand"; readonly command: string }
  | { readonly kind: "openSettings" }
  | { readonly kind: "restart" }
  | { readonly kind: "showLogs" };

/** One line for a notification and the status item; `remedies` in the order of the buttons. */
export interface Problem {
  readonly summary: string;
  readonly message: string;
  readonly remedies: readonly Remedy[];
}

/** `fastcollect.interpreter` is not a string, or names no interpreter. */
export function badInterpreterSetting(value: unknown): Problem {
  const why =
    typeof value === "string"
      ? `there is no Python interpreter at "${value}"`
      : `a path is expected, not ${JSON.stringify(value)}`;
  return {
    summary: "bad setting",
    message: `fastcollect.interpreter: ${why}.`,
    remedies: [{ kind: "openSettings" }],
  };
}

/** No setting, no environment in the folder, nothing on `PATH`. */
export function noInterpreter(folder: string): Problem {
  return {
    summary: "no Python",
    message: `No Python interpreter for "${folder}": there is no .venv or venv in it and no python on PATH. Set fastcollect.interpreter.`,
    remedies: [{ kind: "openSettings" }],
  };
}

/** Nothing outside of an untrusted folder can list its tests. */
export function notTrusted(folder: string): Problem {
  return {
    summary: "not trusted",
    message: `The tests of "${folder}" are shown once the workspace is trusted: there is no interpreter with ${PACKAGE} outside of it.`,
    remedies: [{ kind: "manageTrust" }],
  };
}

/** The summary of `serverMissing`. */
export const NOT_INSTALLED = "not installed";

/** The environment holds no server. */
export function serverMissing(python: string): Problem {
  const command = installCommand(python);
  return {
    summary: NOT_INSTALLED,
    message: `${PACKAGE} is not installed for ${python}. Run \`${command}\` and restart the server.`,
    remedies: [
      { kind: "install", python },
      { kind: "staticOnly", python },
      { kind: "copyCommand", command },
      { kind: "restart" },
      { kind: "openSettings" },
    ],
  };
}

/** Nor is there a server elsewhere that could list tests from their source. */
export function nothingToList(python: string): Problem {
  return {
    summary: NOT_INSTALLED,
    message: `There is no \`fastcollect\` on PATH either that could list the tests from their source. Install ${PACKAGE} for ${python}, or once for all projects with \`pipx install ${PACKAGE}\`.`,
    remedies: [{ kind: "install", python }, { kind: "restart" }],
  };
}

/** The server is there and speaks another version of the protocol, or none. */
export function serverIncompatible(program: string, spoken: unknown, needed: number): Problem {
  const version = typeof spoken === "number" ? `version ${spoken}` : "no version";
  return {
    summary: "incompatible",
    message: `${program} speaks ${version} of the editor protocol, this extension needs version ${needed}: upgrade the older of the two.`,
    remedies: [{ kind: "restart" }, { kind: "showLogs" }],
  };
}

/** The server could not be started, or stopped too often. */
export function serverFailed(folder: string, reason: string): Problem {
  return {
    summary: "failed",
    message: `The server for "${folder}" is not running: ${firstLine(reason)}`,
    remedies: [{ kind: "restart" }, { kind: "showLogs" }],
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}
