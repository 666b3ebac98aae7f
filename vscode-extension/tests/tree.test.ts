import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tree } from "../src/tree";
import { difference, EMPTY_TREE, treeOf, withReplaced } from "../src/tree";
import type { TestItem } from "../src/wire";
import { item } from "./builders";
import { View } from "./view";

const A = [
  item("test_a.py"),
  item("test_a.py::test_one"),
  item("test_a.py::TestX"),
  item("test_a.py::TestX::test_m"),
];
const B = [item("test_b.py"), item("test_b.py::test_two")];
const BOTH = treeOf([...A, ...B]);

function operations(before: Tree, after: Tree): string[] {
  return difference(before, after).map((change) =>
    change.op === "remove" ? `remove ${change.id}` : `${change.op} ${change.item.id}`,
  );
}

describe("what changes", () => {
  test("at first, everything, parents first", () => {
    const shuffled = treeOf([...A, ...B].reverse());
    const view = new View().apply(difference(EMPTY_TREE, shuffled));
    expect([...view.paths.keys()].sort()).toEqual([
      "test_a.py",
      "test_a.py > test_a.py::TestX",
      "test_a.py > test_a.py::TestX > test_a.py::TestX::test_m",
      "test_a.py > test_a.py::test_one",
      "test_b.py",
      "test_b.py > test_b.py::test_two",
    ]);
  });

  test("nothing, when the same is told again", () => {
    const copies = structuredClone([...A, ...B]);
    expect(operations(BOTH, treeOf(copies))).toEqual([]);
    expect(
      operations(BOTH, withReplaced(BOTH, [{ uri: "file:///p/test_a.py", tests: A }], [])),
    ).toEqual([]);
  });

  test("only the new test of an edited file", () => {
    const tests = [...A, item("test_a.py::test_new")];
    const after = withReplaced(BOTH, [{ uri: "file:///p/test_a.py", tests }], []);
    expect(operations(BOTH, after)).toEqual(["add test_a.py::test_new"]);
  });

  test("only those below an inserted line, where ranges move", () => {
    const range = { start: { line: 7, character: 0 }, end: { line: 8, character: 4 } };
    const tests = A.map((each) => (each.label === "test_m" ? { ...each, range } : each));
    const after = withReplaced(BOTH, [{ uri: "file:///p/test_a.py", tests }], []);
    expect(operations(BOTH, after)).toEqual(["update test_a.py::TestX::test_m"]);
  });

  test("a file that is broken keeps its item, which says so", () => {
    const broken = { ...item("test_a.py"), error: "SyntaxError: invalid syntax" };
    const after = withReplaced(BOTH, [{ uri: "file:///p/test_a.py", tests: [broken] }], []);
    expect(operations(BOTH, after)).toEqual([
      "remove test_a.py::test_one",
      "remove test_a.py::TestX",
      "update test_a.py",
    ]);
  });

  test("a removed file goes with what it holds, in one operation", () => {
    expect(operations(BOTH, withReplaced(BOTH, [], ["file:///p/test_a.py"]))).toEqual([
      "remove test_a.py",
    ]);
  });
});

describe("whose items are replaced", () => {
  test("an inherited method, in another document, goes with the file of its class", () => {
    const inherited = item("test_b.py::TestY::test_base", { uri: "file:///p/base.py" });
    const before = treeOf([...A, item("test_b.py"), item("test_b.py::TestY"), inherited]);
    const after = withReplaced(before, [{ uri: "file:///p/test_b.py", tests: B }], []);
    expect(operations(before, after)).toEqual([
      "remove test_b.py::TestY",
      "add test_b.py::test_two",
    ]);
  });

  test("files stay when only their directory is replaced", () => {
    const directory = item("tests");
    const file = item("tests/test_a.py", { parent: "tests" });
    const before = treeOf([directory, file]);
    const renamed = { ...directory, label: "all tests" };
    const after = withReplaced(before, [{ uri: "file:///p/tests", tests: [renamed] }], []);
    expect(operations(before, after)).toEqual(["update tests"]);
  });
});

describe("what cannot be changed in place", () => {
  test("a parent that comes later takes its children from the top", () => {
    const file = item("tests/test_a.py", { parent: "tests" });
    const before = treeOf([file]);
    const after = treeOf([file, item("tests")]);
    expect(operations(before, after)).toEqual([
      "remove tests/test_a.py",
      "add tests",
      "add tests/test_a.py",
    ]);
    expect(operations(after, before)).toEqual(["remove tests", "add tests/test_a.py"]);
  });

  test("an item with another document is put back with all below it", () => {
    const moved = A.map((each) =>
      each.kind === "class" ? { ...each, uri: "file:///p/other.py" } : each,
    );
    expect(operations(BOTH, treeOf([...moved, ...B]))).toEqual([
      "remove test_a.py::TestX",
      "add test_a.py::TestX",
      "add test_a.py::TestX::test_m",
    ]);
  });
});

/** Items with few ids, documents and parents, so that anything meets anything. */
const anyTests: fc.Arbitrary<TestItem[]> = fc.array(
  fc
    .record({
      name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      above: fc.option(fc.constantFrom("a", "b", "c", "d", "e"), { nil: undefined }),
      uri: fc.constantFrom("file:///1", "file:///2", "file:///3"),
      kind: fc.constantFrom("dir" as const, "file" as const, "class" as const),
      label: fc.constantFrom("x", "y"),
    })
    // A parent has a smaller name: no rings.
    .map(({ name, above, uri, kind, label }) =>
      above !== undefined && above < name
        ? item(name, { parent: above, uri, kind, label })
        : item(name, { uri, kind, label }),
    ),
  { maxLength: 12 },
);

const anyStep = fc.oneof(
  anyTests.map((tests) => () => treeOf(tests)),
  fc
    .tuple(
      fc.array(fc.record({ uri: fc.constantFrom("file:///1", "file:///2"), tests: anyTests }), {
        maxLength: 3,
      }),
      fc.array(fc.constantFrom("file:///2", "file:///3"), { maxLength: 2 }),
    )
    .map(
      ([replaced, removed]) =>
        (tree: Tree) =>
          withReplaced(tree, replaced, removed),
    ),
);

test("any history of changes leaves what showing the last tree afresh would", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 6 }), (steps) => {
      const view = new View();
      let tree = EMPTY_TREE;
      for (const next of steps) {
        const after = next(tree);
        view.apply(difference(tree, after));
        tree = after;
        expect(difference(tree, tree)).toEqual([]);
      }
      expect(view.paths).toEqual(new View().apply(difference(EMPTY_TREE, tree)).paths);
    }),
    { numRuns: 2_000 },
  );
});
