import { describe, expect, test } from "vitest";
import { findInterpreter } from "../src/interpreter";
import { machine } from "./builders";

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
    expect(findInterpreter("", FOLDER, machine(files))).toEqual({ found: true, python });
  });

  test("nothing anywhere", () => {
    expect(findInterpreter("", FOLDER, machine([]))).toEqual({ found: false, because: "none" });
  });

  test("relative entries of PATH do not count: they would mean a program of the project", () => {
    const odd = machine(["bin/python3", "/python3"], { searchPath: "bin::." });
    expect(findInterpreter("", FOLDER, odd).found).toBe(false);
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
    expect(findInterpreter(setting, FOLDER, machine(files))).toEqual({ found: true, python });
  });

  test.each(["/nowhere/python", "nowhere", "~user/python", "../bin/python3"])(
    "%s: nothing else is tried in its place",
    (value) => {
      const answer = findInterpreter(value, FOLDER, machine([IN_DOT_VENV, ON_PATH]));
      expect(answer).toEqual({ found: false, because: "setting", value });
    },
  );

  test("a folder that is no environment", () => {
    const answer = findInterpreter("/opt", FOLDER, machine(["/opt/other/bin/python", ON_PATH]));
    expect(answer).toEqual({ found: false, because: "setting", value: "/opt" });
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
    const answer = findInterpreter(setting, "C:\\p", machine([python], windows));
    expect(answer).toEqual({ found: true, python });
  });
});
