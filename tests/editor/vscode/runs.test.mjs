/** Runs that nobody has clicked: in a terminal, by a change, over the end of a server; debugging. */

import assert from "node:assert/strict";
import { journey } from "./lib/journey.mjs";

const BASKET = `import pytest

from shop.prices import total


@pytest.mark.parametrize("price", [1, 2])
def test_basket(price):
    assert total([price]) == price
`;

const SLEEPS = `import pathlib
import time


def test_sleeps():
    pathlib.Path("asleep").touch()
    time.sleep(600)
`;

journey("runs", async ({ project, codeServer, fastcollect, step, watch }) => {
  await project.write("tests/test_basket.py", BASKET);
  const window = await codeServer.open("folder", project.folder);
  watch(window);

  await step("a run in a terminal is shown", async () => {
    await window.openTestExplorer();
    for (const row of ["tests", "test_basket.py", "test_basket", "test_prices.py"]) {
      await window.expand(row);
    }
    await fastcollect(["run", "tests/test_basket.py"]);
    for (const row of ["1", "2", "test_basket", "test_basket.py"]) {
      await window.rowIn(row, "Passed").waitFor();
    }
    assert.equal(await window.rowIn("test_total", "Passed").count(), 0);
  });

  await step("one case alone", async () => {
    await project.write("shop/prices.py", "def total(prices, rate=0.0):\n    return 1\n");
    await window.outdated("2");
    await window.clickInRow("2", "testing-run-icon");
    await window.rowIn("2", "Failed").waitFor();
    await window.rowIn("1", "Passed").waitFor();
  });

  await step("a case that is added appears on save", async () => {
    await window.openFile("test_basket.py");
    await window.replaceAll(BASKET.replace("[1, 2]", "[1, 2, 3]"));
    await window.save();
    await window.row("3").waitFor();
  });

  await step("a continuous run runs again on save", async () => {
    await window.clickInRow("test_basket.py", "testing-turn-continuous-run-on");
    await window.rowIn("3", "Failed").waitFor();
    await window.openFile("prices.py");
    await window.replaceAll("def total(prices, rate=0.0):\n    return sum(prices)\n");
    await window.save();
    for (const row of ["1", "2", "3", "test_basket.py"]) {
      await window.rowIn(row, "Passed").waitFor();
    }
    await window.command("Test: Stop Continuous Run");
  });

  await step("a run ends where its server is restarted", async () => {
    await project.write("tests/test_sleeps.py", SLEEPS);
    await window.expand("test_sleeps.py");
    await window.clickInRow("test_sleeps", "testing-run-icon");
    await window.spinning("test_sleeps").waitFor();
    await project.appears("asleep");
    await window.command("pytest-fastcollect: Restart server");
    await window.spinning("test_sleeps").waitFor({ state: "hidden" });
    assert.equal(await window.rowIn("test_sleeps", "Passed").count(), 0);
  });

  await step("the server that follows runs tests", async () => {
    // What changes while there is none, nobody hears of.
    await project.write("tests/test_stock.py", "def test_empty_stock():\n    pass\n");
    await window.row("test_stock.py").waitFor();
    await project.write("shop/prices.py", "def total(prices, rate=0.0):\n    return 1\n");
    await window.outdated("test_basket.py");
    await window.clickInRow("test_basket.py", "testing-run-icon");
    await window.rowIn("test_basket.py", "Failed").waitFor();
  });

  await step("what failed is run again", async () => {
    await project.write("shop/prices.py", "def total(prices, rate=0.0):\n    return sum(prices)\n");
    await window.outdated("test_basket.py");
    await window.command("Test: Rerun Failed Tests");
    await window.rowIn("test_basket.py", "Passed").waitFor();
  });

  await step("the last run once more", async () => {
    await project.write("shop/prices.py", "def total(prices, rate=0.0):\n    return 2\n");
    await window.outdated("test_basket.py");
    await window.command("Test: Rerun Last Run");
    await window.rowIn("test_basket.py", "Failed").waitFor();
  });
});
