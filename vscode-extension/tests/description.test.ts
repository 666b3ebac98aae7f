import { describe, expect, it } from "vitest";
import { describeAll, lastRun } from "../src/description";
import type { LastRunStatus } from "../src/wire";
import { status } from "./builders";

describe("describeAll", () => {
  it("tells versions, and of each folder what is known", () => {
    const last_run: LastRunStatus = {
      served: "warm",
      reason: null,
      proof_ms: 1,
      fork_ms: 2,
      wall_ms: 420,
      exit: 1,
    };
    const text = describeAll({ extension: "1.2.3" }, [
      {
        name: "shop",
        state: { name: "running", status: status({ last_run }) },
        python: "/p/python",
      },
      { name: "other", state: { name: "stopped" }, python: undefined },
    ]);
    for (const line of [
      "- extension: 1.2.3",
      "## shop",
      "- interpreter: /p/python",
      "- last run: warm, 0.42 s, exit 1",
      "## other",
      "- interpreter: none",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });
});

describe("lastRun", () => {
  it("is nothing before the first", () => {
    expect(lastRun(status({}))).toBeUndefined();
  });
});
