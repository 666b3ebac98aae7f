/** A small project to open, in a folder of its own. */

import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { existsSync } from "node:fs";
import { DEADLINE } from "./machine.mjs";

/** @type {Readonly<Record<string, string>>} */
const FILES = {
  "pyproject.toml": `[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
markers = ["slow: takes its time"]
`,
  "shop/__init__.py": "",
  "shop/prices.py": `def total(prices, rate=0.0):
    return round(sum(prices) * (1 - rate), 2)
`,
  "tests/test_orders.py": `from shop.prices import total


def test_empty_order():
    assert total([]) == 0
`,
  "tests/test_prices.py": `import pytest

from shop.prices import total

RATES = [total([n]) / 10 for n in range(3)]


def test_total():
    assert total([1, 2]) == 3


class TestDiscount:
    @pytest.mark.slow
    def test_half(self):
        assert total([10], 0.5) == 5

    @pytest.mark.parametrize("rate, expected", [(0.1, 9), (0.2, 8)], ids=["tenth", "fifth"])
    def test_rate(self, rate, expected):
        assert total([10], rate) == expected


@pytest.mark.parametrize("rate", RATES)
def test_computed(rate):
    assert total([10], rate) <= 10
`,
};

export class Project {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /**
   * Writes the project's files.
   *
   * @param {string} folder
   * @param {string} python the interpreter its settings name
   */
  static async create(folder, python) {
    const project = new Project(folder);
    for (const [file, text] of Object.entries(FILES)) {
      await project.write(file, text);
    }
    await project.chooseInterpreter(python);
    return project;
  }

  /** @param {string} python */
  async chooseInterpreter(python) {
    await this.write(".vscode/settings.json", JSON.stringify({ "fastcollect.interpreter": python }));
  }

  /**
   * @param {string} file
   * @param {string} text
   */
  async write(file, text) {
    const target = path.join(this.folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  }

  /**
   * Waits until a program has made a file.
   *
   * @param {string} file
   */
  async appears(file) {
    const deadline = Date.now() + DEADLINE;
    while (!existsSync(path.join(this.folder, file))) {
      if (Date.now() > deadline) {
        throw new Error(`${file} has not appeared`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /**
   * Waits until a file holds a text.
   *
   * @param {string} file
   * @param {RegExp} text
   */
  async says(file, text) {
    const deadline = Date.now() + DEADLINE;
    while (!text.test(await this.read(file))) {
      if (Date.now() > deadline) {
        throw new Error(`${file} does not say ${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** @param {string} file */
  async read(file) {
    return readFile(path.join(this.folder, file), "utf8");
  }
}

/** A new folder for one test file: short, since the paths of Unix sockets are limited. */
export async function temporaryFolder() {
  return realpath(await mkdtemp(path.join(tmpdir(), "fc-")));
}

/** @param {string} folder */
export async function removeFolder(folder) {
  // What was told to end may write its last lines now.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}
