import { describe, expect, test } from "vitest";
import type { SyncEffect, SyncEvent, SyncState } from "../src/sync";
import { INITIAL_SYNC, step } from "../src/sync";
import type { TestItem, TestsChanged } from "../src/wire";
import { item } from "./builders";

const ONE = item("test_a.py");
const TWO = item("test_b.py");

function answered(generation: number, tests: readonly TestItem[]): SyncEvent {
  return { type: "discovered", result: { generation, tests } };
}

function told(generation: number, ...tests: TestItem[]): SyncEvent {
  const replaced = tests.map((each) => ({ uri: each.uri ?? "", tests: [each] }));
  const change: TestsChanged = { generation, replaced, removed: [] };
  return { type: "changed", change };
}

/** Runs events; what each of them brought about, shortly. */
function play(...events: SyncEvent[]): { state: SyncState; effects: string[][] } {
  let state = INITIAL_SYNC;
  const effects = events.map((event) => {
    const [next, caused] = step(state, event);
    state = next;
    return caused.flatMap(summary);
  });
  return { state, effects };
}

function summary(effect: SyncEffect): string[] {
  return effect.type === "discover"
    ? [`discover: ${effect.because}`]
    : effect.changes.map((each) =>
        each.op === "remove" ? `remove ${each.id}` : `${each.op} ${each.item.id}`,
      );
}

describe("in order", () => {
  test("asks once, then shows only differences", () => {
    const { effects } = play({ type: "connected" }, answered(3, [ONE]), told(4, TWO), told(5, TWO));
    expect(effects).toEqual([["discover: connected"], ["add test_a.py"], ["add test_b.py"], []]);
  });

  test("changes that the answer holds already are left out, later ones applied", () => {
    const renamed = { ...TWO, label: "b" };
    const { effects } = play(
      { type: "connected" },
      told(3, { ...ONE, label: "older" }),
      told(4, renamed),
      answered(3, [ONE, TWO]),
      told(5),
    );
    expect(effects).toEqual([
      ["discover: connected"],
      [],
      [],
      ["add test_a.py", "add test_b.py", "update test_b.py"],
      [],
    ]);
  });
});

describe("out of step", () => {
  test("a gap asks again, and then shows only differences", () => {
    const { state, effects } = play(
      { type: "connected" },
      answered(1, [ONE]),
      told(3, TWO),
      told(4),
      answered(4, [ONE, TWO]),
    );
    expect(effects.slice(2)).toEqual([["discover: generation 3 after 1"], [], ["add test_b.py"]]);
    expect(state.phase).toEqual({ name: "synchronized", generation: 4 });
  });

  test("a gap among the changes held back asks again, once", () => {
    const { effects } = play({ type: "connected" }, told(5), told(8), answered(3, [ONE]));
    expect(effects.at(-1)).toEqual(["add test_a.py", "discover: generation 5 after 3"]);
  });

  test("a question that failed is asked again by a refresh, not by a change", () => {
    const { effects } = play(
      { type: "connected" },
      { type: "discoveryFailed" },
      told(2, ONE),
      { type: "refreshRequested" },
      { type: "refreshRequested" },
    );
    expect(effects).toEqual([["discover: connected"], [], [], ["discover: refresh"], []]);
  });
});

describe("without a connection", () => {
  test("the tests stay; the next connection is compared with them, whatever its generation", () => {
    const { effects } = play(
      { type: "connected" },
      answered(9, [ONE]),
      { type: "disconnected" },
      told(10, TWO),
      { type: "connected" },
      answered(1, [ONE, TWO]),
    );
    expect(effects.slice(2)).toEqual([[], [], ["discover: connected"], ["add test_b.py"]]);
  });

  test("an answer that comes after the end is of no use", () => {
    const { effects } = play({ type: "connected" }, { type: "disconnected" }, answered(1, [ONE]));
    expect(effects.at(-1)).toEqual([]);
  });

  test("where there will be no server, nothing is shown", () => {
    const { state, effects } = play({ type: "connected" }, answered(1, [ONE, TWO]), {
      type: "abandoned",
    });
    expect(effects.at(-1)).toEqual(["remove test_a.py", "remove test_b.py"]);
    expect(state).toEqual(INITIAL_SYNC);
  });
});
