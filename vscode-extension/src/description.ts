/** The state of the extension and its servers in words, for people and for bug reports. Pure. */

import type { ClientState } from "./presentation";
import type { Status } from "./wire";

/** One folder. */
export interface FolderState {
  readonly name: string;
  readonly state: ClientState;
  /** The interpreter, absolute, where one was found. */
  readonly python: string | undefined;
}

/** Versions, then each folder with what its server says of itself: Markdown. */
export function describeAll(
  versions: Readonly<Record<string, string>>,
  folders: readonly FolderState[],
): string {
  const lines = Object.entries(versions).map(([name, version]) => `- ${name}: ${version}`);
  return ["# pytest-fastcollect", "", ...lines, "", ...folders.flatMap(describeFolder)].join("\n");
}

function describeFolder({ name, state, python }: FolderState): string[] {
  const lines = [`## ${name}`, "", `- state: ${state.name}`, `- interpreter: ${python ?? "none"}`];
  if (state.name === "failed") {
    lines.push(`- problem: ${state.problem.message}`);
  }
  if (state.name === "running" && state.status !== undefined) {
    lines.push(...describeServer(state.status));
  }
  return [...lines, ""];
}

function describeServer(status: Status): string[] {
  return [
    `- server: ${status.version}, pid ${String(status.pid)}, ${status.state}, up ${Math.round(status.uptime_s)} s`,
    `- root: ${status.root}`,
    `- tests: ${status.tests}`,
    `- memory: ${Math.round(status.rss_bytes / 2 ** 20)} MiB`,
    `- runs: ${Object.entries(status.runs)
      .map(([served, count]) => `${count} ${served}`)
      .join(", ")}`,
    `- last run: ${lastRun(status) ?? "none"}`,
    ...status.checkpoints.map(
      ({ name, modules, inputs, rss_bytes }) =>
        `- checkpoint ${name}: ${modules} modules, ${inputs} inputs, ${Math.round(rss_bytes / 2 ** 20)} MiB`,
    ),
  ];
}

/** How the last run was served, and what became of it. */
export function lastRun({ last_run: last }: Status): string | undefined {
  if (last === null) {
    return undefined;
  }
  const { served, wall_ms, exit, reason } = last;
  return [
    served,
    wall_ms === null ? undefined : `${(wall_ms / 1000).toFixed(2)} s`,
    exit === null ? undefined : `exit ${exit}`,
    reason ?? undefined,
  ]
    .filter((part) => part !== undefined)
    .join(", ");
}
