import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { everythingIn, marksProject, PROJECT_GLOBS } from "../src/project";

test("the extension is activated by what makes a folder a project", () => {
  const { activationEvents } = JSON.parse(readFileSync("package.json", "utf8")) as {
    activationEvents: string[];
  };
  expect(activationEvents).toEqual([
    "onLanguage:python",
    ...PROJECT_GLOBS.map((glob) => `workspaceContains:${glob}`),
  ]);
});

test.each([
  ["conftest.py", true],
  ["test_a.py", true],
  ["a_test.py", true],
  ["pyproject.toml", true],
  ["tests.py", false],
  ["test_a.pyi", false],
  ["contest.py", false],
])("%s marks a project: %s", (name, expected) => {
  expect(marksProject(name)).toBe(expected);
});

describe("everythingIn", () => {
  test.each([
    ["/p", "/p/**/*"],
    ["/p/", "/p/**/*"],
    ["/a [1]/{b}*?", "/a [[]1]/[{]b}[*][?]/**/*"],
    ["C:\\p\\", "C:\\p/**/*"],
  ])("%s", (folder, glob) => {
    expect(everythingIn(folder)).toBe(glob);
  });
});
