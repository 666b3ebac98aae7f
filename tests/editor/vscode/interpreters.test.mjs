/** Two folders with two interpreters; one that is selected in the Python extension, of which a stand-in is there. */

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { journey } from "./lib/journey.mjs";
import { run } from "./lib/program.mjs";
import { Project } from "./lib/project.mjs";

/** What is used of the Python extension's interface. */
const PYTHON_EXTENSION = {
  publisher: "ms-python",
  name: "python",
  settings: { "python.selected": { type: "string", scope: "resource" } },
  code: `const vscode = require("vscode");
const selected = (uri) => vscode.workspace.getConfiguration("python", uri).get("selected");
exports.activate = () => {
  const changed = new vscode.EventEmitter();
  vscode.workspace.onDidChangeConfiguration((e) => {
    if (e.affectsConfiguration("python.selected")) changed.fire({});
  });
  return {
    environments: {
      getActiveEnvironmentPath: (uri) => ({ id: selected(uri), path: selected(uri) }),
      resolveEnvironment: async ({ path }) => ({ executable: { uri: path && vscode.Uri.file(path) } }),
      onDidChangeActiveEnvironmentPath: changed.event,
    },
  };
};
`,
};

/** @param {string} name of the environment's folder */
const prefixTest = (name) => `import sys


def test_prefix():
    assert sys.prefix.endswith(${JSON.stringify(name)})
`;

journey(
  "interpreters",
  async ({ folder, python, project, codeServer, uses, step, watch }) => {
    const second = await environment(path.join(folder, "second"), python);
    const third = await environment(path.join(folder, "third"), python);
    const other = await Project.create(path.join(folder, "other"), python);
    uses(other);
    await project.write(".vscode/settings.json", JSON.stringify({ "python.selected": second }));
    await project.write("tests/test_prefix.py", prefixTest("second"));
    await other.write("tests/test_prefix.py", prefixTest("second"));
    const document = path.join(folder, "both.code-workspace");
    const folders = [project, other].map((each) => ({ path: each.folder }));
    await writeFile(document, JSON.stringify({ folders }));
    const window = await codeServer.open("workspace", document);
    watch(window);

    await step("each folder's tests run with its own", async () => {
      await window.openTestExplorer();
      await window.row("project").waitFor();
      await window.runAll();
      await window.rowIn("project", "Passed").waitFor();
      await window.rowIn("other", "Failed").waitFor();
    });

    await step("another is selected", async () => {
      await project.write("tests/test_prefix.py", prefixTest("third"));
      await window.clickInRow("project", "testing-run-icon");
      await window.rowIn("project", "Failed").waitFor();
      await project.write(".vscode/settings.json", JSON.stringify({ "python.selected": third }));
      await window.command("pytest-fastcollect: Show logs");
      await window.logShows(/third\/bin\/python\sis\sselected.*starting\s->\srunning/s);
      await window.clickInRow("project", "testing-run-icon");
      await window.rowIn("project", "Passed").waitFor();
    });
  },
  { standIns: [PYTHON_EXTENSION] },
);

/**
 * An environment that has all that another has.
 *
 * @param {string} target
 * @param {string} python
 */
async function environment(target, python) {
  await run(python, ["-m", "venv", "--without-pip", target]);
  const own = path.join(target, "bin/python");
  const where = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
  const [theirs, ours] = await Promise.all([python, own].map((each) => run(each, where)));
  const line = `import site; site.addsitedir(${JSON.stringify((theirs ?? "").trim())})\n`;
  await writeFile(path.join((ours ?? "").trim(), "all.pth"), line);
  return own;
}
