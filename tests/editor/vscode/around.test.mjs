/** What stands around the tests: profiles, other extensions, the walkthrough, an installation. */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { journey } from "./lib/journey.mjs";
import { run } from "./lib/program.mjs";

/** The Python extension, as far as its settings go. */
const PYTHON_EXTENSION = {
  publisher: "ms-python",
  name: "python",
  settings: { "python.testing.pytestEnabled": { type: "boolean", default: false, scope: "resource" } },
  code: "exports.activate = () => undefined;",
};

const FIXTURES = `import pytest


@pytest.fixture(scope="session")
def basket():
    """Tea and milk."""
    return ["tea", "milk"]
`;

const BASKET = `def test_basket(basket):
    assert basket
`;

/** Writes a wheel that makes what one environment has importable in another; arguments: where, and from where. */
const WHEEL = `
import sys, zipfile
target, place = sys.argv[1:]
info = "pytest_fastcollect-0.1.0.dist-info"
files = {
    "fastcollect_of_another.pth": f"import site; site.addsitedir({place!r})\\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\\nName: pytest-fastcollect\\nVersion: 0.1.0\\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{info}/entry_points.txt": "[console_scripts]\\nfastcollect = fastcollect_lsp.cli:main\\n",
}
record = "".join(f"{name},,\\n" for name in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(f"{target}/pytest_fastcollect-0.1.0-py3-none-any.whl", "w") as wheel:
    for name, text in {**files, f"{info}/RECORD": record}.items():
        wheel.writestr(name, text)
`;

journey(
  "around",
  async ({ folder, python, project, codeServer, step, watch }) => {
    const settings = {
      "fastcollect.interpreter": python,
      "fastcollect.profiles": { "not slow": ["-m", "not slow"] },
      "python.testing.pytestEnabled": true,
    };
    await project.write(".vscode/settings.json", JSON.stringify(settings));
    const window = await codeServer.open("folder", project.folder);
    watch(window);

    await step("an offer to turn the other extension's tests off", async () => {
      const offer = window.notification("each is there twice");
      await offer.getByText("Turn off for this folder").click();
      await offer.waitFor({ state: "hidden" });
      await project.says(".vscode/settings.json", /"python.testing.pytestEnabled":\s*false/);
    });

    await step("a profile that the settings name", async () => {
      await window.openTestExplorer();
      for (const row of ["tests", "test_prices.py", "TestDiscount"]) {
        await window.expand(row);
      }
      await window.chooseInMenu("test_prices.py", "Execute Using Profile");
      await window.page.locator(".quick-input-list").getByText("not slow").first().waitFor();
    });

    await step("runs with its arguments", async () => {
      await window.pick("not slow");
      await window.rowIn("test_total", "Passed").waitFor();
      await window.notRunning();
      assert.equal(await window.rowIn("test_half", "Passed").count(), 0);
    });

    await step("from the name of a fixture to its definition", async () => {
      await project.write("tests/conftest.py", FIXTURES);
      await project.write("tests/test_basket.py", BASKET);
      await window.openFile("test_basket.py");
      await window.goToLine(2);
      await window.page.keyboard.press("End"); // behind the name
      await window.command("Show or Focus Hover");
      await window.page.locator(".monaco-hover", { hasText: "Tea and milk." }).waitFor();
      await window.command("Go to Definition");
      await window.page.locator('.tab.active[data-resource-name="conftest.py"]').waitFor();
    });

    await step("the walkthrough", async () => {
      await window.command("Welcome: Open Walkthrough...");
      await window.pick("Get started with pytest-fastcollect");
      const page = window.page.locator(".gettingStartedContainer");
      await page.getByText("Your tests at once, run without waiting for imports.").waitFor();
      await page.getByText("Run your tests").first().click();
      await page.getByText("Open the Test Explorer").waitFor();
    });

    await step("the server is installed where it is missing", async () => {
      const bare = path.join(folder, "bare");
      await run(python, ["-m", "venv", bare]);
      await mkdir(path.join(folder, "wheels"));
      const where = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
      const place = (await run(python, where)).trim();
      await run(python, ["-c", WHEEL, path.join(folder, "wheels"), place]);
      await project.chooseInterpreter(bare);
      const told = window.notification(`pytest-fastcollect is not installed for ${bare}/bin/python.`);
      await window.row("tests").waitFor({ state: "hidden" });
      await told.getByText("Install", { exact: true }).click();
      await window.page.locator(".part.panel .terminal-wrapper.active .xterm").waitFor();
      // Nothing else is to be done: the server is started when pip is done.
      await window.row("tests").waitFor();
      await window.expand("tests");
      await window.clickInRow("test_orders.py", "testing-run-icon");
      await window.rowIn("test_orders.py", "Passed").waitFor();
    });
  },
  { standIns: [PYTHON_EXTENSION] },
);
