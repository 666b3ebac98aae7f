/** What a user is told when there is no server to start, and that all is well once there is. */

import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { journey } from "./lib/journey.mjs";
import { run } from "./lib/program.mjs";

journey("failures", async ({ folder, python, project, codeServer, step, watch }) => {
  const nowhere = path.join(folder, "nowhere", "python");
  await project.chooseInterpreter(nowhere);
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("a setting that names no interpreter", async () => {
    await window.openTestExplorer();
    const told = `fastcollect.interpreter: there is no Python interpreter at "${nowhere}".`;
    await window.notification(told).waitFor();
  });

  const bare = path.join(folder, "bare");
  await run(python, ["-m", "venv", "--without-pip", bare]);

  await step("an environment without the server", async () => {
    await project.chooseInterpreter(bare);
    const told = `pytest-fastcollect is not installed for ${bare}/bin/python.`;
    await window.notification(told).waitFor();
    await window.notification(`${bare}/bin/python -m pip install pytest-fastcollect`).waitFor();
  });

  const programs = path.join(folder, "programs");
  const elsewhere = path.join(programs, "fastcollect");

  await step("tests are listed by a server from elsewhere", async () => {
    await mkdir(programs);
    await symlink(path.join(path.dirname(python), "fastcollect"), elsewhere);
    await window.notification("is not installed for").last().getByText("Static only").click();
    await window.expand("tests");
    await window.showsRows(["tests", "test_orders.py", "test_prices.py"]);
    await window.clickInRow("test_orders.py", "testing-run-icon");
    await window.notification("static only: nothing of this project is imported or run").waitFor();
    await window.openFile("test_orders.py");
    const status = await window.languageStatus();
    await status.filter({ hasText: "static only" }).waitFor();
  });

  const broken = path.join(folder, "broken");
  await brokenEnvironment(broken, python, "echo 'no module of that name' >&2; exit 1");

  await step("a server that ends at once", async () => {
    await project.chooseInterpreter(broken);
    await window.notification('The server for "project" is not running: it could not').waitFor();
    await window.command("pytest-fastcollect: Show logs");
    await window.logShows(/no\smodule\sof\sthat\sname/);
  });

  const silent = path.join(folder, "silent");
  await brokenEnvironment(silent, python, "exec tail -f /dev/null");

  await step("a server that never answers", async () => {
    await project.chooseInterpreter(silent);
    await window.logShows(/silent\/bin\/fastcollect\slsp/);
  });

  await step("the right interpreter", async () => {
    await project.chooseInterpreter(python);
    await window.expand("tests");
    await window.showsRows(["tests", "test_orders.py", "test_prices.py"]);
  });

  await step("a server that is gone takes its tests with it", async () => {
    await rm(elsewhere);
    await project.chooseInterpreter(bare);
    await window.row("tests").waitFor({ state: "hidden" });
    await window.notification("There is no `fastcollect` on PATH either").waitFor();
  });
});

/**
 * An environment whose server does not work.
 *
 * @param {string} environment
 * @param {string} python
 * @param {string} command what it does instead
 */
async function brokenEnvironment(environment, python, command) {
  const programs = path.join(environment, "bin");
  await mkdir(programs, { recursive: true });
  await symlink(python, path.join(programs, "python"));
  const program = path.join(programs, "fastcollect");
  await writeFile(program, `#!/bin/sh\n${command}\n`);
  await chmod(program, 0o755);
}
