import { describe, expect, test } from "vitest";
import type { Choice, Interpreter, Machine } from "../src/interpreter";
import { findInterpreter } from "../src/interpreter";
import { machine } from "./builders";

function find(
  setting: string,
  folder: string,
  on: Machine,
  more: Partial<Choice> = {},
): Interpreter {
  return findInterpreter({ setting, folder, selected: undefined, trusted: true, ...more }, on);
}

const FOLDER = "/work/project";
const IN_VENV = "/work/project/venv/bin/python";
const IN_DOT_VENV = "/work/project/.venv/bin/python";
const ON_PATH = "/usr/bin/python3";

describe("without a setting", () => {
  test.each([
    [".venv before venv", [IN_VENV, IN_DOT_VENV, ON_PATH], IN_DOT_VENV],
    ["venv before PATH", [IN_VENV, ON_PATH], IN_VENV],
    ["python3 before python", ["/usr/local/bin/python", ON_PATH], ON_PATH],
    ["earlier on PATH first", ["/usr/local/bin/python3", ON_PATH], "/usr/local/bin/python3"],
    ["python where there is no python3", ["/usr/bin/python"], "/usr/bin/python"],
  ])("%s", (_, files, python) => {
    expect(find("", FOLDER, machine(files))).toEqual({ found: true, python });
  });

  test("nothing anywhere", () => {
    expect(find("", FOLDER, machine([]))).toEqual({ found: false, because: "none" });
  });

  test("relative entries of PATH do not count: they would mean a program of the project", () => {
    const odd = machine(["bin/python3", "/python3"], { searchPath: "bin::." });
    expect(find("", FOLDER, odd).found).toBe(false);
  });
});

describe("with a setting", () => {
  test.each([
    ["an absolute path", "/opt/py/bin/python3.12", "/opt/py/bin/python3.12"],
    ["an environment's folder", "/opt/py", "/opt/py/bin/python"],
    ["relative to the folder", "envs/a/bin/python", "/work/project/envs/a/bin/python"],
    ["a relative environment", "envs/a", "/work/project/envs/a/bin/python"],
    ["a variable", "${workspaceFolder}/envs/a", "/work/project/envs/a/bin/python"],
    ["the home folder", "~/py/bin/python", "/home/user/py/bin/python"],
    ["a name on PATH", "python3.11", "/usr/bin/python3.11"],
  ])("%s", (_, setting, python) => {
    const files = [python, "/opt/py/bin/python", IN_DOT_VENV];
    expect(find(setting, FOLDER, machine(files))).toEqual({ found: true, python });
  });

  test.each(["/nowhere/python", "nowhere", "~user/python", "../bin/python3"])(
    "%s: nothing else is tried in its place",
    (value) => {
      const answer = find(value, FOLDER, machine([IN_DOT_VENV, ON_PATH]));
      expect(answer).toEqual({ found: false, because: "setting", value });
    },
  );

  test("a folder that is no environment", () => {
    const answer = find("/opt", FOLDER, machine(["/opt/other/bin/python", ON_PATH]));
    expect(answer).toEqual({ found: false, because: "setting", value: "/opt" });
  });
});

describe("selected in another extension", () => {
  const selected = "/envs/a/bin/python";

  test("comes before the folder's own", () => {
    const on = machine([selected, IN_VENV]);
    expect(find("", FOLDER, on, { selected })).toEqual({ found: true, python: selected });
  });

  test("comes after the setting", () => {
    const on = machine([selected, ON_PATH]);
    expect(find(ON_PATH, FOLDER, on, { selected })).toEqual({ found: true, python: ON_PATH });
  });

  test("counts where it is there", () => {
    const on = machine([IN_VENV]);
    expect(find("", FOLDER, on, { selected })).toEqual({ found: true, python: IN_VENV });
  });
});

describe("in a folder that is not trusted", () => {
  const more = { trusted: false, selected: IN_VENV };
  const refused = { found: false, because: "untrusted" };

  test.each([
    ["the folder's own do not count", "", [IN_DOT_VENV, IN_VENV, ON_PATH], ON_PATH],
    ["the user's setting does", "/opt/py", ["/opt/py/bin/python"], "/opt/py/bin/python"],
  ])("%s", (_, setting, files, python) => {
    expect(find(setting, FOLDER, machine(files), more)).toEqual({ found: true, python });
  });

  test("a setting that names one inside does not count", () => {
    expect(find("venv", FOLDER, machine([IN_VENV]), more)).toEqual(refused);
  });

  test("nor does PATH that leads inside", () => {
    const on = machine([IN_VENV.replace("python", "python3")], {
      searchPath: "/work/project/venv/bin",
    });
    expect(find("", FOLDER, on, more)).toEqual(refused);
  });
});

describe("on Windows", () => {
  const windows = { platform: "win32", searchPath: "C:\\Python;D:\\bin" } as const;

  test.each([
    ["", "C:\\p\\.venv\\Scripts\\python.exe"],
    ["", "D:\\bin\\python.exe"],
    ["py", "D:\\bin\\py.exe"],
    ["C:\\conda", "C:\\conda\\python.exe"],
  ])("%j finds %s", (setting, python) => {
    const answer = find(setting, "C:\\p", machine([python], windows));
    expect(answer).toEqual({ found: true, python });
  });
});
