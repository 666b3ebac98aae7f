/** A workspace that is not trusted: tests from their source, by a server from outside; then it is trusted. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import path from "node:path";
import { journey } from "./lib/journey.mjs";

journey(
  "trust",
  async ({ python, project, codeServer, step, watch }) => {
    // The folder's own settings do not count before; the user's do.
    await symlink(path.dirname(python), path.join(project.folder, "inside"));
    await project.chooseInterpreter("inside/python");
    await codeServer.userSettings({ "fastcollect.interpreter": python });
    await project.write("tests/test_mark.py", 'open("imported", "w").close()\n\n\ndef test_mark():\n    pass\n');
    const window = await codeServer.open("folder", project.folder);
    watch(window);

    await step("tests are listed and nothing is imported", async () => {
      await window.page.getByText("No, I don't trust the authors").click();
      await window.openTestExplorer();
      await window.expand("tests");
      await window.expand("test_mark.py");
      await window.clickInRow("test_mark", "testing-run-icon");
      await window.dialog("Running tests may execute code").getByText("Cancel").click();
      await window.notRunning();
      assert.ok(!existsSync(path.join(project.folder, "imported")));
    });

    await step("with trust they run", async () => {
      await window.clickInRow("test_mark", "testing-run-icon");
      await window.dialog("Running tests may execute code").getByText("Trust Folder & Continue").click();
      await window.rowIn("test_mark", "Passed").waitFor();
      await project.appears("imported");
      await window.command("pytest-fastcollect: Show logs");
      await window.logShows(/the\sworkspace\sis\strusted.*project\/inside\/fastcollect\slsp/s);
    });
  },
  { asksForTrust: true },
);
