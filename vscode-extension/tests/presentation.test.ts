import { expect, test } from "vitest";
import type { ClientState } from "../src/presentation";
import { present } from "../src/presentation";
import { noInterpreter } from "../src/problem";
import type { ServerState } from "../src/wire";
import { status } from "./builders";

function running(state: ServerState, tests: number): ClientState {
  return { name: "running", status: status({ state, tests }) };
}

test.each<[string, ClientState, string]>([
  ["stopped", { name: "stopped" }, "pytest, stopped: information"],
  ["starting", { name: "starting" }, "pytest, connecting: information, busy"],
  ["no status yet", { name: "running" }, "pytest, connected: information, busy"],
  ["failed", { name: "failed", problem: noInterpreter("p") }, "pytest, no Python: error"],
  ["nothing collected yet", running("starting", 0), "pytest, starting: information"],
  ["collecting", running("warming", 0), "pytest, warming: information, busy"],
  ["collecting again", running("warming", 3), "3 tests, warming: information, busy"],
  ["no tests", running("warm", 0), "0 tests, warm: information"],
  ["warm", running("warm", 1), "1 test, warm: information"],
  ["many", running("warm", 10_000), "10000 tests, warm: information"],
  [
    "static only",
    { name: "running", status: status({ state: "starting", tests: 3 }), staticOnly: true },
    "3 tests, static only: information",
  ],
  ["degraded", running("degraded", 2), "2 tests, degraded: warning"],
])("%s", (_, state, expected) => {
  const { text, detail, severity, busy } = present(state);
  expect(`${text}, ${detail}: ${severity}${busy ? ", busy" : ""}`).toBe(expected);
});
