/**
 * Events of tests that are not shown yet. A run finds out about cases that no scan can tell; the tree
 * learns of them by a message of its own, which may come later. Pure.
 */

import { idsAbove } from "./selection";
import type { RunEvent } from "./wire";

/** Of what has not ended, only these would be missed. */
const KEPT = new Set<RunEvent["event"]>(["failed", "errored", "output"]);

export class HeldEvents {
  #held: RunEvent[] = [];

  /** Whether anything is held. */
  get any(): boolean {
    return this.#held.length > 0;
  }

  /** What can be shown by now of what was held and of these, in order. */
  take(events: readonly RunEvent[], isShown: (id: string) => boolean): RunEvent[] {
    const ready: RunEvent[] = [];
    const waiting: RunEvent[] = [];
    for (const event of [...this.#held, ...events]) {
      const id = testOf(event);
      (id === undefined || isShown(id) ? ready : waiting).push(event);
    }
    this.#held = waiting;
    return ready;
  }

  /** Failures and output of tests that will not be shown, as those of what stands above them. */
  rest(isShown: (id: string) => boolean): RunEvent[] {
    const held = this.#held;
    this.#held = [];
    return held
      .filter(({ event }) => KEPT.has(event))
      .flatMap((event) => {
        const id = idsAbove(testOf(event) ?? "").find(isShown);
        return id === undefined ? [] : [{ ...event, id } as RunEvent];
      });
  }
}

function testOf(event: RunEvent): string | undefined {
  return "id" in event ? event.id : undefined;
}
