/** How often a server that stops by itself is started again. Pure: the clock is passed in. */

const LIMIT = 4;
const WINDOW_MS = 180_000;

/** Allows four restarts in three minutes; one that stops oftener is broken, and says so in its log. */
export class RestartBudget {
  readonly #now: () => number;
  #spent: number[] = [];

  /** @param now milliseconds since some moment */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Why there is no further restart. */
  readonly exhausted = `it stopped ${LIMIT + 1} times in ${WINDOW_MS / 60_000} minutes.`;

  /** Whether the server may be started once more; if so, that counts. */
  spend(): boolean {
    const now = this.#now();
    this.#spent = this.#spent.filter((time) => now - time < WINDOW_MS);
    if (this.#spent.length >= LIMIT) {
      return false;
    }
    this.#spent.push(now);
    return true;
  }
}
