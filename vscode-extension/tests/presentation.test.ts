import { expect, test } from "vitest";
import type { ClientState } from "../src/presentation";
import { present } from "../src/presentation";
import { noInterpreter } from "../src/problem";
import type { ServerState, Status } from "../src/wire";

function running(state: ServerState, tests: number): ClientState {
  const status: Status = {
    state,
    pid: 1,
    root: "/p",
    interpreter: "/env/bin/python",
    version: "0.1.0",
    uptime_s: 1,
    idle_timeout_s: 1800,
    rss_bytes: 1,
    tests,
    checkpoints: [],
    last_run: null,
    runs: {},
    clients: 1,
  };
  return { name: "running", status };
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
  ["degraded", running("degraded", 2), "2 tests, degraded: warning"],
])("%s", (_, state, expected) => {
  const { text, detail, severity, busy } = present(state);
  expect(`${text}, ${detail}: ${severity}${busy ? ", busy" : ""}`).toBe(expected);
});
