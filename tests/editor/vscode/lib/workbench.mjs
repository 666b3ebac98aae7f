/** One window of VS Code, in the words of its user. Every method waits for what it says to be there. */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { SHOTS } from "./machine.mjs";

/** Of the editor, in pixels: where a line is tells which line it is. */
export const LINE_HEIGHT = 20;

/** Runs in the page. */
function readRows() {
  return [...document.querySelectorAll(".test-explorer .monaco-list-row")]
    .map((row) => ({
      top: row.getBoundingClientRect().top,
      label: row.getAttribute("aria-label") ?? "",
    }))
    .sort((one, other) => one.top - other.top)
    .map(({ label }) => label.replace(/ \((Not yet run|Passed|Failed|Errored|Skipped)\).*$/, ""));
}

/**
 * Runs in the page: milliseconds from the next click until the icon of a row is another one.
 *
 * @param {string} label
 * @returns {Promise<number>}
 */
function firstChange(label) {
  const icon = () =>
    [...document.querySelectorAll(".test-explorer .monaco-list-row")]
      .find((row) => (row.getAttribute("aria-label") ?? "").startsWith(label))
      ?.querySelector(".computed-state")
      ?.className.replace(" retired", "");
  return new Promise((resolve) => {
    document.addEventListener(
      "click",
      (click) => {
        const before = icon();
        const observer = new MutationObserver(() => {
          if (icon() !== undefined && icon() !== before) {
            observer.disconnect();
            resolve(performance.now() - click.timeStamp);
          }
        });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true });
      },
      { once: true, capture: true },
    );
  });
}

export class Workbench {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  async ready() {
    await this.page.locator(".monaco-workbench .part.statusbar").waitFor();
  }

  /** Closes the window; VS Code's question about unsaved files is not asked of a test. */
  async close() {
    await this.page.close();
  }

  /**
   * Runs a command of the palette. The palette is filled when it opens: an extension's commands are
   * in it once the extension has shown itself.
   *
   * @param {string} title as shown, with its category
   */
  async command(title) {
    await this.page.keyboard.press("F1");
    await this.page.locator(".quick-input-widget input[type=text]").fill(`>${title}`);
    await this.page.locator(`.quick-input-list .monaco-list-row[aria-label^="${title}"]`).first().click();
  }

  async openTestExplorer() {
    await this.page.locator('.activitybar .action-label[aria-label^="Testing"]').click();
    await this.page.locator(".part.sidebar .title-label", { hasText: "Testing" }).waitFor();
  }

  /**
   * The row of a test, or of the message that stands below one that has an error.
   *
   * @param {string} label
   */
  row(label) {
    const text = label.replaceAll('"', '\\"');
    return this.page.locator(
      [`="${text}"`, `^="${text} ("`]
        .map((each) => `.test-explorer .monaco-list-row[aria-label${each}]`)
        .join(", "),
    );
  }

  /**
   * The row of a test in one state.
   *
   * @param {string} label
   * @param {"Passed" | "Failed" | "Errored" | "Skipped" | "Running" | "Queued"} state
   */
  rowIn(label, state) {
    return this.page.locator(`.test-explorer .monaco-list-row[aria-label^="${label} (${state})"]`);
  }

  /**
   * The row of something that is queued or running. Its label does not say so until VS Code has another
   * reason to draw the row anew.
   *
   * @param {string} label
   */
  spinning(label) {
    return this.page.locator(
      `.test-explorer .monaco-list-row[aria-label^="${label} ("]:has(.codicon-modifier-spin)`,
    );
  }

  /**
   * Waits until the result of a test is shown as one of before.
   *
   * @param {string} label
   */
  async outdated(label) {
    await this.row(label).locator(".computed-state.retired").waitFor();
  }

  /**
   * Clicks a button of a test's row, which is there while the mouse is on the row.
   *
   * @param {string} label
   * @param {string} icon
   */
  async clickInRow(label, icon) {
    const row = this.row(label);
    await row.hover();
    await row.locator(`.codicon-${icon}`).click();
  }

  /**
   * Clicks a button of a test's row, and returns how many milliseconds later the icon of the row was
   * another one, as measured in the page: such a state may be over before anybody could ask for it.
   *
   * @param {string} label
   * @param {string} icon
   */
  async clickAndTime(label, icon) {
    const changed = this.page.evaluateHandle(`({ late: (${firstChange})(${JSON.stringify(`${label} (`)}) })`);
    await changed;
    await this.clickInRow(label, icon);
    const late = await this.page.waitForFunction((handle) => handle.late, await changed);
    return /** @type {Promise<number>} */ (late.jsonValue());
  }

  /** Clicks *Run Tests* at the top of the Test Explorer. */
  async runAll() {
    await this.page.locator(".part.sidebar .title-actions .codicon-testing-run-all-icon").click();
  }

  /**
   * Tests beside another one that have not been run yet, as far as they are visible.
   *
   * @param {string} label
   */
  async neverRun(label) {
    const level = await this.row(label).getAttribute("aria-level");
    const rows = this.page.locator(
      `.test-explorer .monaco-list-row[aria-level="${level}"][aria-label*=" (Not yet run)"]`,
    );
    const labels = await rows.evaluateAll((found) => found.map((row) => row.getAttribute("aria-label") ?? ""));
    return labels.map((each) => each.replace(/ \(Not yet run\).*$/, ""));
  }

  /** Waits until a run is going on. */
  async running() {
    await this.page.locator(".part.sidebar .title-actions .codicon-testing-cancel-icon").waitFor();
  }

  /** Waits until no run is going on. */
  async notRunning() {
    const button = this.page.locator(".part.sidebar .title-actions .codicon-testing-run-all-icon");
    await button.waitFor({ timeout: 300_000 });
  }

  /**
   * The message below a test that could not be collected.
   *
   * @param {RegExp} text
   */
  errorRow(text) {
    return this.page.locator(".test-explorer .monaco-list-row .error", { hasText: text });
  }

  /**
   * Waits until the Test Explorer shows exactly these rows, from top to bottom.
   *
   * A test that has a description is told to a screen reader by that, without its label.
   *
   * @param {readonly string[]} labels without the state, which is "Not yet run" for all tests
   */
  async showsRows(labels) {
    const wanted = labels.join("\n");
    try {
      await this.page.waitForFunction(
        ([read, wanted]) => eval(read)().join("\n") === wanted,
        /** @type {const} */ ([`(${readRows})`, wanted]),
      );
    } catch {
      assert.deepEqual(await this.page.evaluate(readRows), labels);
    }
  }

  /**
   * Shows what is below a row.
   *
   * @param {string} label
   */
  async expand(label) {
    // The attribute is there once the row has children.
    const row = this.row(label).and(this.page.locator("[aria-expanded]"));
    const expanded = row.and(this.page.locator('[aria-expanded="true"]'));
    while ((await row.getAttribute("aria-expanded")) === "false") {
      await row.locator(".monaco-tl-twistie").click();
      // Rows that come or go above it at this moment have the click hit another.
      await expanded.waitFor({ timeout: 2_000 }).catch(() => undefined);
    }
  }

  /**
   * Opens a file of the project in the editor.
   *
   * @param {string} name
   */
  async openFile(name) {
    const { page } = this;
    await page.keyboard.press("Control+P");
    await page.locator(".quick-input-widget input[type=text]").fill(name);
    await page.locator(`.quick-input-list .monaco-list-row[aria-label^="${name}"]`).first().click();
    await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await page.locator(".editor-instance .view-lines").first().waitFor();
  }

  /**
   * Shows the failure in an open file as VS Code does when its message is clicked.
   *
   * @param {string} file
   */
  async peekFailure(file) {
    await this.openFile(file);
    await this.command("Test: Peek Output");
    await this.page.locator(".zone-widget.test-output-peek").waitFor();
  }

  /**
   * Types at the end of the open file; it is not saved.
   *
   * @param {string} text
   */
  async typeAtEnd(text) {
    await this.page.locator(".part.editor .editor-instance .view-lines").first().click();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.insertText(text);
    await this.page.locator(".tab.active.dirty").waitFor();
  }

  /**
   * Types at the beginning of a line of the open file; it is not saved.
   *
   * @param {number} line from 1
   * @param {string} text
   */
  async typeAtLine(line, text) {
    await this.goToLine(line);
    await this.page.keyboard.insertText(text);
    await this.page.locator(".tab.active.dirty").waitFor();
  }

  /**
   * Puts another text in the place of that of the open file; it is not saved.
   *
   * @param {string} text
   */
  async replaceAll(text) {
    await this.page.locator(".part.editor .editor-instance .view-lines").first().click();
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.insertText(text);
    await this.page.locator(".tab.active.dirty").waitFor();
  }

  /** Saves the open file. */
  async save() {
    await this.page.keyboard.press("Control+S");
    await this.page.locator(".tab.active:not(.dirty)").waitFor();
  }

  /**
   * Puts the cursor on a line of the open file.
   *
   * @param {number} line from 1
   */
  async goToLine(line) {
    await this.page.keyboard.press("Control+G");
    await this.page.locator(".quick-input-widget input[type=text]").fill(`:${line}`);
    await this.page.keyboard.press("Enter");
  }

  /**
   * A mark beside a line of the open file, which is short enough not to be scrolled.
   *
   * @param {string} icon
   * @param {number} line from 1
   */
  gutterMark(icon, line) {
    const top = (line - 1) * LINE_HEIGHT;
    return this.page.locator(`.glyph-margin-widgets .codicon-${icon}[style*="top: ${top}px;"]`);
  }

  /**
   * A notification that holds a text.
   *
   * @param {string} text
   */
  notification(text) {
    return this.page.locator(".notification-toast", { hasText: text });
  }

  /**
   * A question that has to be answered before anything else.
   *
   * @param {string} text
   */
  dialog(text) {
    return this.page.locator(".monaco-dialog-box", { hasText: text });
  }

  /**
   * Chooses something in the menu of a test's row.
   *
   * @param {string} label
   * @param {string} entry
   */
  async chooseInMenu(label, entry) {
    await this.row(label).click({ button: "right" });
    await this.page.locator(".monaco-menu .action-label", { hasText: entry }).hover();
    await this.page.keyboard.press("Enter"); // a click as soon as the menu is there is taken for the one before
  }

  /**
   * Picks one of several things that the window asks for.
   *
   * @param {string} label the beginning of it
   */
  async pick(label) {
    await this.page.locator(`.quick-input-list .monaco-list-row[aria-label^="${label}"]`).first().click();
  }

  /** What stands beside `{}` in the status bar, opened; it stays so until the mouse moves away. */
  async languageStatus() {
    await this.page.locator('[id="status.languageStatus"]').hover();
    const status = this.page.locator(".hover-language-status", { hasText: "Show logs" });
    await status.waitFor();
    return status;
  }

  /**
   * Waits until the visible part of the log holds a text.
   *
   * @param {RegExp} text with `\\s` for spaces: the editor draws them as other characters
   */
  async logShows(text) {
    await this.page.locator(".part.panel .view-lines", { hasText: text }).waitFor();
  }

  /** Keeps a picture of the window in tests/editor/shots. @param {string} name */
  async shot(name) {
    await mkdir(SHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }
}
