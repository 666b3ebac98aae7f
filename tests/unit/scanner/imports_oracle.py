"""Runs in a suite's interpreter: which files Python really imports to collect one test file.

`python imports_oracle.py FILE...` in the suite's directory prints one JSON object a line: the
file, and the files of all modules that collecting it has loaded, without those of plugins. One
pytest loads its plugins, and is forked for each file, so that one does not import for the next.
"""

from __future__ import annotations

import json
import os
import sys

import pytest


class Watch:
    """Collects one file in each fork, and tells what that loaded."""

    def __init__(self, to: int, files: list[str]) -> None:
        self.to = to
        self.files = files
        self.file = ""
        self.before: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config, args: list[str]) -> None:
        self.before = set(sys.modules)
        for file in self.files:
            pid = os.fork()
            if pid == 0:
                self.file = file
                args.append(file)
                early_config.known_args_namespace.file_or_dir[:] = [file]
                return
            os.waitpid(pid, 0)
        os._exit(0)

    def pytest_collection_finish(self) -> None:
        modules = [module for name, module in sys.modules.items() if name not in self.before]
        files = [getattr(module, "__file__", None) for module in modules]
        imported = sorted({os.path.realpath(file) for file in files if file})
        answer = {"file": self.file, "imported": imported}
        os.write(self.to, (json.dumps(answer) + "\n").encode())

    def pytest_sessionfinish(self) -> None:
        os._exit(0)


def main() -> None:
    """Collect each file named on the command line."""
    to, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    options = ["--collect-only", "-q", "-p", "no:fastcollect", "-p", "no:cacheprovider"]
    pytest.main(options, plugins=[Watch(to, sys.argv[1:])])


if __name__ == "__main__":
    # `python -m pytest` has the working directory there, not the script's.
    sys.path[0] = os.getcwd()
    main()
