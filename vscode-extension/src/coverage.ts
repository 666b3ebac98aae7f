/** What a run has covered, as VS Code shows it: all files in short, one in detail when it is looked at. */

import * as vscode from "vscode";
import type { ServerClient } from "./server";
import type { FolderTests } from "./testController";
import type { CoverageCount, FileCoverage as Measured } from "./wire";

/** A file, and where more about it can be asked for. */
class MeasuredFile extends vscode.FileCoverage {
  readonly client: ServerClient;
  readonly runId: string;

  constructor(client: ServerClient, runId: string, file: Measured, tests: vscode.TestItem[]) {
    const { uri, statements, branches, declarations } = file;
    super(
      vscode.Uri.parse(uri, true),
      countOf(statements),
      branches.total > 0 ? countOf(branches) : undefined,
      declarations.total > 0 ? countOf(declarations) : undefined,
      tests,
    );
    this.client = client;
    this.runId = runId;
  }
}

/** Adds what a run has measured to it; the run has ended for the server, not for VS Code. */
export async function showCoverage(
  client: ServerClient,
  runId: string,
  run: vscode.TestRun,
  tests: FolderTests,
): Promise<void> {
  const { files } = await client.ask("fastcollect/coverage", { runId });
  for (const file of files) {
    const items = file.tests.map((id) => tests.get(id)).filter((item) => item !== undefined);
    run.addCoverage(new MeasuredFile(client, runId, file, items));
  }
}

/** The lines, branches and functions of a file; with a test, what that one has executed. */
export async function loadCoverage(
  coverage: vscode.FileCoverage,
  test?: vscode.TestItem,
): Promise<vscode.FileCoverageDetail[]> {
  if (!(coverage instanceof MeasuredFile)) {
    return [];
  }
  const { client, runId, uri } = coverage;
  const { files } = await client.ask("fastcollect/coverage", {
    runId,
    uri: uri.toString(),
    ...(test === undefined ? {} : { testId: test.id }),
  });
  return files.flatMap(({ lines = [], functions = [] }) => [
    ...lines.map(
      ({ line, executed, branches }) =>
        new vscode.StatementCoverage(
          executed,
          new vscode.Position(line, 0),
          branches.map(
            (branch) => new vscode.BranchCoverage(branch.executed, undefined, branch.label),
          ),
        ),
    ),
    ...functions.map(
      ({ name, line, executed }) =>
        new vscode.DeclarationCoverage(name, executed, new vscode.Position(line, 0)),
    ),
  ]);
}

function countOf({ covered, total }: CoverageCount): vscode.TestCoverageCount {
  return new vscode.TestCoverageCount(covered, total);
}
