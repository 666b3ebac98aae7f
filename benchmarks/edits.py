"""What an edit costs: the run at once after it, the time until all is warm, the run after that.

usage: python benchmarks/edits.py [--python PATH] [--rounds N] [--output FILE]

PATH is the interpreter of an environment with this project, numpy, pandas and scipy. Makes a
project of 40 test modules, edits it in turn, and times each run beside a cold one of the same
command, in the same round. Prints a table of medians.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = 40
FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\ntestpaths = ["tests"]\n',
    "src/pkg/__init__.py": "from .core import mean\n",
    "src/pkg/core.py": "import pandas as pd\n\nFACTOR = 1\n\n\n"
    "def mean(values):\n    return pd.Series(values).mean() * FACTOR\n",
    "tests/conftest.py": "import numpy as np\nimport pytest\nfrom pkg import mean\n\n\n"
    "@pytest.fixture\ndef values():\n    return np.arange(5)\n",
    "tests/helper.py": "import scipy.stats\n\nANSWER = 2\n",
    "site/library.py": "VALUE = 1\n",
}
TEST = """{imports}
from pkg import mean


def test_mean(values):
    assert mean(values) == 2
"""


@dataclass(frozen=True)
class Edit:
    """A kind of edit: the file that gets a comment, and the command that is run."""

    path: str
    args: tuple[str, ...] = ()


EDITS = {
    "last test module": Edit(f"tests/test_{MODULES - 1:02}.py"),
    "the same again": Edit(f"tests/test_{MODULES - 1:02}.py"),
    "first test module": Edit("tests/test_00.py"),
    "test module, run alone": Edit("tests/test_20.py", ("tests/test_20.py",)),
    "helper of half the tests": Edit("tests/helper.py"),
    "root conftest": Edit("tests/conftest.py"),
    "source module": Edit("src/pkg/core.py"),
    "pyproject.toml": Edit("pyproject.toml"),
    "third-party module": Edit("site/library.py"),
}


@dataclass
class Times:
    """Seconds, one entry a round."""

    cold: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)
    until_warm: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """The project and its server."""

    root: Path
    python: Path
    env: Mapping[str, str]

    def run(self, *command: str) -> tuple[float, str]:
        """Seconds and standard output of `python -m COMMAND`."""
        began = time.perf_counter()
        done = subprocess.run(
            [str(self.python), "-m", *command],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return time.perf_counter() - began, done.stdout

    def status(self) -> dict[str, list[dict[str, str]]]:
        """`fastcollect status --json` once all is warm."""
        status: dict[str, list[dict[str, str]]] = json.loads(
            self.run("fastcollect_lsp", "status", "--json", "--wait", "300")[1]
        )
        return status


def make_project(root: Path) -> None:
    """Write the files of the workload."""
    files = dict(FILES)
    for number in range(MODULES):
        imports = "import library" if number < MODULES // 2 else "import helper"
        files[f"tests/test_{number:02}.py"] = TEST.format(imports=imports)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def measure(bench: Bench, edit: Edit, times: Times) -> None:
    """One round of one edit."""
    with (bench.root / edit.path).open("a") as file:
        file.write(f"# {time.time_ns()}\n")
    times.at_once.append(bench.run("pytest", "-q", *edit.args)[0])
    began = time.perf_counter()
    status = bench.status()
    times.until_warm.append(times.at_once[-1] + time.perf_counter() - began)
    times.kept.append(status["warmups"][-1]["kept"])
    times.warm.append(bench.run("pytest", "-q", *edit.args)[0])
    times.cold.append(bench.run("pytest", "-q", "-p", "no:fastcollect", *edit.args)[0])


def table(measured: Mapping[str, Times]) -> str:
    """Markdown."""
    lines = [
        "| edited | cold run | run at once | until warm again | next run | kept |",
        "|---|---|---|---|---|---|",
    ]
    for name, times in measured.items():
        cold = statistics.median(times.cold)

        def cell(values: list[float], cold: float = cold) -> str:
            middle = statistics.median(values)
            return f"{middle:.2f} s ({middle / cold:.2f})"

        row = [name, f"{cold:.2f} s", *map(cell, (times.at_once, times.until_warm, times.warm))]
        lines.append(f"| {' | '.join(row)} | {statistics.mode(times.kept)} |")
    return "\n".join(lines)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        root = Path(directory) / "project"
        make_project(root)
        env = {name: value for name, value in os.environ.items() if name != "CI"}
        env |= {"FASTCOLLECT_DIR": str(Path(directory) / "run"), "PYTHONPATH": str(root / "site")}
        bench = Bench(root, options.python.absolute(), env)
        measured = {name: Times() for name in EDITS}
        try:
            for edit in EDITS.values():
                bench.run("pytest", "-q", *edit.args)
                bench.status()
            for _ in range(options.rounds):
                for name, edit in EDITS.items():
                    measure(bench, edit, measured[name])
        finally:
            bench.run("fastcollect_lsp", "stop")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    text = (
        f"Medians of {options.rounds} rounds on {machine}; in brackets the ratio to the cold run.\n"
        f"`until warm again` counts from the edit.\n\n"
        f"{table(measured)}\n"
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
