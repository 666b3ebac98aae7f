import { describe, expect, test } from "vitest";
import * as problem from "../src/problem";

const ALL = [
  problem.badInterpreterSetting("/nowhere/python"),
  problem.badInterpreterSetting(["a"]),
  problem.noInterpreter("project"),
  problem.serverMissing("/env/bin/python"),
  problem.serverIncompatible("/env/bin/fastcollect", 2, 1),
  problem.serverFailed("project", "boom\n  at somewhere\n"),
  problem.notTrusted("project"),
  problem.nothingToList("/env/bin/python"),
];

test.each(ALL)("one line that offers a remedy: $message", ({ message, remedies }) => {
  expect(message).not.toContain("\n");
  expect(remedies.length).toBeGreaterThan(0);
});

describe("what is named", () => {
  test("the setting and its value", () => {
    expect(ALL[0]?.message).toBe(
      'fastcollect.interpreter: there is no Python interpreter at "/nowhere/python".',
    );
    expect(ALL[1]?.message).toBe('fastcollect.interpreter: a path is expected, not ["a"].');
  });

  test("the interpreter, and the command that helps", () => {
    const command = "/env/bin/python -m pip install pytest-fastcollect";
    expect(ALL[3]?.message).toContain(`not installed for /env/bin/python`);
    expect(ALL[3]?.message).toContain(`\`${command}\``);
    expect(ALL[3]?.remedies.slice(0, 3)).toEqual([
      { kind: "install", python: "/env/bin/python" },
      { kind: "staticOnly", python: "/env/bin/python" },
      { kind: "copyCommand", command },
    ]);
  });

  test("both versions", () => {
    expect(ALL[4]?.message).toContain("speaks version 2");
    expect(ALL[4]?.message).toContain("needs version 1");
    expect(problem.serverIncompatible("/f", undefined, 1).message).toContain("speaks no version");
  });

  test("the first line of the reason", () => {
    expect(ALL[5]?.message).toBe('The server for "project" is not running: boom');
  });
});
