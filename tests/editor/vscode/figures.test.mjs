/**
 * 10,000 tests stay responsive; what it takes until a person sees something, printed beside what a terminal
 * takes on the same machine (benchmarks/results/vscode.md). Nothing is asserted of times.
 * FASTCOLLECT_FIGURES_PROJECT: another project, which is copied; FASTCOLLECT_FIGURES_TEST: the node id of a
 * test in one of its files, in the form `tests/test_a.py::test_b`.
 */

import { cp } from "node:fs/promises";
import path from "node:path";
import { journey } from "./lib/journey.mjs";
import { run } from "./lib/program.mjs";
import { removeFolder } from "./lib/project.mjs";

const FILES = 500;
const TESTS = 20;

journey("figures", async ({ python, project, codeServer, fastcollect, step, watch, report }) => {
  const source = process.env["FASTCOLLECT_FIGURES_PROJECT"];
  const id = process.env["FASTCOLLECT_FIGURES_TEST"] ?? "tests/test_000.py::test_0";
  if (source === undefined) {
    for (let file = 0; file < FILES; file += 1) {
      const tests = Array.from({ length: TESTS }, (_, n) => `def test_${n}():\n    pass\n`);
      await project.write(`tests/test_${String(file).padStart(3, "0")}.py`, ['"""Tests."""\n', ...tests].join("\n\n"));
    }
  } else {
    await removeFolder(project.folder);
    await cp(source, project.folder, { recursive: true });
    await project.chooseInterpreter(python);
  }
  const [file = "", test = ""] = id.split("::");
  const folders = path.dirname(file).split("/");
  const name = path.basename(file);

  await step("the tree", async () => {
    const began = performance.now();
    const window = await codeServer.open("folder", project.folder);
    watch(window);
    report("window opened", performance.now() - began);
    await window.openTestExplorer();
    await window.row(folders[0] ?? name).waitFor();
    report("window opened -> tree shown", performance.now() - began);
    for (const row of [...folders, name]) {
      await window.expand(row);
    }
    await window.row(test).waitFor();

    const clicked = performance.now();
    await window.clickInRow(test, "testing-run-icon");
    await window.rowIn(test, "Passed").waitFor();
    report("click -> passed", performance.now() - clicked);

    await window.openFile(name);
    // At the top, since rows far below are not drawn; the first line may be a docstring or from __future__.
    await window.typeAtLine(2, "\n\ndef test_added_now():\n    pass\n\n");
    const saved = performance.now();
    await window.save();
    await window.row("test_added_now").waitFor();
    report("save -> updated tree", performance.now() - saved);

    for (let asked = 0; asked < 60; asked += 1) {
      if (JSON.parse(await fastcollect(["status", "--json"])).state === "warm") {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    for (const other of (await window.neverRun(test)).slice(0, 3)) {
      const again = performance.now();
      report(`click -> first state (${other})`, await window.clickAndTime(other, "testing-run-icon"));
      await window.notRunning();
      report(`click -> all over (${other})`, performance.now() - again);
    }

    if (source === undefined) {
      const all = performance.now();
      await window.runAll();
      await window.running();
      await window.notRunning();
      await window.rowIn("tests", "Passed").waitFor();
      report("click -> all passed", performance.now() - all);
      const responds = performance.now();
      await window.command("View: Show Explorer");
      await window.openTestExplorer();
      report("the window answers", performance.now() - responds);
    }
  });

  await step("a terminal", async () => {
    const cold = ["-B", "-m", "pytest", "-p", "no:fastcollect"];
    for (const [what, args] of /** @type {const} */ ([
      ["pytest --collect-only", ["--collect-only", "-q"]],
      ["pytest ID", [id]],
    ])) {
      const began = performance.now();
      await run(python, [...cold, ...args], { cwd: project.folder, maxBuffer: 1 << 26 });
      report(what, performance.now() - began);
    }
  });
});
