/** This machine, for the pure modules that look for files. */

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import type { Machine } from "./interpreter";

/** Answers from the file system as it is at each call. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    home: homedir(),
    searchPath: process.env["PATH"] ?? "",
    isExecutable(file) {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    },
    isDirectory: (folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false,
  };
}
