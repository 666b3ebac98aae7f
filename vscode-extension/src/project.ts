/** What makes a folder a Python project for us. Pure. */

/** Where pytest finds its configuration, and what a Python project has at its top. */
const CONFIGURATION_FILES = [
  "pytest.toml",
  ".pytest.toml",
  "pytest.ini",
  ".pytest.ini",
  "pyproject.toml",
  "tox.ini",
  "setup.cfg",
  "setup.py",
];

/** pytest's own, and its default `python_files`. */
const TEST_FILES = ["conftest.py", "test_*.py", "*_test.py"];

/**
 * Globs of which a project has at least one match. The extension's activation events are the same,
 * which a unit test checks.
 */
export const PROJECT_GLOBS: readonly string[] = [
  ...CONFIGURATION_FILES,
  ...TEST_FILES.map((name) => `**/${name}`),
];

/** Folders that hold other people's projects. */
export const FOREIGN_GLOB = "**/{node_modules,site-packages,.venv,venv,.tox,.nox}/**";

/** Whether a file's being there makes its folder a project. */
export function marksProject(fileName: string): boolean {
  return (
    CONFIGURATION_FILES.includes(fileName) ||
    fileName === "conftest.py" ||
    /^test_.*\.py$|_test\.py$/.test(fileName)
  );
}

/**
 * A glob for everything in a folder, however the folder is called.
 *
 * @param folder absolute, as the file system writes it
 */
export function everythingIn(folder: string): string {
  const literal = folder.replace(/[[{*?]/g, "[$&]").replace(/[\\/]$/, "");
  return `${literal}/**/*`;
}
