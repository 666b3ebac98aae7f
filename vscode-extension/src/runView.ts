/** One run as VS Code shows it. */

import * as vscode from "vscode";
import { Durations, lasting } from "./coalesce";
import { failureText } from "./failure";
import { HeldEvents } from "./held";
import type { FolderTests } from "./testController";
import type { Message, RunEvent, StackFrame } from "./wire";

/** How long the end of a run waits for the tree to show tests that the run has reported. */
const TREE_DEADLINE_MS = 2000;

/** Carries out a run's events. */
export class RunView {
  readonly run: vscode.TestRun;
  readonly #tests: FolderTests;
  readonly #held = new HeldEvents();
  readonly #durations = new Durations();
  #finish: (() => void) | undefined;
  #finished = false;
  /** When the run is over for VS Code too. */
  readonly ended: Promise<void>;

  constructor(run: vscode.TestRun, tests: FolderTests) {
    this.run = run;
    this.#tests = tests;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get isOver(): boolean {
    return this.#finished;
  }

  /** Shows what has happened. */
  show(events: readonly RunEvent[]): void {
    const ready = this.#held.take(lasting(events), (id) => this.#tests.has(id));
    this.#showAll(ready);
  }

  /** A line of ours in the run's output. */
  say(text: string): void {
    this.run.appendOutput(`${text.replaceAll(/\r?\n/g, "\r\n")}\r\n`);
  }

  /** The run is over: waits for tests that are not shown yet, and ends it. */
  async finish(): Promise<void> {
    const deadline = performance.now() + TREE_DEADLINE_MS;
    while (this.#held.any && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.show([]);
    }
    this.end();
  }

  /** Ends it now. */
  end(): void {
    if (this.#finished) {
      return;
    }
    this.#finished = true;
    this.#showAll(this.#held.rest((id) => this.#tests.has(id)));
    this.run.end();
    this.#finish?.();
  }

  /** That a case of very many waits for its turn is no reason to show it. */
  #itemOf(event: RunEvent): vscode.TestItem | undefined {
    if (!("id" in event)) {
      return undefined;
    }
    return event.event === "enqueued" ? this.#tests.shown(event.id) : this.#tests.get(event.id);
  }

  #showAll(events: readonly RunEvent[]): void {
    const timed = this.#durations.shown(events);
    for (const event of events) {
      const milliseconds =
        "duration" in event && timed.has(event) ? event.duration * 1000 : undefined;
      this.#showOne(event, milliseconds);
    }
  }

  #showOne(event: RunEvent, milliseconds: number | undefined): void {
    const { run } = this;
    const item = this.#itemOf(event);
    if (event.event === "output") {
      run.appendOutput(event.value, event.location && locationOf(event.location), item);
    }
    if (item === undefined) {
      return;
    }
    switch (event.event) {
      case "enqueued":
        run.enqueued(item);
        break;
      case "started":
        run.started(item);
        break;
      case "skipped":
        run.appendOutput(`skipped: ${event.reason ?? "no reason given"}\r\n`, undefined, item);
        run.skipped(item);
        break;
      case "passed":
        run.passed(item, milliseconds);
        break;
      case "xfailed":
        // It has failed, as was expected: neither a failure nor a test that passes.
        run.appendOutput("xfailed\r\n", undefined, item);
        run.skipped(item);
        break;
      case "xpassed":
        run.appendOutput("xpassed\r\n", undefined, item);
        run.passed(item, milliseconds);
        break;
      case "failed":
        run.failed(item, event.messages.map(messageOf), milliseconds);
        break;
      case "errored":
        run.errored(item, event.messages.map(messageOf), milliseconds);
        break;
      case "output":
      case "discovered":
      case "ended":
        break;
    }
  }
}

function messageOf(message: Message): vscode.TestMessage {
  const { expected, actual, location, stack } = message;
  const shown = new vscode.TestMessage(failureText(message));
  if (expected !== undefined && actual !== undefined) {
    shown.expectedOutput = expected;
    shown.actualOutput = actual;
  }
  if (location !== undefined && location.uri !== "") {
    shown.location = locationOf(location);
  }
  // VS Code has the innermost frame at the top.
  shown.stackTrace = stack.map(frameOf).reverse();
  return shown;
}

function frameOf({ label, uri, range }: StackFrame): vscode.TestMessageStackFrame {
  return new vscode.TestMessageStackFrame(
    label,
    uri === "" ? undefined : vscode.Uri.parse(uri, true),
    new vscode.Position(range.start.line, range.start.character),
  );
}

function locationOf({ uri, range: { start } }: NonNullable<Message["location"]>): vscode.Location {
  // A place, not a range: what is inside of a range that ends in the next line is marked there too.
  return new vscode.Location(
    vscode.Uri.parse(uri, true),
    new vscode.Position(start.line, start.character),
  );
}
