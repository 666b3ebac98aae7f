"""Real pytest as a process that collects again and again: standard library and pytest only.

One request per line on stdin, `{"cwd": …, "args": […], "apart": …}`; one answer per line on
stdout, `{"ids": […], "failed": […]}`. Requests that are not to be answered apart, by a fork of this
process, have to be about directories that were never collected before: modules stay imported.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings
from typing import Any

import pytest


class Plugin:
    """Notes what is collected and what fails."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.failed: list[str] = []

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self.failed.append(report.nodeid)

    def pytest_collection_finish(self, session: Any) -> None:
        self.ids = [item.nodeid for item in session.items]


def collect(cwd: str, args: list[str]) -> dict[str, object]:
    """One collection; the working directory is left as it was."""
    before, path = os.getcwd(), list(sys.path)
    os.chdir(cwd)
    plugin = Plugin()
    sink = io.StringIO()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider"]
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            status = pytest.main([*options, *args], plugins=[plugin])
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in [name for name, module in sys.modules.items() if is_below(module, cwd)]:
            del sys.modules[name]
    answer: dict[str, object] = {"ids": plugin.ids, "failed": plugin.failed}
    if int(status) not in (0, 1, 2, 5):
        answer["output"] = sink.getvalue()
    return answer


def collect_apart(cwd: str, args: list[str]) -> dict[str, object]:
    """One collection in a process that has imported pytest, and nothing else so far."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        sys.path[0] = cwd  # as in `python -m pytest`; here it is this script's directory
        with os.fdopen(writing, "w") as answer:
            json.dump(collect(cwd, args), answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    found: dict[str, object] = json.loads(text) if text else {"output": "pytest died"}
    return found


def is_below(module: object, directory: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(directory)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        answer = collect_apart if request["apart"] else collect
        print(json.dumps(answer(request["cwd"], request["args"])), file=answers, flush=True)
