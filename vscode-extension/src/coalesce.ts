/**
 * States that nobody would see: VS Code draws the rows above a test anew for each one. Pure.
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
