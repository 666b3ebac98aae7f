"""Coverage of a run: coverage.py of the project's environment, under the project's configuration.

A run whose coverage is wanted is `coverage run --branch` around a cold `pytest`: what is imported
ahead of time cannot be measured. The data is read through `coverage json`: the server imports
nothing of the project's environment.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from .editor import wire

log = logging.getLogger("fastcollect.coverage")


class Missing(Exception):
    """Coverage cannot be measured or read; the text says what is missing."""


@dataclass(frozen=True)
class Measured:
    """One run's coverage: for each file (absolute path) what `coverage json` says of it."""

    files: Mapping[str, Mapping[str, Any]]


def command(pytest: Sequence[str], data: Path) -> list[str]:
    """`pytest` (a command line, the interpreter first) measured into a data file. Raises Missing.

    pytest-cov would measure a second time: where it is installed, it is told to stay out.
    """
    if not _is_installed("coverage"):
        raise Missing("coverage is not installed in this environment: pip install coverage")
    python, *rest = pytest
    args = ["-m", "coverage", "run", "--branch", f"--data-file={data}", *rest]
    if _is_installed("pytest_cov"):
        args.append("--no-cov")
    return [python, *args]


def _is_installed(package: str) -> bool:
    """A folder of that name, left behind by what was uninstalled, is none: it has no file."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def new_data_file() -> Path:
    """Where a run may leave its data, in a directory of its own; `read` removes that."""
    return Path(tempfile.mkdtemp(prefix="fastcollect-")) / "data"


def read(data: Path, root: str, environ: Mapping[str, str]) -> Measured:
    """What a run has left; removes it. Blocks. Raises Missing."""
    try:
        return _read(data, root, environ)
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


def _read(data: Path, root: str, environ: Mapping[str, str]) -> Measured:
    tool = [sys.executable, "-m", "coverage"]
    option = f"--data-file={data}"
    report = data.with_name("report.json")
    if not data.exists():  # `parallel = true`: one file for each process
        _run([*tool, "combine", "-q", option], root, environ)
    _run([*tool, "json", "-q", option, "--show-contexts", "-o", str(report)], root, environ)
    try:
        plain = orjson.loads(report.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise Missing(f"coverage has left no report: {error}") from None
    files = {os.path.join(root, name): file for name, file in plain["files"].items()}
    own = own_directories(root)
    return Measured(
        {path: file for path, file in files.items() if not path.startswith(own)},
    )


def own_directories(root: str) -> tuple[str, ...]:
    """Where our own code is, which every run executes, with a separator at the end; nothing of the
    project (`root`, absolute)."""
    specs = [importlib.util.find_spec(name) for name in ("fastcollect_lsp", "pytest_fastcollect")]
    found = [
        os.path.join(os.path.realpath(place), "")
        for spec in specs
        for place in (spec.submodule_search_locations or () if spec else ())
    ]
    return tuple(place for place in found if not place.startswith(os.path.join(root, "")))


def _run(command: Sequence[str], cwd: str, environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=dict(environ), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().rpartition("\n")[2]
        # Exit 2 of `coverage json`: less than `fail_under`; the report is written all the same.
        if command[3] != "json" or done.returncode != 2:
            raise Missing(f"coverage {command[3]}: {last}")


def answer(measured: Measured, uri: str | None, test: str | None) -> wire.CoverageResult:
    """All files in short, or one in detail; of all tests, or of one."""
    files = []
    for path, file in sorted(measured.files.items()):
        file_uri = Path(path).as_uri()
        if uri is None or uri == file_uri:
            files.append(_file(file_uri, file, test, detailed=uri is not None))
    return wire.CoverageResult([file for file in files if file is not None])


def _file(
    uri: str, file: Mapping[str, Any], test: str | None, *, detailed: bool
) -> wire.FileCoverage | None:
    contexts = {int(line): set(tests) for line, tests in file.get("contexts", {}).items()}
    tests = sorted(set().union(*contexts.values()) - {""})
    if test is not None and test not in tests:
        return None
    executed = set(file["executed_lines"])
    lines = sorted({*executed, *file["missing_lines"]})
    if test is not None:
        # What is executed once, at import, whichever test comes: no test's merit, and not missing.
        lines = [line for line in lines if line not in executed or contexts.get(line) != {""}]
        executed = {line for line in executed if test in contexts.get(line, ())}
    branches = _branches(file, executed)
    declarations = _declarations(file, executed)
    return wire.FileCoverage(
        uri=uri,
        statements=wire.CoverageCount(len(executed), len(lines)),
        branches=_count(branch.executed for found in branches.values() for branch in found),
        declarations=_count(declaration.executed for declaration in declarations),
        tests=tests,
        lines=[
            wire.StatementCoverage(line - 1, line in executed, branches.get(line, ()))
            for line in lines
        ]
        if detailed
        else None,
        functions=declarations if detailed else None,
    )


def _count(executed: Iterator[bool]) -> wire.CoverageCount:
    all_of_them = list(executed)
    return wire.CoverageCount(sum(all_of_them), len(all_of_them))


def _branches(file: Mapping[str, Any], executed: set[int]) -> dict[int, list[wire.BranchCoverage]]:
    """The branches by the line in which they begin. Negative targets leave the function.

    Which test took a branch is not recorded; one whose line a test did not reach, it did not take.
    """
    found: dict[int, list[wire.BranchCoverage]] = {}
    for kind in ("executed_branches", "missing_branches"):
        for line, target in file.get(kind, ()):
            taken = kind == "executed_branches" and line in executed
            taken = taken and (target < 0 or target in executed)
            label = f"to line {target}" if target > 0 else "to the end"
            found.setdefault(line, []).append(wire.BranchCoverage(taken, label))
    return found


def _declarations(file: Mapping[str, Any], executed: set[int]) -> list[wire.DeclarationCoverage]:
    found = []
    for name, function in file.get("functions", {}).items():
        body = {*function["executed_lines"], *function["missing_lines"]}
        if name and body:  # "" is what is in no function
            line = int(function.get("start_line", min(body)))
            found.append(wire.DeclarationCoverage(name, line - 1, not executed.isdisjoint(body)))
    return found
