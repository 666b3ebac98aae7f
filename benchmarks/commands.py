"""What commands cost: cold pytest, warm, collected ahead, by the plugin and by the native command.

usage: python benchmarks/commands.py [--python PATH] [--rounds N] [--output FILE] [PROJECT...]

PATH is the interpreter of an environment with this project, numpy and pandas (pytest-xdist is
measured where it is there). Projects: numpy+pandas, 183, 1000, 10000 (tests, made here). Every
command is run once in each round, all of them in turn; the table has medians, ranges, and ratios to
cold pytest of the same command in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PANDAS = {
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    "tests/conftest.py": "import numpy\nimport pytest\n\n\n"
    "@pytest.fixture\ndef values():\n    return numpy.arange(5)\n",
    "tests/test_mean.py": "import pandas\nimport pytest\n\n\n"
    "def test_mean(values):\n    assert pandas.Series(values).mean() == 2\n\n\n"
    "@pytest.mark.parametrize('n', range(20))\ndef test_many(n, values):\n    assert n >= 0\n",
}
MODULE = """import json

import pytest


@pytest.fixture
def value():
    return {number}


def test_value(value):
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("n", range({cases}))
def test_cases(n, value):
    assert n + value >= value
"""


def made(tests: int, files: int) -> dict[str, str]:
    """A project of so many tests, light ones, in so many files."""
    cases = tests // files - 1
    found = {
        f"tests/test_{number:04}.py": MODULE.format(number=number, cases=cases)
        for number in range(files)
    }
    found["tests/conftest.py"] = "import pytest\n"
    found["pyproject.toml"] = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'
    return found


PROJECTS: dict[str, Callable[[], dict[str, str]]] = {
    "numpy+pandas": lambda: PANDAS,
    "183": lambda: made(183, 3),
    "1000": lambda: made(1000, 50),
    "10000": lambda: made(10000, 500),
}


@dataclass(frozen=True)
class Job:
    """What is asked for, and an edit before it."""

    args: tuple[str, ...]
    edit: str | None = None
    """A file that gets a comment before each run."""


def jobs(files: Mapping[str, str]) -> dict[str, Job]:
    """The rows of a project."""
    first = next(name for name in sorted(files) if "/test_" in name)
    name = "test_mean" if "test_mean" in files[first] else "test_value"
    return {
        "one test, repeated": Job((f"{first}::{name}",)),
        "all tests, repeated": Job(("-q",)),
        "--collect-only -q, repeated": Job(("--collect-only", "-q")),
        "one test after an edit of its file": Job((f"{first}::{name}",), first),
        "one test after an edit of the conftest": Job((f"{first}::{name}",), "tests/conftest.py"),
    }


@dataclass
class Bench:
    """A project on disk, and who runs it."""

    root: Path
    bin: Path
    env: dict[str, str]
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def run(self, command: list[str]) -> float:
        """Milliseconds of a whole process; its tests have to pass."""
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        elapsed = (time.perf_counter() - began) * 1000
        assert done.returncode == 0, done.stdout.decode()
        return elapsed

    def settle(self) -> None:
        """Wait until nothing is being made."""
        self.run([str(self.bin / "fastcollect"), "status", "--wait", "120", "--json"])

    def note(self, row: str, who: str, ms: float) -> None:
        self.times.setdefault((row, who), []).append(ms)


def measure(bench: Bench, rows: Mapping[str, Job], rounds: int) -> None:
    """Fill in the times; the first run of each command is not counted."""
    pytest, native = str(bench.bin / "pytest"), str(bench.bin / "fastcollect")
    xdist = subprocess.run([bench.bin / "python", "-c", "import xdist"], capture_output=True)
    bench.note("first run", "plugin", bench.run([pytest, "-q"]))
    bench.settle()
    for row, job in rows.items():
        commands = {
            "cold": [pytest, "-p", "no:fastcollect", *job.args],
            "plugin": [pytest, *job.args],
            "native": [native, "run", *job.args],
        }
        if xdist.returncode == 0 and row.startswith("all"):
            commands["xdist"] = [pytest, "-p", "no:fastcollect", "-n", "2", *job.args]
        for _ in range(2):
            bench.run(commands["plugin"])
            bench.settle()
        for number in range(rounds):
            bench.note(row, "--version", bench.run([pytest, "--version"]))
            for who, command in commands.items():
                if job.edit is not None:
                    path = bench.root / job.edit
                    path.write_text(path.read_text() + f"# {number} {who}\n")
                bench.note(row, who, bench.run(command))
                bench.settle()
    other = [f"{row.args[0].rpartition('::')[0]}::{name}" for row in list(rows.values())[:1]
             for name in _others(bench.root / row.args[0].partition("::")[0])]  # fmt: skip
    for number in range(rounds):
        target = other[number % len(other)]
        bench.note("another node id", "cold", bench.run([pytest, "-p", "no:fastcollect", target]))
        bench.note("another node id", "native", bench.run([native, "run", target]))
        bench.settle()


def _others(path: Path) -> list[str]:
    """Parameter sets of a file: more of them than sessions are kept, so that none is there."""
    name = "test_many" if "test_many" in path.read_text() else "test_cases"
    return [f"{name}[{number}]" for number in range(8)]


def table(bench: Bench) -> list[str]:
    """Markdown: one line for each row and who ran it."""
    lines = ["| what | who | ms (median) | range | of cold |", "|---|---|---|---|---|"]
    for (row, who), times in bench.times.items():
        cold = bench.times.get((row, "cold"), [])
        ratios = [ms / base for ms, base in zip(times, cold, strict=False)]
        share = f"1/{1 / statistics.median(ratios):.1f}" if ratios and who != "cold" else ""
        middle = statistics.median(times)
        extent = f"{min(times):.0f} to {max(times):.0f}"
        lines.append(f"| {row} | {who} | {middle:.0f} | {extent} | {share} |")
    return lines


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path)
    parser.add_argument("projects", nargs="*", default=list(PROJECTS))
    options = parser.parse_args()
    load = os.getloadavg()[0]
    out = [
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the start"
    ]
    for name in options.projects:
        with tempfile.TemporaryDirectory(prefix="fastcollect-") as scratch:
            root = Path(scratch, "project")
            files = PROJECTS[name]()
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            env = {
                k: v for k, v in os.environ.items() if k not in ("CI", "PYTHONDONTWRITEBYTECODE")
            }
            env |= {"FASTCOLLECT_DIR": str(Path(scratch, "run"))}
            bench = Bench(root, options.python.parent, env)
            try:
                measure(bench, jobs(files), options.rounds)
                status = subprocess.run(
                    [bench.bin / "fastcollect", "status", "--json"],
                    cwd=root, env=env, capture_output=True,
                ).stdout  # fmt: skip
            finally:
                bench.run([str(bench.bin / "fastcollect"), "stop"])
        served = json.loads(status)["runs"]
        out += ["", f"## {name}", "", f"Served: {served}", "", *table(bench)]
        print("\n".join(out[-len(table(bench)) - 5 :]), flush=True)
    if options.output is not None:
        options.output.write_text("\n".join(["# Commands", "", *out, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
