/**
 * Parameter sets that are not shown before somebody looks below their function, or a run tells of them:
 * VS Code draws, sorts and keeps an item for each that is. Pure.
 */

import type { TreeChange } from "./tree";
import type { TestItem } from "./wire";

/** From so many cases on a function keeps them back. */
export const LAZY_FROM = 200;

export class LazyCases {
  /** Cases that are not shown, in pytest's order, by their function. */
  readonly #hidden = new Map<string, Map<string, TestItem>>();
  readonly #functionOf = new Map<string, string>();
  /** How many cases of a function are shown. */
  readonly #shown = new Map<string, number>();

  /** Of some changes of the tree those to carry out now. */
  take(changes: readonly TreeChange[]): TreeChange[] {
    const added = new Map<string, number>();
    for (const { parent } of changes.filter(addsCase)) {
      added.set(parent, (added.get(parent) ?? 0) + 1);
    }
    for (const [parent, count] of added) {
      // One of which cases are shown already has been looked into.
      if (count >= LAZY_FROM && (this.#shown.get(parent) ?? 0) === 0 && !this.isLazy(parent)) {
        this.#hidden.set(parent, new Map());
      }
    }
    return changes.filter((change) => !this.#holdsBack(change));
  }

  /** Whether a function has cases that are not shown. */
  isLazy(id: string): boolean {
    return (this.#hidden.get(id)?.size ?? 0) > 0;
  }

  /** Whether this is a case that is not shown. */
  isHidden(id: string): boolean {
    return this.#functionOf.has(id);
  }

  /** What shows all cases of a function; its further ones are shown as they come. */
  open(id: string): TreeChange[] {
    const cases = [...(this.#hidden.get(id)?.keys() ?? [])];
    const changes = cases.flatMap((each) => this.reveal(each));
    this.#hidden.delete(id);
    return changes;
  }

  /** What shows one case; nothing where it is not hidden. */
  reveal(id: string): TreeChange[] {
    const parent = this.#functionOf.get(id);
    const item = parent === undefined ? undefined : this.#hidden.get(parent)?.get(id);
    if (parent === undefined || item === undefined) {
      return [];
    }
    this.#hidden.get(parent)?.delete(id);
    this.#functionOf.delete(id);
    this.#count(parent, 1);
    return [{ op: "add", item, parent }];
  }

  /** An item is not shown any more; of a function this takes its cases along. */
  forget(id: string, parent: string | undefined): void {
    for (const each of this.#hidden.get(id)?.keys() ?? []) {
      this.#functionOf.delete(each);
    }
    this.#hidden.delete(id);
    this.#shown.delete(id);
    if (parent !== undefined && this.#shown.has(parent)) {
      this.#count(parent, -1);
    }
  }

  /** Takes in what concerns hidden cases. */
  #holdsBack(change: TreeChange): boolean {
    if (addsCase(change)) {
      const { item, parent } = change;
      const hidden = this.#hidden.get(parent);
      if (hidden === undefined) {
        this.#count(parent, 1);
        return false;
      }
      hidden.set(item.id, item);
      this.#functionOf.set(item.id, parent);
      return true;
    }
    const id = change.op === "remove" ? change.id : change.item.id;
    const parent = this.#functionOf.get(id);
    if (parent === undefined) {
      return false;
    }
    if (change.op === "remove") {
      this.#hidden.get(parent)?.delete(id);
      this.#functionOf.delete(id);
    } else {
      this.#hidden.get(parent)?.set(id, change.item);
    }
    return true;
  }

  #count(parent: string, change: 1 | -1): void {
    this.#shown.set(parent, (this.#shown.get(parent) ?? 0) + change);
  }
}

function addsCase(
  change: TreeChange,
): change is TreeChange & { readonly op: "add"; readonly parent: string } {
  return change.op === "add" && change.item.kind === "case" && change.parent !== undefined;
}
