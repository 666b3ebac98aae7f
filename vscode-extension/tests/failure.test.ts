import { describe, expect, it } from "vitest";
import { failureText, missingPackages } from "../src/failure";

describe("failureText", () => {
  it("begins with what went wrong", () => {
    const text = "def test():\n>   assert 1 == 2\nE   assert 1 == 2\n\nt.py:2: AssertionError";
    expect(failureText({ text, stack: [] })).toBe(`assert 1 == 2\n\n${text}`);
  });

  it("leaves other texts alone", () => {
    expect(failureText({ text: "no such thing", stack: [] })).toBe("no such thing");
  });
});

describe("missingPackages", () => {
  it("is what the server says to install", () => {
    const told = "debugpy is not installed in this environment: pip install debugpy";
    expect(missingPackages(told)).toBe("debugpy");
    expect(missingPackages("a run 'x' is going on already")).toBeUndefined();
  });
});
