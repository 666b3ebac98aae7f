/** The child process that talks LSP over stdio. */

import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type * as vscode from "vscode";
import type { ServerCommand } from "./environment";

/** Starts processes of one command, one at a time. */
export class ServerProcess {
  readonly #command: ServerCommand;
  readonly #folder: string;
  readonly #log: vscode.LogOutputChannel;
  #child: ChildProcessWithoutNullStreams | undefined;
  #killed = false;

  /** @param folder where the process works, absolute */
  constructor(command: ServerCommand, folder: string, log: vscode.LogOutputChannel) {
    this.#command = command;
    this.#folder = folder;
    this.#log = log;
  }

  /** Whether there will be no process any more. */
  get killed(): boolean {
    return this.#killed;
  }

  /** Starts a process; rejects where the system cannot, and after `kill`. */
  async start(): Promise<ChildProcessWithoutNullStreams> {
    if (this.#killed) {
      throw new Error("not started: it has been given up");
    }
    const { program, args } = this.#command;
    const commandLine = [program, ...args, "lsp"].join(" ");
    this.#log.info(commandLine);
    const child = spawn(program, [...args, "lsp"], { cwd: this.#folder, stdio: "pipe" });
    this.#child = child;
    await once(child, "spawn"); // or `error`, which rejects
    child.on("exit", (code, signal) => {
      this.#log.info(`process ${String(child.pid)} has ended: ${signal ?? String(code)}`);
    });
    child.on("error", (error) => {
      this.#log.error(commandLine, error);
    });
    return child;
  }

  /** Ends the process, whose pipes close, and starts no other: the client may be about to. */
  kill(): void {
    this.#killed = true;
    this.#child?.kill();
  }
}
