/**
 * The test tree of one folder, and the differences between two of them. Pure: what changes comes out
 * as a list of operations, which `testController.ts` carries out.
 */

import { isDeepStrictEqual } from "node:util";
import type { ReplacedTests, TestItem } from "./wire";

/** One operation on what is shown. In order, each is valid after those before it. */
export type TreeChange =
  /** `parent` is shown already; without one it goes to the top. */
  | { readonly op: "add"; readonly item: TestItem; readonly parent: string | undefined }
  /** Same place, same document, something else differs. */
  | { readonly op: "update"; readonly item: TestItem }
  /** With everything below it. */
  | { readonly op: "remove"; readonly id: string };

/** An item, and the document (or directory) with whose replacement it goes. */
export interface Entry {
  readonly item: TestItem;
  readonly owner: string;
}

/** Items by id. */
export type Tree = ReadonlyMap<string, Entry>;

export const EMPTY_TREE: Tree = new Map();

/** The tree that an answer to `fastcollect/discoverTests` describes. */
export function treeOf(tests: readonly TestItem[]): Tree {
  const items = new Map(tests.map((item) => [item.id, item]));
  return new Map(tests.map((item) => [item.id, { item, owner: ownerOf(item, items) }]));
}

/**
 * The tree after `fastcollect/testsChanged`: of every document named, the items given and no others.
 */
export function withReplaced(
  tree: Tree,
  replaced: readonly ReplacedTests[],
  removed: readonly string[],
): Tree {
  const owners = new Set([...replaced.map(({ uri }) => uri), ...removed]);
  const next = new Map([...tree].filter(([, { owner }]) => !owners.has(owner)));
  for (const { uri, tests } of replaced) {
    for (const item of tests) {
      next.set(item.id, { item, owner: uri });
    }
  }
  return next;
}

/**
 * What to do to a view that shows `before` for it to show `after`. What is equal in both is not
 * touched, except below an item that has to be taken out and put back: an item can neither be moved
 * nor be given another document.
 */
export function difference(before: Tree, after: Tree): TreeChange[] {
  const takenOut = new Map<string, boolean>();

  /** Whether an item of `before` goes, for its own sake or with what it is shown below. */
  function isTakenOut(id: string): boolean {
    let answer = takenOut.get(id);
    if (answer === undefined) {
      takenOut.set(id, false); // ends the recursion where parents form a ring
      const above = placeOf(id, before);
      answer = !staysInPlace(id, before, after) || (above !== undefined && isTakenOut(above));
      takenOut.set(id, answer);
    }
    return answer;
  }

  const removals: TreeChange[] = [];
  for (const id of before.keys()) {
    const above = placeOf(id, before);
    if (isTakenOut(id) && (above === undefined || !isTakenOut(above))) {
      removals.push({ op: "remove", id });
    }
  }

  const updates: TreeChange[] = [];
  const missing = new Set<string>();
  for (const [id, { item }] of after) {
    const shown = before.get(id)?.item;
    if (shown === undefined || isTakenOut(id)) {
      missing.add(id);
    } else if (shown !== item && !isDeepStrictEqual(shown, item)) {
      updates.push({ op: "update", item });
    }
  }
  return [...removals, ...updates, ...additions(missing, after)];
}

/** Parents before their children. */
function additions(missing: Set<string>, after: Tree): TreeChange[] {
  const changes: TreeChange[] = [];
  function add(id: string): void {
    const entry = after.get(id);
    if (entry === undefined || !missing.delete(id)) {
      return;
    }
    const parent = placeOf(id, after);
    if (parent !== undefined) {
      add(parent);
    }
    changes.push({ op: "add", item: entry.item, parent });
  }
  for (const id of [...missing]) {
    add(id);
  }
  return changes;
}

function staysInPlace(id: string, before: Tree, after: Tree): boolean {
  const [was, is] = [before.get(id), after.get(id)];
  return (
    is !== undefined && was?.item.uri === is.item.uri && placeOf(id, before) === placeOf(id, after)
  );
}

/** What an item is shown below: its parent, or nothing where the tree has none such. */
function placeOf(id: string, tree: Tree): string | undefined {
  const parent = tree.get(id)?.item.parent;
  return parent !== undefined && tree.has(parent) ? parent : undefined;
}

/**
 * The URI whose replacement replaces the item: that of the nearest file or directory, since a method
 * may be inherited from a class in another file.
 */
function ownerOf(item: TestItem, items: ReadonlyMap<string, TestItem>): string {
  let nearest = item;
  while (nearest.kind === "class" || nearest.kind === "function" || nearest.kind === "case") {
    const parent = nearest.parent === undefined ? undefined : items.get(nearest.parent);
    if (parent === undefined) {
      break;
    }
    nearest = parent;
  }
  return nearest.uri ?? nearest.id;
}
