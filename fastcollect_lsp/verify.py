"""Runs a command line cold and warm and says whether anyone could tell the difference.

The oracle is cold pytest as it would be without us: `python -B … -p no:fastcollect` with a fresh
PYTHONPYCACHEPREFIX, so that no cached bytecode is trusted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_BAD = {"failure", "error", "skipped"}
_VARIABLE = [
    (re.compile(r"(?m)^fastcollect: .*\n"), ""),
    (re.compile(r"(?m)^(collected .*) in \d+\.\d+s$"), r"\1"),
    (re.compile(r"(?m)^(plugins:.*?),? ?fastcollect-[\w.]+"), r"\1"),
    (re.compile(r"(?m)^plugins:, "), "plugins: "),
    (re.compile(r"(?m)^plugins: *\n"), ""),
    (re.compile(r"\bin \d+\.\d+s( \(\d+:\d\d:\d\d\))?"), "in <time>"),
    (re.compile(r"\d+\.\d+ ?(s|ms|us|seconds)\b"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d([.,]\d{3,6})?\b"), "<time>"),
    (re.compile(r"(?m)^=+ (.*?) =+$"), r"== \1 =="),
    (re.compile(r"(?m)^-+ (generated xml file: <report>) -+$"), r"-- \1 --"),
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "<address>"),
    (re.compile(r"/pytest-\d+/"), "/pytest-<n>/"),
]


@dataclass(frozen=True)
class Project:
    """A project to run, with its own interpreter."""

    root: Path
    python: Path
    args: tuple[str, ...] = ()

    @property
    def pytest(self) -> Path:
        """The console script of the project's environment."""
        return self.python.parent / "pytest"

    @property
    def interpreter(self) -> str:
        """The project's interpreter by the name that the console script has for it: tests can see
        which name that is."""
        with contextlib.suppress(OSError), self.pytest.open("rb") as script:
            named = os.fsdecode(script.readline().removeprefix(b"#!").rstrip())
            if os.path.samefile(named, self.python):
                return named
        return str(self.python)


@dataclass(frozen=True)
class Result:
    """What one run showed."""

    exit: int
    """Exit code, or minus the signal that ended it."""
    output: str
    """stdout and stderr, in the order in which they were written."""
    outcomes: tuple[tuple[str, str], ...]
    """(class name::test name, outcome) from a junit file, in order of execution."""
    seconds: float


def normalise(output: str) -> str:
    """Output less times, addresses, numbers of temporary directories and our own line."""
    for pattern, replacement in _VARIABLE:
        output = pattern.sub(replacement, output)
    return output


def run(
    project: Project,
    args: Sequence[str],
    env: Mapping[str, str],
    interpreter_options: Sequence[str] = (),
    timeout: float = 900.0,
    scratch: Path | None = None,
) -> Result:
    """One run of pytest. Raises subprocess.TimeoutExpired after `timeout` seconds, OSError.

    `scratch`: a directory for its report. In the same one, the same arguments are the same command.
    """
    with contextlib.ExitStack() as stack:
        if scratch is None:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        report = scratch / "junit.xml"
        before = _changed_ns(report)
        command = [project.interpreter, *interpreter_options, str(project.pytest)]
        command += [*project.args, *args, f"--junitxml={report}"]
        began = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=project.root,
            env={**env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        seconds = time.perf_counter() - began
        outcomes = _outcomes(report) if _changed_ns(report) != before else ()
        output = done.stdout.replace(str(report), "<report>")
    return Result(done.returncode, output, outcomes, seconds)


def _changed_ns(report: Path) -> int | None:
    try:
        return report.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _outcomes(report: Path) -> tuple[tuple[str, str], ...]:
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = ",".join(child.tag for child in case if child.tag in _BAD) or "passed"
        found.append((f"{case.get('classname')}::{case.get('name')}", outcome))
    return tuple(found)


def run_cold(
    project: Project, args: Sequence[str], env: Mapping[str, str], scratch: Path | None = None
) -> Result:
    """The oracle; `scratch` as for `run`."""
    with tempfile.TemporaryDirectory() as cache:
        environ = {**env, "PYTHONPYCACHEPREFIX": cache}
        return run(project, ["-p", "no:fastcollect", *args], environ, ["-B"], scratch=scratch)


def differences(cold: Result, warm: Result) -> tuple[str, ...]:
    """What tells two runs apart, in words; empty if nothing does."""
    found = []
    if cold.exit != warm.exit:
        found.append(f"exit status {cold.exit} became {warm.exit}")
    if cold.outcomes != warm.outcomes:
        changed = sorted(set(warm.outcomes) ^ set(cold.outcomes))
        what = f"outcomes differ: {changed[:5]}" if changed else "the order of the tests differs"
        found.append(what)
    before, after = normalise(cold.output), normalise(warm.output)
    if before != after:
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), "cold", "warm", lineterm="", n=1
        )
        found.append("\n".join(list(lines)[:60]))
    return tuple(found)


def compare(cold: Result, warm: Result, again: Result) -> tuple[str, ...]:
    """`differences`, less what two cold runs do not agree upon either.

    `again` is a second cold run, asked for where the first differs from the warm one.
    """
    found = differences(cold, warm)
    if not found or not differences(cold, again):
        return found
    agreed = set(normalise(cold.output).splitlines()) & set(normalise(again.output).splitlines())
    stable = {pair for pair in cold.outcomes if pair in set(again.outcomes)}
    return differences(_only(cold, agreed, stable), _only(warm, agreed, stable))


def _only(result: Result, lines: set[str], outcomes: set[tuple[str, str]]) -> Result:
    kept = [line for line in normalise(result.output).splitlines() if line in lines]
    return dataclasses.replace(
        result,
        output="\n".join(kept),
        outcomes=tuple(pair for pair in result.outcomes if pair in outcomes),
    )
