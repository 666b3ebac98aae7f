import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collationKey } from "../src/collation";

/** As `compareFileNames` in VS Code's base/common/comparers.ts, with the user's language. */
const fileNames = (language: string): Intl.Collator =>
  new Intl.Collator(language, { numeric: true, sensitivity: "base" });

describe.each([
  ["file names, English", fileNames("en")],
  ["file names, Czech (ch is a letter)", fileNames("cs")],
  ["file names, Danish (aa comes last)", fileNames("da")],
  ["file names, Thai (signs are passed over)", fileNames("th")],
  ["plain", new Intl.Collator("en")],
])("%s", (_, collator) => {
  const compared = (one: string, other: string): number =>
    Math.sign(collator.compare(collationKey(one), collationKey(other)));

  test.each([
    ["1746573745f7072", "1746573745f73746f"], // as numbers: 7072 and 73746
    ["a10", "a9"],
    ["B", "a"],
    ["cz", "ch" + "\uffff"],
    ["", "a"],
    ["a", "ab"],
    ["a.b", "a_b"],
  ])("%j and %j", (one, other) => {
    expect(compared(one, other)).toBe(one < other ? -1 : 1);
  });

  test("anything", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, other) => {
        expect(compared(one, other)).toBe(one === other ? 0 : one < other ? -1 : 1);
      }),
    );
  });
});
