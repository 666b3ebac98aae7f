/** Tests that go on where the one before stopped: a folder, a VS Code and a window for all of them. */

import path from "node:path";
import { test } from "node:test";
import { CodeServer } from "./codeServer.mjs";
import { serverPython } from "./machine.mjs";
import { run } from "./program.mjs";
import { Project, removeFolder, temporaryFolder } from "./project.mjs";

/**
 * @typedef {object} Stage
 * @property {string} folder for files of this journey only
 * @property {string} python the interpreter that has the language server
 * @property {Project} project opened, unless the journey opens something else
 * @property {CodeServer} codeServer
 * @property {(args: readonly string[], project?: Project) => Promise<string>} fastcollect runs the
 *   command in a project's folder and returns what it printed
 * @property {(name: string, action: () => Promise<void>) => Promise<void>} step runs a part of the
 *   journey; after one that failed the others are skipped
 * @property {(what: string, milliseconds: number) => void} report prints a figure
 * @property {(project: Project) => void} uses a project whose server is to be stopped at the end
 * @property {(window: import("./workbench.mjs").Workbench) => void} watch the window of which each
 *   step takes a picture
 */

/**
 * @param {string} title also the beginning of the pictures' names
 * @param {(stage: Stage) => Promise<void>} story
 * @param {import("./codeServer.mjs").Options} [options]
 */
export function journey(title, story, options = {}) {
  test(title, { timeout: 600_000 }, async (t) => {
    const python = serverPython();
    const folder = await temporaryFolder();
    const env = { ...process.env };
    // Servers of the user's own are neither seen nor stopped.
    env["FASTCOLLECT_DIR"] = path.join(folder, "run");
    // An environment is to have what is installed in it, no more; and it may be running on CI.
    for (const name of ["PYTHONPATH", "VIRTUAL_ENV", "FASTCOLLECT", "CI"]) {
      delete env[name];
    }
    // What is installed comes from a folder of the journey's.
    env["PIP_NO_INDEX"] = "1";
    env["PIP_FIND_LINKS"] = path.join(folder, "wheels");
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1";
    // For programs that a journey wants to be found.
    env["PATH"] = [path.join(folder, "programs"), env["PATH"]].join(path.delimiter);
    const project = await Project.create(path.join(folder, "project"), python);
    const projects = new Set([project]);
    /** @type {Stage["fastcollect"]} */
    const fastcollect = async (args, { folder: cwd } = project) =>
      run(path.join(path.dirname(python), "fastcollect"), args, { cwd, env });

    /** @type {CodeServer | undefined} */
    let started;
    t.after(async () => {
      await started?.stop();
      for (const used of projects) {
        await fastcollect(["stop"], used);
      }
      await removeFolder(folder);
    });
    const codeServer = (started = await CodeServer.start(folder, env, options));

    /** @type {import("./workbench.mjs").Workbench | undefined} */
    let window;
    let steps = 0;
    let failed = false;
    await story({
      folder,
      python,
      project,
      codeServer,
      fastcollect,
      report: (what, milliseconds) => {
        t.diagnostic(`${what}: ${Math.round(milliseconds)} ms`);
      },
      uses: (used) => void projects.add(used),
      watch: (watched) => {
        window = watched;
      },
      step: async (name, action) => {
        steps += 1;
        const picture = `${title} ${steps} ${name}`.replaceAll(/[^\w]+/g, "-");
        await t.test(name, { skip: failed }, async (t) => {
          try {
            await action();
          } catch (error) {
            failed = true;
            t.diagnostic(await codeServer.log());
            throw error;
          } finally {
            await window?.shot(picture);
          }
        });
      },
    });
  });
}
