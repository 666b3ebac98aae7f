"""Cold runs with `-k`, with modules left out and without: `python benchmarks/selective.py`.

    python benchmarks/selective.py [--python PYTHON] [--rounds N] [--project DIR -k EXPRESSION]

PYTHON is an environment with both distributions (default: this one); the project is made, 200
modules with 50 tests each, unless one is named. A tenth of its modules is selected. Each round has:

    pytest     without us
    whole      cold, with what was kept taken away: all is imported, and kept
    selective  cold, with what the runs before have kept

No server takes part: its directory is open to others, so that none is asked or started there.
Medians of wall clock and of CPU time; ratios are those of the rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

MODULES = 200
FACTORY = """import pytest
import things
from things import Thing


@pytest.fixture
def thing():
    return Thing()


@pytest.mark.parametrize("number", range(20))
def test_number(number, thing):
    assert thing.value + number >= number


class Test{name}:
"""
METHOD = """    def test_method_{number}(self, thing, tmp_path):
        value = {{"name": "{number}", "path": str(tmp_path)}}
        assert value["name"] == "{number}", value

"""


def make(root: Path) -> None:
    """A project whose modules share what is slow to import."""
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    libraries = "".join(
        f"try:\n    import {name}\nexcept ImportError:\n    pass\n" for name in ("numpy", "pandas")
    )
    (root / "things.py").write_text(f"{libraries}\nclass Thing:\n    value = 1\n")
    for number in range(MODULES):
        name = f"{'Chosen' if number % 10 == 5 else 'Other'}{number}"
        methods = "".join(METHOD.format(number=method) for method in range(30))
        (root / f"test_{number:03}.py").write_text(FACTORY.format(name=name) + methods)


class Runs:
    """Runs of one project."""

    def __init__(self, root: Path, python: str, directory: Path) -> None:
        self._root = root
        self._python = python
        self._base = directory
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "PYTHON", "COVERAGE_")) and name != "CI"
        }
        self._env |= {
            "FASTCOLLECT": "1",
            "FASTCOLLECT_SELECTIVE": "1",
            "FASTCOLLECT_DIR": str(directory),
        }
        directory.mkdir()
        directory.chmod(0o777)

    def run(self, *args: str) -> tuple[float, float, str]:
        """Wall clock and CPU time in seconds, and the last line."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        command = [self._python, "-m", "pytest", "-q", *args]
        done = subprocess.run(
            command, cwd=self._root, env=self._env, stdout=subprocess.PIPE, text=True
        )
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return wall, cpu, done.stdout.strip().splitlines()[-1].partition(" in ")[0]

    def forget(self) -> None:
        """Take away what was kept of the project's tests."""
        shutil.rmtree(self._base / "cache", ignore_errors=True)

    def study(self) -> None:
        """What a server does in the background."""
        kept = map(str, (self._base / "cache").glob("*.collected"))
        command = [self._python, "-m", "pytest_fastcollect.studying", *kept]
        subprocess.run(command, env=self._env, check=True)


def measure(runs: Runs, select: list[str], rounds: int) -> None:
    """Print the table."""
    without = ["-p", "no:fastcollect"]
    taken: Mapping[str, list[tuple[float, float]]] = {"pytest": [], "whole": [], "selective": []}
    runs.run(*select, *without)  # bytecode and page cache
    lines = set()
    for _ in range(rounds):
        for kind in taken:
            if kind == "whole":
                runs.forget()
            if kind == "selective":
                runs.study()
            wall, cpu, line = runs.run(*select, *(without if kind == "pytest" else ()))
            taken[kind].append((wall, cpu))
            lines.add(line)
    print(f"{' '.join(select)}: {' | '.join(lines)}")
    for kind, times in taken.items():
        cells = []
        for index, name in enumerate(("wall", "CPU")):
            mine = [one[index] for one in times]
            ratios = [base[index] / one for base, one in zip(taken["pytest"], mine, strict=True)]
            cells.append(
                f"{name} {statistics.median(mine):6.2f} s ({min(mine):.2f} to {max(mine):.2f}),"
                f" {statistics.median(ratios):.2f}x"
            )
        print(f"{kind:10} {'   '.join(cells)}", flush=True)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--project", type=Path)
    parser.add_argument("-k", dest="keyword", default="Chosen")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = options.project or Path(directory, "project")
        if options.project is None:
            make(root)
            time.sleep(0.2)  # younger files are not trusted
        runs = Runs(root, options.python, Path(directory, "run"))
        measure(runs, ["-k", options.keyword], options.rounds)


if __name__ == "__main__":
    main()
