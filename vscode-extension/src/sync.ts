/**
 * Keeps a tree in step with the server's: (state, event) → (state, effects). Pure.
 *
 * The tree is asked for once per connection; after that only what changed is told. A client that has
 * missed a generation asks again, and then too only the differences are shown.
 */

import type { Tree, TreeChange } from "./tree";
import { difference, EMPTY_TREE, treeOf, withReplaced } from "./tree";
import type { DiscoverTestsResult, TestsChanged } from "./wire";

export interface SyncState {
  readonly tree: Tree;
  readonly phase:
    /** Not told of changes, or told of some that are of no use without the tree before them. */
    | { readonly name: "unsynchronized" }
    /** Asked, not answered. A change told meanwhile may be newer than the answer: it is kept. */
    | { readonly name: "discovering"; readonly held: readonly TestsChanged[] }
    | { readonly name: "synchronized"; readonly generation: number };
}

export type SyncEvent =
  | { readonly type: "connected" }
  | { readonly type: "refreshRequested" }
  | { readonly type: "discovered"; readonly result: DiscoverTestsResult }
  | { readonly type: "discoveryFailed" }
  | { readonly type: "changed"; readonly change: TestsChanged }
  /** What is shown stays: the next connection's tree is compared with it. */
  | { readonly type: "disconnected" }
  /** There will be no server: nothing is shown. */
  | { readonly type: "abandoned" };

export type SyncEffect =
  | { readonly type: "discover"; readonly because: string }
  | { readonly type: "show"; readonly changes: readonly TreeChange[] };

type Step = readonly [SyncState, readonly SyncEffect[]];

export const INITIAL_SYNC: SyncState = { tree: EMPTY_TREE, phase: { name: "unsynchronized" } };

/** One step of the machine. */
export function step(state: SyncState, event: SyncEvent): Step {
  switch (event.type) {
    case "connected":
      return discover(state, "connected");
    case "refreshRequested":
      return state.phase.name === "discovering" ? [state, []] : discover(state, "refresh");
    case "discovered":
      return discovered(state, event.result);
    case "changed":
      return changed(state, event.change);
    case "discoveryFailed":
    case "disconnected":
      return [{ ...state, phase: { name: "unsynchronized" } }, []];
    case "abandoned":
      return show(state, EMPTY_TREE, { name: "unsynchronized" });
  }
}

function discover(state: SyncState, because: string): Step {
  return [{ ...state, phase: { name: "discovering", held: [] } }, [{ type: "discover", because }]];
}

function discovered(state: SyncState, result: DiscoverTestsResult): Step {
  if (state.phase.name !== "discovering") {
    return [state, []];
  }
  const { generation, tests } = result;
  let step: Step = show(state, treeOf(tests), { name: "synchronized", generation });
  for (const change of state.phase.held) {
    const [next, effects] = changed(step[0], change);
    step = [next, [...step[1], ...effects]];
  }
  return step;
}

function changed(state: SyncState, change: TestsChanged): Step {
  const { phase } = state;
  switch (phase.name) {
    case "unsynchronized":
      return [state, []];
    case "discovering":
      return [{ ...state, phase: { name: "discovering", held: [...phase.held, change] } }, []];
    case "synchronized": {
      const { generation } = change;
      if (generation <= phase.generation) {
        return [state, []]; // the answer held it already
      }
      if (generation > phase.generation + 1) {
        return discover(state, `generation ${generation} after ${phase.generation}`);
      }
      const tree = withReplaced(state.tree, change.replaced, change.removed);
      return show(state, tree, { name: "synchronized", generation });
    }
  }
}

function show(state: SyncState, tree: Tree, phase: SyncState["phase"]): Step {
  const changes = difference(state.tree, tree);
  return [{ tree, phase }, changes.length === 0 ? [] : [{ type: "show", changes }]];
}
