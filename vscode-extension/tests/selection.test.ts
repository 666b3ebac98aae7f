import { describe, expect, it } from "vitest";
import { idsAbove, outermost } from "../src/selection";

describe("outermost", () => {
  it("leaves out what stands below another", () => {
    const items = [
      { id: "t.py::a", above: ["t.py", "."] },
      { id: "t.py", above: ["."] },
      { id: "u.py::b", above: ["u.py", "."] },
    ];
    expect(outermost(items)).toEqual(["t.py", "u.py::b"]);
  });
});

describe("idsAbove", () => {
  it.each([
    ["a/b/t.py", ["a/b", "a"]],
    ["a/t.py::T::test", ["a/t.py::T", "a/t.py", "a"]],
    ["t.py::test[x::y[0]]", ["t.py::test", "t.py"]],
    ["a[1]/t.py::test", ["a[1]/t.py", "a[1]"]],
    ["", []],
  ])("%s", (id, above) => {
    expect(idsAbove(id)).toEqual(above);
  });
});
