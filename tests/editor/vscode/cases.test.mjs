/** Very many cases of one function: drawn when somebody looks at them. */

import assert from "node:assert/strict";
import { journey } from "./lib/journey.mjs";

const CASES = 30_000;

const MANY = `import pytest


@pytest.mark.parametrize("number", range(${CASES}))
def test_number(number):
    assert number != 7


def test_after():
    pass
`;

journey("cases", async ({ project, codeServer, fastcollect, step, watch, report }) => {
  await project.write("tests/test_many.py", MANY);
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("the function is there without its cases", async () => {
    await window.openTestExplorer();
    await window.expand("tests");
    await window.expand("test_many.py");
    await window.row("test_number").and(window.page.locator('[aria-expanded="false"]')).waitFor();
    await window.row("test_after").waitFor();
  });

  await step("a case that a terminal runs is shown, and no other", async () => {
    await fastcollect(["run", "tests/test_many.py::test_number[7]"]).catch(() => undefined); // it fails
    await window.rowIn("test_number", "Failed").waitFor();
    await window.expand("test_many.py");
    assert.equal(await window.row("8").count(), 0);
  });

  await step("they are drawn when somebody looks", async () => {
    const began = performance.now();
    await window.expand("test_number");
    await window.row("0").waitFor();
    report(`${CASES} cases expanded`, performance.now() - began);
    await window.row("7").waitFor();
  });

  await step("and run one by one", async () => {
    const began = performance.now();
    await window.clickInRow("8", "testing-run-icon");
    await window.rowIn("8", "Passed").waitFor();
    report("click -> passed", performance.now() - began);
    await window.rowIn("7", "Failed").waitFor();
  });
});
