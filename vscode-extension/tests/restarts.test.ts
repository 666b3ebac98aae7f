import { expect, test } from "vitest";
import { RestartBudget } from "../src/restarts";

test("four restarts in three minutes, and again when those are past", () => {
  let now = 0;
  const budget = new RestartBudget(() => now);
  const answers = Array.from({ length: 5 }, () => budget.spend());
  expect(answers).toEqual([true, true, true, true, false]);
  expect(budget.exhausted).toBe("it stopped 5 times in 3 minutes.");

  now = 179_999;
  expect(budget.spend()).toBe(false);
  now = 180_000;
  expect(budget.spend()).toBe(true);
});
