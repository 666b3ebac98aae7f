/** Running other programs. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

const execute = promisify(execFile);

/**
 * Runs a program to its end and returns what it printed; one that fails is an error that says all it
 * wrote.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import("node:child_process").ExecFileOptions} [options]
 */
export async function run(program, args, options = {}) {
  try {
    const { stdout } = await execute(program, [...args], { ...options, encoding: "utf8" });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = /** @type {{stdout?: string, stderr?: string}} */ (error);
    throw new Error(`${program} ${args.join(" ")} failed\n${stdout}${stderr}`, { cause: error });
  }
}

/** A program that goes on running, as the leader of a process group of its own. */
export class Daemon {
  #output = "";
  #child;
  #ended;

  /**
   * @param {string} program
   * @param {readonly string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  constructor(program, args, env) {
    this.#child = spawn(program, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#ended = once(this.#child, "exit");
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.#output += text;
        this.#child.emit("output");
      });
    }
  }

  /**
   * Waits until the program has written something that matches, and returns the match.
   *
   * @param {RegExp} pattern
   * @param {number} deadline milliseconds
   */
  async says(pattern, deadline) {
    const signal = AbortSignal.timeout(deadline);
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) {
        return match;
      }
      const told = once(this.#child, "output", { signal }).then(() => true);
      if (!(await Promise.race([told, this.#ended.then(() => false)]).catch(() => false))) {
        throw new Error(`the program has not said ${pattern}:\n${this.#output}`);
      }
    }
  }

  /**
   * Ends the program and what it has started in its group. What outlives the program is not asked but
   * killed: an extension host would take the end of its language server for a crash, and start another.
   */
  async stop() {
    const { pid } = this.#child;
    if (pid === undefined) {
      return;
    }
    this.#child.kill("SIGTERM");
    await this.#ended;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") {
        throw error;
      }
    }
  }
}
