import { describe, expect, it } from "vitest";
import { HeldEvents } from "../src/held";
import type { RunEvent } from "../src/wire";

const started = (id: string): RunEvent => ({ event: "started", id });
const passed = (id: string): RunEvent => ({ event: "passed", id, duration: 0 });
const failed = (id: string): RunEvent => ({ event: "failed", id, duration: 0, messages: [] });

describe("HeldEvents", () => {
  it("hands out what is shown, in order, and keeps the rest until it is", () => {
    const held = new HeldEvents();
    const shown = new Set(["a"]);
    const isShown = (id: string): boolean => shown.has(id);
    const output: RunEvent = { event: "output", value: "x" };
    expect(held.take([started("a"), started("b"), output, passed("b")], isShown)).toEqual([
      started("a"),
      output,
    ]);
    expect(held.any).toBe(true);
    shown.add("b");
    expect(held.take([passed("a")], isShown)).toEqual([started("b"), passed("b"), passed("a")]);
    expect(held.any).toBe(false);
  });

  it("gives failures of what is never shown to what stands above", () => {
    const held = new HeldEvents();
    const isShown = (id: string): boolean => id === "t.py::test";
    held.take([started("t.py::test[1]"), failed("t.py::test[1]"), failed("u.py::x")], isShown);
    expect(held.rest(isShown)).toEqual([failed("t.py::test")]);
    expect(held.any).toBe(false);
  });
});
