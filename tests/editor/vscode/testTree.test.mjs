/** The project's tests in the Test Explorer: as the scan finds them, as they are typed, as they break. */

import assert from "node:assert/strict";
import { journey } from "./lib/journey.mjs";

const ORDERS = "tests/test_orders.py";
const PRICES_ROWS = [
  "test_prices.py",
  "test_total",
  "TestDiscount",
  "test_half",
  "test_rate",
  "tenth",
  "fifth",
  "test_computed", // its cases are known once it has been imported, in the background
];

journey("tree", async ({ project, codeServer, fastcollect, step, watch }) => {
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("all tests are shown", async () => {
    await window.openTestExplorer();
    for (const row of ["tests", "test_orders.py", "test_prices.py", "TestDiscount", "test_rate"]) {
      await window.expand(row);
    }
    await window.showsRows(["tests", "test_orders.py", "test_empty_order", ...PRICES_ROWS]);
  });

  await step("a test that is typed appears before it is saved", async () => {
    const saved = await project.read(ORDERS);
    await window.openFile("test_orders.py");
    await window.typeAtEnd("\n\ndef test_refund():\n    assert total([-1]) == -1\n");
    await window.showsRows([
      ...["tests", "test_orders.py", "test_empty_order", "test_refund"],
      ...PRICES_ROWS,
    ]);
    assert.equal(await project.read(ORDERS), saved);
  });

  await step("the status follows the server while a terminal uses it", async () => {
    const status = await window.languageStatus();
    await fastcollect(["start"]);
    // Of what is saved, with the cases of test_computed, since that has been imported now.
    await status.filter({ hasText: /8 tests.*warm/ }).waitFor();
  });

  await step("a broken file says so while the others remain", async () => {
    await window.typeAtEnd("\n\ndef broken(");
    await window.errorRow(/^line 12: SyntaxError: /).waitFor();
    await window.gutterMark("testing-run-all-icon", 12).waitFor();
    await window.page.locator(".view-overlays .squiggly-error").first().waitFor();
    for (const row of ["test_orders.py", ...PRICES_ROWS]) {
      assert.ok(await window.row(row).isVisible(), row);
    }
  });

  await step("a repaired file has its tests again", async () => {
    await window.typeAtEnd("):\n    pass\n");
    await window.gutterMark("testing-run-all-icon", 1).waitFor();
    await window.showsRows([
      ...["tests", "test_orders.py", "test_empty_order", "test_refund"],
      ...PRICES_ROWS,
    ]);
  });

  await step("a file that another program writes appears", async () => {
    await project.write("tests/test_stock.py", "def test_empty_stock():\n    pass\n");
    await window.expand("test_stock.py");
    await window.showsRows([
      ...["tests", "test_orders.py", "test_empty_order", "test_refund"],
      ...PRICES_ROWS,
      ...["test_stock.py", "test_empty_stock"],
    ]);
  });

  await step("the log is shown", async () => {
    await window.command("pytest-fastcollect: Show logs");
    await window.logShows(/starting\s->\srunning/);
  });

  await step("after a restart of the server the tests are there", async () => {
    await window.command("pytest-fastcollect: Restart server");
    await window.logShows(/stopped\s->\sstarting.*asked\sfor.*starting\s->\srunning/s);
    // What the server before never knew.
    await window.typeAtEnd("\n\ndef test_after_restart():\n    pass\n");
    await window.row("test_after_restart").waitFor();
    await window.row("test_empty_stock").waitFor();
  });

  await step("after a server that was killed there is another", async () => {
    const pid = await serverPid();
    process.kill(pid, "SIGKILL");
    await window.typeAtEnd("\n\ndef test_after_kill():\n    pass\n");
    await window.row("test_after_kill").waitFor();
    await window.row("test_empty_stock").waitFor();
    assert.notEqual(await serverPid(), pid);
  });

  /** @returns {Promise<number>} */
  async function serverPid() {
    return JSON.parse(await fastcollect(["status", "--json"])).pid;
  }
});
