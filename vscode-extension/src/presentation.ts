/** What the language status item says. Pure. */

import { lastRun } from "./description";
import type { Problem } from "./problem";
import type { Status } from "./wire";

/** The life of a folder's client. */
export type ClientState =
  | { readonly name: "stopped" }
  | { readonly name: "starting" }
  /** `status` is absent until the server has told it; `staticOnly`: nothing is imported. */
  | { readonly name: "running"; readonly status?: Status; readonly staticOnly?: boolean }
  | { readonly name: "failed"; readonly problem: Problem };

export interface Presentation {
  readonly text: string;
  readonly detail: string;
  readonly severity: "information" | "warning" | "error";
  readonly busy: boolean;
}

/** A state as the status item shows it. */
export function present(state: ClientState): Presentation {
  const quiet = { severity: "information", busy: false } as const;
  switch (state.name) {
    case "stopped":
      return { ...quiet, text: "pytest", detail: "stopped" };
    case "starting":
      return { ...quiet, text: "pytest", detail: "connecting", busy: true };
    case "failed":
      return { ...quiet, text: "pytest", detail: state.problem.summary, severity: "error" };
    case "running":
      return state.status === undefined
        ? { ...quiet, text: "pytest", detail: "connected", busy: true }
        : state.staticOnly === true
          ? { ...quiet, text: counted(state.status.tests), detail: "static only" }
          : presentServer(state.status);
  }
}

function presentServer(status: Status): Presentation {
  const { state, tests } = status;
  const last = lastRun(status);
  // Before it has collected for the first time, 0 means: not known.
  const known = tests > 0 || state === "warm";
  return {
    text: known ? counted(tests) : "pytest",
    detail: last === undefined ? state : `${state}, last run: ${last}`,
    severity: state === "degraded" ? "warning" : "information",
    busy: state === "warming",
  };
}

function counted(tests: number): string {
  return `${tests} ${tests === 1 ? "test" : "tests"}`;
}
