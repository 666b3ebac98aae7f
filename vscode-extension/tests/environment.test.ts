import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import {
  commandOnSearchPath,
  installCommand,
  MODULE_PROBE,
  serverCommand,
} from "../src/environment";
import { machine } from "./builders";

describe("serverCommand", () => {
  test("the command beside the interpreter", () => {
    const files = ["/env/bin/python", "/env/bin/fastcollect"];
    expect(serverCommand("/env/bin/python", machine(files))).toEqual({
      program: "/env/bin/fastcollect",
      args: [],
      installed: true,
    });
  });

  test("another environment's command is not taken", () => {
    const files = ["/env/bin/python", "/usr/bin/fastcollect"];
    expect(serverCommand("/env/bin/python", machine(files))).toEqual({
      program: "/env/bin/python",
      args: ["-m", "fastcollect_lsp"],
      installed: false,
    });
  });

  test.each([
    ["C:\\env\\Scripts\\python.exe", "C:\\env\\Scripts\\fastcollect.exe"],
    ["C:\\conda\\python.exe", "C:\\conda\\Scripts\\fastcollect.exe"],
  ])("on Windows: %s", (python, program) => {
    const command = serverCommand(python, machine([python, program], { platform: "win32" }));
    expect(command).toEqual({ program, args: [], installed: true });
  });
});

describe("a server for listing alone", () => {
  const searchPath = "/project/bin:/usr/bin";

  test("the command on PATH", () => {
    const files = ["/usr/bin/fastcollect"];
    expect(commandOnSearchPath("/project", machine(files, { searchPath }))).toEqual({
      program: "/usr/bin/fastcollect",
      args: [],
      installed: true,
    });
  });

  test("none that lies in the folder", () => {
    const files = ["/project/bin/fastcollect"];
    expect(commandOnSearchPath("/project", machine(files, { searchPath }))).toBeUndefined();
  });
});

test("a path with a space is quoted", () => {
  expect(installCommand("/my env/bin/python")).toBe(
    '"/my env/bin/python" -m pip install pytest-fastcollect',
  );
  expect(installCommand("/env/bin/python3.12")).toBe(
    "/env/bin/python3.12 -m pip install pytest-fastcollect",
  );
});

describe("the probe, run by a real Python", () => {
  test("exits with 1 and says nothing where the module is missing", () => {
    // -I -S: neither the current folder nor any installed package.
    const { status, stderr } = spawnSync("python3", ["-I", "-S", "-c", MODULE_PROBE]);
    expect([status, stderr.toString()]).toEqual([1, ""]);
  });

  test("exits with 0 where it is there, and does not run it", () => {
    const program = `import sys; sys.path.insert(0, "tests/data/module"); exec(${JSON.stringify(MODULE_PROBE)})`;
    const output = execFileSync("python3", ["-I", "-S", "-c", program]);
    expect(output.toString()).toBe("");
  });
});
