/** A VS Code of our own: code-server on 127.0.0.1 with private folders and the extension installed. */

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { chromiumProgram, codeServerEntry, DEADLINE, EXTENSION } from "./machine.mjs";
import { Daemon, run } from "./program.mjs";
import { LINE_HEIGHT, Workbench } from "./workbench.mjs";
import { chromium } from "playwright-core";

const USER_SETTINGS = {
  "files.autoSave": "off", // on by default in a browser; tests are about what is not saved
  "editor.autoIndent": "none",
  "editor.autoClosingBrackets": "never",
  "editor.autoClosingQuotes": "never",
  "editor.lineHeight": LINE_HEIGHT,
  "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
  "editor.suggestOnTriggerCharacters": false,
  "editor.wordBasedSuggestions": "off",
  "extensions.ignoreRecommendations": true,
  "git.enabled": false,
  "remote.autoForwardPorts": false,
  "telemetry.telemetryLevel": "off",
  "testing.automaticallyOpenTestResults": "neverOpen",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
};

const BROWSER_ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * @typedef {object} Options
 * @property {boolean} [asksForTrust] whether workspaces are untrusted at first
 * @property {readonly StandIn[]} [standIns] extensions that are there as well
 *
 * @typedef {object} StandIn an extension that speaks as another does, which no registry of ours has
 * @property {string} publisher
 * @property {string} name
 * @property {string} code CommonJS
 * @property {Readonly<Record<string, object>>} [settings] that it has
 */

/**
 * @param {StandIn} standIn
 * @param {string} folder
 */
async function packageOf({ publisher, name, code, settings = {} }, folder) {
  const source = path.join(folder, "stand-ins", name);
  await mkdir(source, { recursive: true });
  const manifest = {
    ...{ publisher, name, version: "1.0.0", main: "./main.js", license: "MIT" },
    ...{ engines: { vscode: "^1.100.0" }, activationEvents: ["onStartupFinished"] },
    contributes: { configuration: { properties: settings } },
  };
  await writeFile(path.join(source, "package.json"), JSON.stringify(manifest));
  await writeFile(path.join(source, "main.js"), code);
  await writeFile(path.join(source, "README.md"), name);
  const vsix = `${source}.vsix`;
  const vsce = path.join(EXTENSION, "node_modules/@vscode/vsce/vsce");
  await run(
    process.execPath,
    [vsce, "package", "--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", vsix],
    { cwd: source },
  );
  return vsix;
}

export class CodeServer {
  #folder;
  #daemon;
  #browser;
  #address;

  /**
   * @param {string} folder
   * @param {Daemon} daemon
   * @param {import("playwright-core").Browser} browser
   * @param {string} address
   */
  constructor(folder, daemon, browser, address) {
    this.#folder = folder;
    this.#daemon = daemon;
    this.#browser = browser;
    this.#address = address;
  }

  /**
   * Packages the extension, installs it, starts the server and a browser.
   *
   * @param {string} folder where all of its files go
   * @param {NodeJS.ProcessEnv} env what language servers are to inherit
   * @param {Options} [options]
   */
  static async start(folder, env, { asksForTrust = false, standIns = [] } = {}) {
    const user = path.join(folder, "user");
    await mkdir(path.join(user, "User"), { recursive: true });
    await writeFile(path.join(user, "User/settings.json"), JSON.stringify(USER_SETTINGS));
    const entry = codeServerEntry();
    const own = ["--user-data-dir", user, "--extensions-dir", path.join(folder, "extensions")];
    const hostEnv = {
      ...env,
      XDG_CONFIG_HOME: path.join(folder, "config"),
      XDG_DATA_HOME: path.join(folder, "data"),
      EXTENSIONS_GALLERY: '{"serviceUrl": ""}',
      VSCODE_CLI: "1", // else a login shell says what PATH is
    };

    const vsix = path.join(folder, "extension.vsix");
    await run("npm", ["run", "package", "--", "--out", vsix], { cwd: EXTENSION });
    await run(process.execPath, [entry, ...own, "--install-extension", vsix], { env: hostEnv });
    for (const standIn of standIns) {
      await run(process.execPath, [entry, ...own, "--install-extension", await packageOf(standIn, folder)], {
        env: hostEnv,
      });
    }

    const daemon = new Daemon(
      process.execPath,
      [
        entry,
        ...own,
        ...["--auth", "none", "--bind-addr", "127.0.0.1:0"],
        ...["--session-socket", path.join(folder, "session.sock")],
        "--disable-telemetry",
        "--disable-update-check",
        ...(asksForTrust ? [] : ["--disable-workspace-trust"]),
        "--disable-getting-started-override",
      ],
      hostEnv,
    );
    try {
      const [, address = ""] = await daemon.says(/listening on (http:\S+?)\/?\s/, DEADLINE);
      const browser = await chromium.launch({
        executablePath: chromiumProgram(),
        args: BROWSER_ARGUMENTS,
      });
      return new CodeServer(folder, daemon, browser, address);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  /**
   * Opens a window.
   *
   * @param {"folder" | "workspace"} kind
   * @param {string} file a folder, or a `.code-workspace` file
   */
  async open(kind, file) {
    const page = await this.#browser.newPage({ viewport: { width: 1400, height: 1000 } });
    page.setDefaultTimeout(DEADLINE);
    await page.goto(`${this.#address}/?${new URLSearchParams({ [kind]: file })}`);
    const workbench = new Workbench(page);
    await workbench.ready();
    return workbench;
  }

  /**
   * Adds to the user's settings, before a window is opened.
   *
   * @param {Readonly<Record<string, unknown>>} more
   */
  async userSettings(more) {
    const file = path.join(this.#folder, "user/User/settings.json");
    await writeFile(file, JSON.stringify({ ...USER_SETTINGS, ...more }));
  }

  /** What the extension has logged, in all windows. */
  async log() {
    const folder = path.join(this.#folder, "user/logs");
    const files = await readdir(folder, { recursive: true });
    const logs = files.filter((file) => path.basename(file) === "pytest-fastcollect.log");
    return (await Promise.all(logs.map((file) => readFile(path.join(folder, file), "utf8")))).join("");
  }

  async stop() {
    await this.#browser.close();
    await this.#daemon.stop();
  }
}
