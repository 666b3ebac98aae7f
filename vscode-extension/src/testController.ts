/** The tree as VS Code's Test Explorer shows it: carries out what `tree.ts` has decided. */

import * as vscode from "vscode";
import { collationKey } from "./collation";
import { LazyCases } from "./lazyCases";
import { outermost } from "./selection";
import type { TreeChange } from "./tree";
import type { TestItem } from "./wire";

/** Where the tests of all folders are shown. */
export class TestExplorer implements vscode.Disposable {
  readonly controller = vscode.tests.createTestController("fastcollect", "pytest");
  readonly #folders = new Map<string, FolderTests>();

  /** @param refresh fetches the tree again, for the Test Explorer's button */
  constructor(refresh: () => Promise<void>) {
    this.controller.refreshHandler = refresh;
    this.controller.resolveHandler = async (item) => {
      // Without an item: all that stands at the top, which comes by itself.
      if (item !== undefined) {
        await Promise.all([...this.#folders.values()].map(async (tests) => tests.resolve(item)));
      }
    };
  }

  /** Makes a place for the tests of a folder. */
  addFolder(folder: vscode.WorkspaceFolder): FolderTests {
    const tests = new FolderTests(this.controller, folder);
    this.#folders.set(folder.uri.toString(), tests);
    this.#arrange();
    return tests;
  }

  /** Forgets a folder and its tests. */
  removeFolder(folder: vscode.WorkspaceFolder): void {
    const key = folder.uri.toString();
    this.#folders.get(key)?.detach();
    this.#folders.delete(key);
    this.#arrange();
  }

  dispose(): void {
    this.#folders.clear();
    this.controller.dispose();
  }

  /** One folder's tests stand at the top; those of several, each below an item for the folder. */
  #arrange(): void {
    const several = this.#folders.size > 1;
    for (const tests of this.#folders.values()) {
      tests.showBelowFolder(several);
    }
  }
}

/** The tests of one folder. */
export class FolderTests {
  readonly #controller: vscode.TestController;
  readonly #folderItem: vscode.TestItem;
  readonly #items = new Map<string, vscode.TestItem>();
  readonly #lazy = new LazyCases();
  #belowFolder = false;
  #isKnown: () => void = () => undefined;
  readonly #whenKnown = new Promise<void>((resolve) => {
    this.#isKnown = resolve;
  });

  constructor(controller: vscode.TestController, folder: vscode.WorkspaceFolder) {
    this.#controller = controller;
    this.#folderItem = controller.createTestItem(folder.uri.toString(), folder.name, folder.uri);
    // Else VS Code leaves it out of a run of everything that begins before its tests are there.
    this.#folderItem.canResolveChildren = true;
  }

  /** The item of a test; a case that is not shown so far is shown for it. */
  get(id: string): vscode.TestItem | undefined {
    this.#carryOut(this.#lazy.reveal(id));
    return this.#items.get(id);
  }

  /** The item of a test, where it is shown. */
  shown(id: string): vscode.TestItem | undefined {
    return this.#items.get(id);
  }

  /** Whether there is such a test, shown or not. */
  has(id: string): boolean {
    return this.#items.has(id) || this.#lazy.isHidden(id);
  }

  /** Shows what is below an item that somebody looks into, if it is one of this folder. */
  async resolve(item: vscode.TestItem): Promise<void> {
    if (item === this.#folderItem) {
      await this.#whenKnown;
    } else if (this.#items.get(item.id) === item) {
      this.#carryOut(this.#lazy.open(item.id));
      item.canResolveChildren = false;
    }
  }

  /**
   * Which of these items are this folder's, as node ids: `all` where the folder itself is among them.
   * Of items below one another the outermost.
   */
  selected(items: readonly vscode.TestItem[]): "all" | string[] {
    if (items.includes(this.#folderItem)) {
      return "all";
    }
    const own = items.filter((item) => this.#items.get(item.id) === item);
    return outermost(own.map((item) => ({ id: item.id, above: idsOf(item.parent) })));
  }

  /** What these files (URIs) hold has changed, or what they import: results are those of before. */
  outdate(uris: readonly string[]): void {
    const changed = new Set(uris);
    const items = [...this.#items.values()].filter(
      ({ uri, parent }) =>
        uri !== undefined &&
        changed.has(uri.toString()) &&
        parent?.uri?.toString() !== uri.toString(),
    );
    if (items.length > 0) {
      this.#controller.invalidateTestResults(items);
    }
  }

  /** The folder's own item says whether its server is being asked, or why there is none. */
  describeFolder(busy: boolean, error: string | undefined): void {
    this.#folderItem.busy = busy;
    this.#folderItem.error = error;
    if (error !== undefined) {
      this.known();
    }
  }

  /** There is a tree now, of which all has been applied; or there will be none. */
  known(): void {
    this.#folderItem.canResolveChildren = false;
    this.#isKnown();
  }

  /** Carries out changes, in order; of many cases of a function when somebody looks at them. */
  apply(changes: readonly TreeChange[]): void {
    const functions = new Set(
      changes.flatMap((change) => (change.op === "add" ? (change.parent ?? []) : [])),
    );
    this.#carryOut(this.#lazy.take(changes));
    for (const id of functions) {
      const item = this.#items.get(id);
      if (item !== undefined && this.#lazy.isLazy(id)) {
        item.canResolveChildren = true;
      }
    }
  }

  #carryOut(changes: readonly TreeChange[]): void {
    for (const change of changes) {
      switch (change.op) {
        case "add":
          this.#add(change.item, change.parent);
          break;
        case "update": {
          const item = this.#items.get(change.item.id);
          if (item !== undefined) {
            describe(item, change.item);
          }
          break;
        }
        case "remove":
          this.#remove(change.id);
          break;
      }
    }
  }

  /** Puts all of it below an item for the folder, or at the top. */
  showBelowFolder(below: boolean): void {
    if (below === this.#belowFolder) {
      return;
    }
    const items = this.#topItems();
    this.#takeOut(items);
    this.#belowFolder = below;
    if (below) {
      this.#controller.items.add(this.#folderItem);
    }
    for (const item of items) {
      this.#top.add(item);
    }
  }

  /** Takes all of it out of the Test Explorer. */
  detach(): void {
    this.#takeOut(this.#topItems());
    this.#items.clear();
  }

  #takeOut(topItems: readonly vscode.TestItem[]): void {
    for (const { id } of topItems) {
      this.#top.delete(id);
    }
    this.#controller.items.delete(this.#folderItem.id);
  }

  /** Not all that stands at the controller's top is ours. */
  #topItems(): vscode.TestItem[] {
    return [...this.#items.values()].filter(
      ({ parent }) => parent === undefined || parent === this.#folderItem,
    );
  }

  get #top(): vscode.TestItemCollection {
    return this.#belowFolder ? this.#folderItem.children : this.#controller.items;
  }

  #add(test: TestItem, parent: string | undefined): void {
    const uri = test.uri === undefined ? undefined : vscode.Uri.parse(test.uri, true);
    const item = this.#controller.createTestItem(test.id, test.label, uri);
    describe(item, test);
    this.#items.set(test.id, item);
    const siblings = parent === undefined ? this.#top : this.#items.get(parent)?.children;
    (siblings ?? this.#top).add(item);
  }

  #remove(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) {
      return;
    }
    const { parent } = item; // which it has no more once it is taken out
    (parent?.children ?? this.#controller.items).delete(id);
    this.#forget(item, parent?.id);
  }

  #forget(item: vscode.TestItem, parent: string | undefined): void {
    this.#items.delete(item.id);
    this.#lazy.forget(item.id, parent);
    for (const [, child] of item.children) {
      this.#forget(child, item.id);
    }
  }
}

/** Of an item and those above it, from the item upwards. */
function idsOf(item: vscode.TestItem | undefined): string[] {
  return item === undefined ? [] : [item.id, ...idsOf(item.parent)];
}

function describe(item: vscode.TestItem, test: TestItem): void {
  item.label = test.label;
  item.sortText = collationKey(test.sortText ?? test.label);
  item.description = test.dynamic ? "dynamic" : "";
  item.range = rangeIn(test);
  item.tags = test.tags.map((tag) => new vscode.TestTag(tag));
  item.error = test.error;
}

/**
 * A file without a range of its own stands at its top: one that was broken has had a range, where the
 * error was, and VS Code keeps the range of an item that has none any more.
 */
function rangeIn({ kind, range }: TestItem): vscode.Range | undefined {
  if (range !== undefined) {
    const { start, end } = range;
    return new vscode.Range(start.line, start.character, end.line, end.character);
  }
  return kind === "file" ? new vscode.Range(0, 0, 0, 0) : undefined;
}
