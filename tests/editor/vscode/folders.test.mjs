/** Several folders in one window: a server for each, an item for each. */

import path from "node:path";
import { writeFile } from "node:fs/promises";
import { journey } from "./lib/journey.mjs";
import { Project } from "./lib/project.mjs";

journey("folders", async ({ folder, python, project, codeServer, uses, step, watch }) => {
  const other = await Project.create(path.join(folder, "other"), python);
  uses(other);
  await other.write("tests/test_only_here.py", "def test_alone():\n    pass\n");
  const document = path.join(folder, "both.code-workspace");
  const folders = [project, other].map((each) => ({ path: each.folder }));
  await writeFile(document, JSON.stringify({ folders }));

  const window = await codeServer.open("workspace", document);
  watch(window);

  await step("each folder's tests stand below it", async () => {
    await window.openTestExplorer();
    await window.showsRows(["other", "project"]);
    await window.expand("other");
    await window.expand("tests");
    await window.showsRows([
      ...["other", "tests", "test_only_here.py", "test_orders.py", "test_prices.py"],
      "project",
    ]);
  });

  await step("a change in one folder is shown below that one", async () => {
    await window.openFile("test_only_here.py");
    await window.typeAtEnd("\n\ndef test_company():\n    pass\n");
    await window.expand("test_only_here.py");
    await window.showsRows([
      ...["other", "tests", "test_only_here.py", "test_alone", "test_company"],
      ...["test_orders.py", "test_prices.py", "project"],
    ]);
  });
});
