/**
 * States and durations that nobody would see: VS Code draws the rows above a test anew for each. Pure.
 */

import type { RunEvent } from "./wire";

/** So many tests that wait for their turn are not shown as waiting. */
export const MANY_WAITING = 500;

const PASSING = new Set<RunEvent["event"]>(["enqueued", "started"]);
const OUTCOMES = new Set<RunEvent["event"]>([
  "passed",
  "failed",
  "errored",
  "skipped",
  "xfailed",
  "xpassed",
]);

/** Of events that have come together those that still hold at their end, in order. */
export function lasting(events: readonly RunEvent[]): RunEvent[] {
  const waiting = events.filter(({ event }) => event === "enqueued").length;
  const outcome = new Map<string, number>();
  for (const [index, event] of events.entries()) {
    if (OUTCOMES.has(event.event) && "id" in event) {
      outcome.set(event.id, index);
    }
  }
  return events.filter((event, index) => {
    if (!("id" in event) || !(PASSING.has(event.event) || OUTCOMES.has(event.event))) {
      return true;
    }
    const isOver = index < (outcome.get(event.id) ?? -1);
    return !isOver && !(event.event === "enqueued" && waiting > MANY_WAITING);
  });
}

/** So many outcomes of a run are shown with their durations, however quick the tests are. */
export const ALWAYS_TIMED = 500;
/** Beyond that, of those that have come together: so many of the slowest ... */
export const SLOWEST_TIMED = 3;
/** ... and whatever has taken so long, in seconds. */
export const SLOW_S = 0.1;

/**
 * Chooses the outcomes of a run that are shown with their durations: for each of these VS Code adds up the
 * durations of all tests beside it, and draws the rows above it anew. Of ten thousand quick tests that takes
 * longer than running them.
 */
export class Durations {
  #left = ALWAYS_TIMED;

  /** Of events that have come together those whose durations are shown. */
  shown(events: readonly RunEvent[]): ReadonlySet<RunEvent> {
    const timed = events.filter((event) => "duration" in event);
    const always = timed.slice(0, this.#left);
    this.#left -= always.length;
    const rest = timed.slice(always.length).sort((a, b) => b.duration - a.duration);
    const slow = rest.filter((event, index) => index < SLOWEST_TIMED || event.duration >= SLOW_S);
    return new Set([...always, ...slow]);
  }
}
