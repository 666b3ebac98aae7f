"""What commands cost, and whether the answers are right: ours, pytest's own, and others'.

usage: python benchmarks/commands.py [--python PATH] [--rounds N] [--others] [--suite NAME]...
           [--keep] [WORKLOAD...]

PATH is the interpreter of an environment with this project, numpy and pandas (and pytest-xdist, if
that is to be measured). `--others` installs those from PyPI into `.work/rivals` (`contestants.py`).
Workloads: numpy+pandas, 183, 1000, 10000 (tests; `workloads.py`). In each round all run the same
command in turn, each in its own copy of the project, a second after the edit where there is one.
An answer is wrong where exit status, or number of tests passed, failed or listed, is not that of
cold pytest in the same round. Results go to `benchmarks/results/commands.json` and `commands.md`;
`benchmarks/plot.py` draws them. `--keep` leaves what these hold of other workloads.

`--suite` adds real suites, where FASTCOLLECT_SUITES says (`tests/equivalence/suites.py`): all their
tests and `--collect-only`, in their own environments, by pytest and by ours.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.resolve()
sys.path[:0] = [str(HERE.parent)]
from benchmarks.contestants import Contestant, own, rivals  # noqa: E402
from benchmarks.workloads import JOBS, WORKLOADS, Job, set_value, write  # noqa: E402
from tests.equivalence.suites import Suite, available  # noqa: E402

RESULTS = HERE / "results"
COLD = "cold pytest"
PAUSE_S = 1.0
"""Between an edit and the run after it: the time to get from the editor to the terminal."""
TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Answer:
    """What a run has said."""

    exit: int
    passed: int = 0
    failed: int = 0
    listed: int = 0


@dataclass
class Cell:
    """A contestant in one row."""

    workload: str
    row: str
    who: str
    ms: list[float] = field(default_factory=list)
    """Whole processes."""
    wrong: int = 0
    answers: int = 0
    """Those compared with cold pytest's; `pytest --version` has none."""


@dataclass(frozen=True)
class Entry:
    """A contestant with its copy of a project."""

    contestant: Contestant
    root: Path
    env: Mapping[str, str]

    def run(self, args: Sequence[str]) -> tuple[float, Answer]:
        """Milliseconds of a whole process, and what it said."""
        with tempfile.TemporaryFile("w+", errors="replace") as output:  # a daemon keeps a pipe open
            began = time.perf_counter()
            process = subprocess.Popen(
                self.contestant.command(args), cwd=self.root, env=self.env,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            # `Popen.wait` with a timeout looks every 50 ms only.
            ended = select.poll()
            pidfd = os.pidfd_open(process.pid)
            ended.register(pidfd, select.POLLIN)
            is_over = ended.poll(TIMEOUT_S * 1000)
            elapsed = (time.perf_counter() - began) * 1000
            os.close(pidfd)
            if not is_over:
                process.kill()
            status = process.wait()
            output.seek(0)
            return elapsed, _read(status, output.read(), "--collect-only" in args)

    def settle(self) -> None:
        """Wait until nothing goes on in the background."""
        self._quietly(self.contestant.settle)

    def stop(self) -> None:
        """End what stays from one run to the next."""
        self._quietly(self.contestant.stop)

    def _quietly(self, command: list[str]) -> None:
        if command:
            subprocess.run(
                command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S,
            )  # fmt: skip


def _read(status: int, output: str, listing: bool) -> Answer:
    if listing:
        listed = {
            line.strip() for line in output.splitlines() if re.match(r"\s*[\w/]+\.py::", line)
        }
        return Answer(status, listed=len(listed))

    def count(word: str) -> int:
        found = re.findall(rf"(\d+) {word}\b", output)
        return int(found[-1]) if found else 0

    return Answer(status, count("passed"), count("failed"))


class Table:
    """The cells, filled in row by row."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str, str], Cell] = {}
        self.made: dict[str, str] = {}
        """On which machine, and how our runs were served, by workload."""

    def keep(self, data: Mapping[str, Any], measured: Sequence[str]) -> None:
        """What was measured before, of other workloads."""
        self.made = {name: text for name, text in data["made"].items() if name not in measured}
        for cell in (Cell(**cell) for cell in data["cells"]):
            if cell.workload in self.made:
                self.cells[cell.workload, cell.row, cell.who] = cell

    def add(self, workload: str, row: str, who: str, ms: float) -> Cell:
        """One more time of a contestant."""
        key = workload, row, who
        cell = self.cells.setdefault(key, Cell(*key))
        cell.ms.append(ms)
        return cell

    def markdown(self) -> list[str]:
        """One line for each row and who ran it."""
        lines: list[str] = []
        for workload in dict.fromkeys(cell.workload for cell in self.cells.values()):
            lines += ["", f"## {workload}", "", self.made.get(workload, ""), ""]
            lines += ["| what | who | ms, median | range | times as fast as cold | wrong |"]
            lines += ["|---|---|---|---|---|---|"]
            for cell in self.cells.values():
                if cell.workload == workload:
                    lines.append(self._line(cell))
        return lines

    def _line(self, cell: Cell) -> str:
        cold = self.cells.get((cell.workload, cell.row, COLD))
        ratios = [base / ms for ms, base in zip(cell.ms, cold.ms, strict=False)] if cold else []
        faster = f"{statistics.median(ratios):.1f}" if ratios and cell is not cold else ""
        wrong = f"{cell.wrong} of {cell.answers}" if cell.answers else ""
        middle, extent = statistics.median(cell.ms), f"{min(cell.ms):.0f} to {max(cell.ms):.0f}"
        return f"| {cell.row} | {cell.who} | {middle:.0f} | {extent} | {faster} | {wrong} |"


def measure(
    table: Table, workload: str, row: str, job: Job, entries: Sequence[Entry], rounds: int
) -> None:
    """Fill in one row."""
    entries = [e for e in entries if e.contestant.collects or "--collect-only" not in job.args]
    for entry in entries:
        for _ in range(2):
            entry.run([arg.format(round=0) for arg in job.args])
            entry.settle()
    for number in range(1, rounds + 1):
        args = [arg.format(round=number) for arg in job.args]
        right: Answer | None = None
        for entry in entries:  # cold pytest is the first
            if job.edited is not None:
                set_value(entry.root / job.edited, 1 + number % 2)
                time.sleep(PAUSE_S)
            ms, answer = entry.run(args)
            cell = table.add(workload, row, entry.contestant.name, ms)
            right = right or answer
            if "--version" not in entry.contestant.name:
                cell.answers += 1
                cell.wrong += answer != right
            entry.settle()
    if job.edited is not None:
        for entry in entries:
            set_value(entry.root / job.edited, 1)


def measure_first(table: Table, workload: str, entries: Sequence[Entry], rounds: int) -> None:
    """The run that finds nothing there, of all who keep something."""
    for _ in range(rounds):
        for entry in entries:
            if entry.contestant.name == COLD or entry.contestant.stop:
                entry.stop()
                ms, _ = entry.run(["-q"])
                table.add(workload, "all tests, the first run of all", entry.contestant.name, ms)
                entry.settle()


def run_workload(
    table: Table, workload: str, python: Path, others: bool, rounds: int, rows: Sequence[str]
) -> str:
    """All rows of a project; how many runs ours has served, by how."""
    with tempfile.TemporaryDirectory(prefix="fc-") as name:
        scratch = Path(name)
        unwanted = ("CI", "PYTEST", "PYTHON", "FASTCOLLECT", "VIRTUAL_ENV")
        env = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        env["FASTCOLLECT_DIR"] = str(scratch / "run")
        contestants = own(python) + (rivals(scratch) if others else [])
        entries = []
        for number, contestant in enumerate(contestants):
            root = scratch / f"{number}" / "project"
            write(root, WORKLOADS[workload]())
            entries.append(Entry(contestant, root, {**env, **contestant.env}))
        try:
            measure_first(table, workload, entries, min(rounds, 3))
            for row in rows:
                measure(table, workload, row, JOBS[row], entries, rounds)
                print("\n".join(t for t in table.markdown() if f"| {row} " in t), flush=True)
            served = {
                entry.contestant.name: _served(entry)
                for entry in entries
                if entry.contestant.name.startswith("ours")
            }
        finally:
            for entry in entries:
                entry.stop()
    return f"{workload}: {served}"


def run_suite(table: Table, suite: Suite, rounds: int) -> str:
    """A real suite; how many runs ours has served, by how."""
    project, floor = suite.project, "pytest --version"
    with tempfile.TemporaryDirectory(prefix="fc-") as name:
        env = {**os.environ, "FASTCOLLECT_DIR": name}
        for unwanted in ("CI", "PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS"):
            env.pop(unwanted, None)
        contestants = [one for one in own(project.python) if one.name != floor]
        entries = [Entry(contestant, project.root, env) for contestant in contestants]
        try:
            for row in ("--collect-only -q, repeated", "all tests, repeated"):
                job = Job((*project.args, *JOBS[row].args))
                measure(table, suite.name, row, job, entries, rounds)
                print("\n".join(t for t in table.markdown() if f"| {row} " in t), flush=True)
            served = _served(entries[-1])
        finally:
            entries[-1].stop()
    return f"{suite.name}: {served}"


def _served(entry: Entry) -> dict[str, int]:
    native = Path(entry.contestant.settle[0])
    status = subprocess.run(
        [native, "status", "--json"], cwd=entry.root, env=entry.env, capture_output=True
    )
    runs: dict[str, int] = json.loads(status.stdout)["runs"]
    return runs


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--row", action="append", choices=list(JOBS))
    parser.add_argument("--suite", action="append", default=[])
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    options = parser.parse_args()
    table, path = Table(), RESULTS / "commands.json"
    suites = {suite.name: suite for suite in available()}
    names = [*options.workloads, *options.suite]
    if options.keep and path.exists():
        table.keep(json.loads(path.read_text()), names)
    for name in names:
        load, rows = os.getloadavg()[0], options.row or list(JOBS)
        if name in suites:
            served = run_suite(table, suites[name], options.rounds)
        else:
            served = run_workload(table, name, options.python, options.others, options.rounds, rows)
        table.made[name] = (
            f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}, Python"
            f" {platform.python_version()}; load {load:.1f} before, {os.getloadavg()[0]:.1f} after;"
            f" {options.rounds} rounds. Served: {served}."
        )
        head = ["# Commands", "", "Made by `python benchmarks/commands.py`."]
        (RESULTS / "commands.md").write_text("\n".join([*head, *table.markdown(), ""]))
        cells = [dataclasses.asdict(cell) for cell in table.cells.values()]
        path.write_text(json.dumps({"made": table.made, "cells": cells}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
