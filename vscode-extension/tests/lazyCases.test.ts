import { describe, expect, test } from "vitest";
import { LAZY_FROM, LazyCases } from "../src/lazyCases";
import type { Tree, TreeChange } from "../src/tree";
import { difference, EMPTY_TREE, treeOf } from "../src/tree";
import type { TestItem } from "../src/wire";
import { item } from "./builders";
import { View } from "./view";

const FILE = item("test_a.py");
const FUNCTION = item("test_a.py::test_f");

function cases(count: number, label = "old"): TestItem[] {
  return Array.from({ length: count }, (_, n) =>
    item(`${FUNCTION.id}[${n}]`, { kind: "case", parent: FUNCTION.id, label: `${label} ${n}` }),
  );
}

/** A view behind a LazyCases, as the Test Explorer is. */
class Explorer {
  readonly lazy = new LazyCases();
  readonly view = new View();
  #tree: Tree = EMPTY_TREE;

  shows(...tests: TestItem[]): this {
    const tree = treeOf(tests);
    const changes = difference(this.#tree, tree);
    this.#tree = tree;
    return this.carryOut(this.lazy.take(changes));
  }

  carryOut(changes: readonly TreeChange[]): this {
    const before = new Map(this.view.items);
    this.view.apply(changes);
    for (const [id, { parent }] of before) {
      if (!this.view.items.has(id)) {
        this.lazy.forget(id, parent);
      }
    }
    return this;
  }

  get ids(): string[] {
    return [...this.view.items.keys()];
  }
}

describe("many cases", () => {
  test("few are shown at once", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(LAZY_FROM - 1));
    expect(explorer.ids).toHaveLength(LAZY_FROM + 1);
    expect(explorer.lazy.isLazy(FUNCTION.id)).toBe(false);
  });

  test("many are shown when somebody looks", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(30_000));
    expect(explorer.ids).toEqual([FILE.id, FUNCTION.id]);
    expect(explorer.lazy.isLazy(FUNCTION.id)).toBe(true);
    explorer.carryOut(explorer.lazy.open(FUNCTION.id));
    expect(explorer.ids).toEqual([FILE.id, FUNCTION.id, ...cases(30_000).map((each) => each.id)]);
    expect(explorer.lazy.isLazy(FUNCTION.id)).toBe(false);
  });

  test("what changes meanwhile is what is shown then", () => {
    const explorer = new Explorer()
      .shows(FILE, FUNCTION, ...cases(LAZY_FROM))
      .shows(FILE, FUNCTION, ...cases(LAZY_FROM - 50, "new"));
    expect(explorer.ids).toEqual([FILE.id, FUNCTION.id]);
    explorer.carryOut(explorer.lazy.open(FUNCTION.id));
    expect(explorer.ids).toHaveLength(2 + LAZY_FROM - 50);
    expect(explorer.view.items.get(`${FUNCTION.id}[7]`)?.item.label).toBe("new 7");
  });

  test("further ones of an open function are shown as they come", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(LAZY_FROM));
    explorer.carryOut(explorer.lazy.open(FUNCTION.id));
    explorer.shows(FILE, FUNCTION, ...cases(3 * LAZY_FROM));
    expect(explorer.ids).toHaveLength(2 + 3 * LAZY_FROM);
  });

  test("a run shows the case that it tells of, and no other", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(LAZY_FROM));
    const [, second] = cases(2);
    const id = second?.id ?? "";
    expect(explorer.lazy.isHidden(id)).toBe(true);
    explorer.carryOut(explorer.lazy.reveal(id));
    expect(explorer.ids).toEqual([FILE.id, FUNCTION.id, id]);
    expect(explorer.lazy.reveal(id)).toEqual([]);
    explorer.shows(FILE, FUNCTION, ...cases(LAZY_FROM, "new"));
    expect(explorer.view.items.get(id)?.item.label).toBe("new 1");
    explorer.carryOut(explorer.lazy.open(FUNCTION.id));
    expect(explorer.ids).toHaveLength(2 + LAZY_FROM);
  });

  test("a function that goes and comes back is closed again", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(LAZY_FROM));
    explorer.carryOut(explorer.lazy.open(FUNCTION.id)).shows(FILE);
    expect(explorer.ids).toEqual([FILE.id]);
    explorer.shows(FILE, FUNCTION, ...cases(LAZY_FROM));
    expect(explorer.ids).toEqual([FILE.id, FUNCTION.id]);
  });

  test("a function that goes takes its hidden cases along", () => {
    const explorer = new Explorer().shows(FILE, FUNCTION, ...cases(LAZY_FROM)).shows(FILE);
    expect(explorer.lazy.isHidden(`${FUNCTION.id}[0]`)).toBe(false);
    expect(explorer.lazy.open(FUNCTION.id)).toEqual([]);
  });
});
