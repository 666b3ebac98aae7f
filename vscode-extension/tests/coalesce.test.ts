import { describe, expect, test } from "vitest";
import {
  ALWAYS_TIMED,
  Durations,
  lasting,
  MANY_WAITING,
  SLOW_S,
  SLOWEST_TIMED,
} from "../src/coalesce";
import type { RunEvent } from "../src/wire";

const enqueued = (id: string): RunEvent => ({ event: "enqueued", id });
const started = (id: string): RunEvent => ({ event: "started", id });
const passed = (id: string): RunEvent => ({ event: "passed", id, duration: 1 });
const failed = (id: string): RunEvent => ({ event: "failed", id, duration: 1, messages: [] });
const output = (id: string): RunEvent => ({ event: "output", id, value: "text" });

test("a test that has ended is shown as that alone", () => {
  const events = [enqueued("a"), enqueued("b"), started("a"), output("a"), passed("a")];
  expect(lasting(events)).toEqual([enqueued("b"), output("a"), passed("a")]);
});

test("one that goes on is shown as going on", () => {
  expect(lasting([enqueued("a"), started("a")])).toEqual([enqueued("a"), started("a")]);
});

test("of several outcomes the last one holds", () => {
  expect(lasting([started("a"), passed("a"), output("a"), failed("a")])).toEqual([
    output("a"),
    failed("a"),
  ]);
});

test("one that begins again has not ended", () => {
  const events = [started("a"), failed("a"), started("a")];
  expect(lasting(events)).toEqual([failed("a"), started("a")]);
});

test("output and the end of a run are kept", () => {
  const events: RunEvent[] = [
    { event: "output", value: "text" },
    output("a"),
    { event: "ended", exit: 0 },
  ];
  expect(lasting(events)).toEqual(events);
});

test("very many that wait are not shown as waiting", () => {
  const many = Array.from({ length: MANY_WAITING + 1 }, (_, n) => enqueued(String(n)));
  expect(lasting(many.slice(1))).toHaveLength(MANY_WAITING);
  expect(lasting([...many, started("0")])).toEqual([started("0")]);
});

describe("durations", () => {
  function quickly(count: number, duration = 0.001): RunEvent[] {
    return Array.from({ length: count }, (_, n) => ({ event: "passed", id: `${n}`, duration }));
  }

  test("all of a run that is not large", () => {
    const durations = new Durations();
    for (let times = 0; times < 5; times += 1) {
      const events = quickly(ALWAYS_TIMED / 5);
      expect(durations.shown(events)).toEqual(new Set(events));
    }
  });

  test("of a large one the slowest that come together", () => {
    const durations = new Durations();
    durations.shown(quickly(ALWAYS_TIMED));
    const [slower, slow, quick] = [quickly(SLOWEST_TIMED, 0.02), quickly(5, SLOW_S), quickly(50)];
    expect(durations.shown([...quick, ...slower])).toEqual(new Set(slower));
    expect(durations.shown([...quick, ...slow])).toEqual(new Set(slow));
  });

  test("what has none is none", () => {
    expect(new Durations().shown([{ event: "started", id: "a" }]).size).toBe(0);
  });
});
