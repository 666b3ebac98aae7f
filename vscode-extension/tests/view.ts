/** A view in memory with the rules of VS Code's test items, to carry out changes on. */

import type { TreeChange } from "../src/tree";
import type { TestItem } from "../src/wire";

interface Shown {
  item: TestItem;
  readonly parent: string | undefined;
}

/** Throws where a change is not valid at its place in the list. */
export class View {
  readonly items = new Map<string, Shown>();

  apply(changes: readonly TreeChange[]): this {
    for (const change of changes) {
      switch (change.op) {
        case "add":
          this.#add(change.item, change.parent);
          break;
        case "update":
          this.#update(change.item);
          break;
        case "remove":
          this.#remove(change.id);
          break;
      }
    }
    return this;
  }

  /** Each item by the path to it from the top. */
  get paths(): Map<string, TestItem> {
    return new Map([...this.items].map(([id, { item }]) => [this.#path(id), item]));
  }

  #add(item: TestItem, parent: string | undefined): void {
    if (this.items.has(item.id)) {
      throw new Error(`${item.id} is shown already`);
    }
    if (parent !== undefined && !this.items.has(parent)) {
      throw new Error(`${item.id}: its parent ${parent} is not shown`);
    }
    this.items.set(item.id, { item, parent });
  }

  #update(item: TestItem): void {
    const shown = this.items.get(item.id);
    if (shown === undefined) {
      throw new Error(`${item.id} is not shown`);
    }
    if (shown.item.uri !== item.uri) {
      throw new Error(`${item.id}: an item's document cannot be changed`);
    }
    shown.item = item;
  }

  #remove(id: string): void {
    if (!this.items.delete(id)) {
      throw new Error(`${id} is not shown`);
    }
    for (const [child, { parent }] of this.items) {
      if (parent === id) {
        this.#remove(child);
      }
    }
  }

  #path(id: string): string {
    const parent = this.items.get(id)?.parent;
    return parent === undefined ? id : `${this.#path(parent)} > ${id}`;
  }
}
