/** The main path: tests are found, run, fail with a difference that is shown, and are cancelled. */

import assert from "node:assert/strict";
import { journey } from "./lib/journey.mjs";

const CHECKOUT = `import pytest

from shop.prices import total


def test_receipt():
    lines = ["tea", "milk"]
    print("printed by the test")
    assert lines == ["tea", "sugar"]


@pytest.mark.skip(reason="not today")
def test_later():
    pass
`;

const SLEEPS = `import pathlib
import time


def test_sleeps():
    pathlib.Path("asleep").touch()
    time.sleep(600)
`;

journey("main", async ({ project, codeServer, step, watch }) => {
  await project.write("tests/test_checkout.py", CHECKOUT);
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("tests are found", async () => {
    await window.openTestExplorer();
    for (const row of ["tests", "test_checkout.py", "test_prices.py", "TestDiscount"]) {
      await window.expand(row);
    }
    await window.row("test_receipt").waitFor();
  });

  await step("all are run", async () => {
    await window.runAll();
    await window.rowIn("test_receipt", "Failed").waitFor();
    await window.rowIn("test_later", "Skipped").waitFor();
    for (const row of ["test_total", "TestDiscount", "test_half", "test_prices.py"]) {
      await window.rowIn(row, "Passed").waitFor();
    }
    await window.rowIn("tests", "Failed").waitFor();
  });

  await step("a failure shows the difference beside the code", async () => {
    await window.row("test_receipt").click();
    await window.peekFailure("test_checkout.py");
    const diff = window.page.locator(".zone-widget.test-output-peek .monaco-diff-editor");
    await diff.locator(".editor.original", { hasText: "sugar" }).waitFor();
    await diff.locator(".editor.modified", { hasText: "milk" }).waitFor();
  });

  await step("one test alone", async () => {
    await project.write("tests/test_checkout.py", CHECKOUT.replace('"milk"]', '"sugar"]'));
    await window.outdated("test_receipt");
    await window.clickInRow("test_receipt", "testing-run-icon");
    await window.rowIn("test_receipt", "Passed").waitFor();
  });

  await step("a sleeping test is cancelled", async () => {
    await project.write("tests/test_sleeps.py", SLEEPS);
    await window.expand("test_sleeps.py");
    await window.clickInRow("test_sleeps", "testing-run-icon");
    await window.spinning("test_sleeps").waitFor();
    await project.appears("asleep");
    await window.command("pytest-fastcollect: Cancel test run");
    await window.spinning("test_sleeps").waitFor({ state: "hidden" });
    await window.rowIn("test_total", "Passed").waitFor();
    assert.equal(await window.rowIn("test_sleeps", "Passed").count(), 0);
  });
});
