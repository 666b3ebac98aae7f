/** Builders for what tests need. */

import type { Machine } from "../src/interpreter";
import type { ItemKind, Status, TestItem } from "../src/wire";

/** A machine on which these files may be executed; their folders are its only folders. */
export function machine(files: readonly string[], more: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    home: "/home/user",
    searchPath: "/usr/local/bin:/usr/bin",
    isExecutable: (file) => files.includes(file),
    isDirectory: (folder) =>
      files.some((file) => /^[\\/]/.test(file.slice(folder.length)) && file.startsWith(folder)),
    ...more,
  };
}

/** An item whose kind follows from its node id, in the file that the id names. */
export function item(id: string, more: Partial<TestItem> = {}): TestItem {
  const parts = id.split("::");
  const [file = id] = parts;
  const label = parts.at(-1) ?? id;
  return {
    id,
    label,
    kind: kindOf(parts, label),
    tags: [],
    dynamic: false,
    canResolveChildren: false,
    uri: `file:///p/${file}`,
    ...(parts.length > 1 ? { parent: parts.slice(0, -1).join("::") } : {}),
    ...more,
  };
}

function kindOf(parts: readonly string[], label: string): ItemKind {
  if (parts.length === 1) {
    return label.endsWith(".py") ? "file" : "dir";
  }
  return label.startsWith("Test") ? "class" : "function";
}

/** A server that is warm and has run nothing. */
export function status(more: Partial<Status>): Status {
  return {
    state: "warm",
    pid: 1,
    root: "/p",
    interpreter: "/env/bin/python",
    version: "0.1.0",
    uptime_s: 1,
    idle_timeout_s: 1800,
    rss_bytes: 1,
    tests: 0,
    checkpoints: [],
    last_run: null,
    runs: {},
    clients: 1,
    ...more,
  };
}
