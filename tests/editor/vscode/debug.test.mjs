/** A test is debugged with no other extension there; coverage beside the code, by test as well. */

import { journey } from "./lib/journey.mjs";

const BRANCHES = `def sign(n):
    if n < 0:
        return -1
    return 1


def unused():
    return 0
`;

const TESTS = `from shop.signs import sign


def test_positive():
    n = 5
    assert sign(n) == 1


def test_negative():
    assert sign(-5) == -1
`;

journey("debug", async ({ project, codeServer, step, watch }) => {
  await project.write("shop/signs.py", BRANCHES);
  await project.write("tests/test_signs.py", TESTS);
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("a breakpoint is stopped at", async () => {
    await window.openTestExplorer();
    for (const row of ["tests", "test_signs.py"]) {
      await window.expand(row);
    }
    await window.openFile("test_signs.py");
    await window.goToLine(6);
    await window.command("Debug: Toggle Breakpoint");
    await window.clickInRow("test_positive", "testing-debug-icon");
    await window.page.locator(".debug-toolbar").waitFor();
    await window.page.locator(".codicon-debug-breakpoint-stackframe, .codicon-debug-stackframe").first().waitFor();
    const variables = window.page.locator(".debug-variables .monaco-list-row");
    await variables.filter({ hasText: /^n\s*=\s*5/ }).waitFor();
  });

  await step("the session ends with the run", async () => {
    await window.command("Debug: Continue");
    await window.page.locator(".debug-toolbar").waitFor({ state: "hidden" });
    await window.openTestExplorer();
    await window.rowIn("test_positive", "Passed").waitFor();
  });

  await step("a session that is stopped takes its run with it", async () => {
    await window.clickInRow("test_positive", "testing-debug-icon");
    await window.page.locator(".codicon-debug-breakpoint-stackframe, .codicon-debug-stackframe").first().waitFor();
    await window.command("Debug: Disconnect");
    await window.page.locator(".debug-toolbar").waitFor({ state: "hidden" });
    await window.openTestExplorer();
    await window.spinning("test_positive").waitFor({ state: "hidden" });
  });

  await step("coverage stands beside the code", async () => {
    await window.clickInRow("test_signs.py", "testing-coverage-icon");
    await window.rowIn("test_negative", "Passed").waitFor();
    await window.openFile("signs.py");
    await window.page.locator(".coverage-deco-gutter.coverage-deco-hit").first().waitFor();
    await window.page.locator(".coverage-deco-gutter.coverage-deco-miss").first().waitFor();
  });

  await step("coverage of one test", async () => {
    await window.command("Test: Filter Coverage by Test");
    await window.page.locator('.quick-input-list .monaco-list-row[aria-label*="test_positive"]').click();
    await window.page.locator(".coverage-deco-gutter.coverage-deco-miss").nth(1).waitFor();
  });
});
