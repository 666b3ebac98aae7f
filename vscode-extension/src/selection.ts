/** What a request of the Test Explorer means in node ids. Pure. */

/** An item that a request names. */
export interface Selected {
  readonly id: string;
  /** Ids of the items above it, from its parent upwards. */
  readonly above: readonly string[];
}

/** The ids to run: what stands below another of them goes with that one. */
export function outermost(items: readonly Selected[]): string[] {
  const all = new Set(items.map(({ id }) => id));
  return items.filter(({ above }) => !above.some((id) => all.has(id))).map(({ id }) => id);
}

/**
 * The ids above one, from its parent upwards, as far as the id itself tells: the function of a case, the
 * class, the file, the directories.
 */
export function idsAbove(id: string): string[] {
  const [path = id, ...names] = withoutCase(id).split("::");
  const above: string[] = withoutCase(id) === id ? [] : [withoutCase(id)];
  for (let count = names.length - 1; count >= 0; count -= 1) {
    above.push([path, ...names.slice(0, count)].join("::"));
  }
  const folders = path.split("/");
  for (let count = folders.length - 1; count > 0; count -= 1) {
    above.push(folders.slice(0, count).join("/"));
  }
  return above;
}

/** A parameter set may hold any characters, `::` and brackets among them; a name holds no bracket. */
function withoutCase(id: string): string {
  const names = id.indexOf("::");
  const bracket = names < 0 || !id.endsWith("]") ? -1 : id.indexOf("[", names);
  return bracket < 0 ? id : id.slice(0, bracket);
}
