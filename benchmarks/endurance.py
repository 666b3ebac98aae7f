"""Thousands of runs against one server, with edits between them: does it grow, does it slow down?

usage: python benchmarks/endurance.py [--python PATH] [--runs N] [--every N] [--minutes N]

PATH: the interpreter of an environment with pytest-fastcollect. Every run is checked: its tests
read from a file what the edited module has to say. Results go to `benchmarks/results/endurance.md`
and `endurance.svg`.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.resolve() / "results"
SAMPLE = 25
"""Runs between two looks at the server."""
FILES = {
    "conftest.py": "import time\ntime.sleep(0.2)\n",
    "product.py": "VALUE = 0\n",
    "test_product.py": "import product\n"
    "def test_value():\n    assert product.VALUE == int(open('expected').read())\n"
    "def test_other(tmp_path): pass\n",
    "test_more.py": "import pytest\n@pytest.mark.parametrize('i', range(10))\n"
    "def test_many(i): pass\n",
    "expected": "0",
}


@dataclass(frozen=True)
class Sample:
    """The server after so many runs, and what the runs since the last sample took."""

    runs: int
    ms: float
    """Median of the runs that repeat a command."""
    edited_ms: float
    """Median of those just after an edit."""
    descriptors: int
    server_bytes: int
    """Unique set size."""
    written_bytes: int
    """The part of it that the server has written. The rest are pages of its libraries, which count
    only while no other process has loaded the same."""
    warm_bytes: int
    """Of all warm processes."""
    processes: int


def unique_bytes(pid: int, kind: str = "Private_") -> int:
    """USS: what only this process uses; of the `kind` Private_Dirty, what it has written."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(kind))


class Endurance:
    """A project and its server."""

    def __init__(self, top: Path, python: Path) -> None:
        self.root = top / "project"
        self.root.mkdir()
        for name, text in FILES.items():
            (self.root / name).write_text(text)
        unwanted = ("CI", "PYTEST", "PYTHON", "FASTCOLLECT", "VIRTUAL_ENV")
        env = {
            key: value
            for key, value in os.environ.items()
            if key == "PYTEST_ADDOPTS" or not key.startswith(unwanted)
        }
        self.env: Mapping[str, str] = {**env, "FASTCOLLECT_DIR": str(top / "run")}
        self._native = str(python.parent / "fastcollect")
        self._commands = [
            [self._native, "run", "-q"],
            [str(python.parent / "pytest"), "-q"],
            [self._native, "run", "-q", "test_product.py"],
        ]
        self._edits = 0

    def run(self, number: int) -> float:
        """One run, which has to be right; milliseconds."""
        began = time.perf_counter()
        command = self._commands[number % len(self._commands)]
        done = subprocess.run(
            command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        if done.returncode != 0:
            raise SystemExit(f"run {number} is wrong:\n{done.stdout}{done.stderr}")
        return (time.perf_counter() - began) * 1000

    def edit(self) -> None:
        """Change the module, and what is expected of it."""
        self._edits += 1
        (self.root / "product.py").write_text(f"VALUE = {self._edits}\n")
        (self.root / "expected").write_text(str(self._edits))

    def status(self, *options: str) -> dict[str, Any]:
        """`fastcollect status --json`."""
        done = subprocess.run(
            [self._native, "status", "--json", *options],
            cwd=self.root, env=self.env, capture_output=True, text=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def stop(self) -> None:
        """End the server."""
        subprocess.run([self._native, "stop"], cwd=self.root, env=self.env, capture_output=True)

    def sample(self, runs: int, times: Sequence[float], edited: Sequence[float]) -> Sample:
        """The server as it is now, when it has nothing to do."""
        status = self.status("--wait", "60")
        pids = [point["pid"] for point in status["checkpoints"]]
        return Sample(
            runs=runs,
            ms=statistics.median(times),
            edited_ms=statistics.median(edited) if edited else 0.0,
            descriptors=len(os.listdir(f"/proc/{status['pid']}/fd")),
            server_bytes=unique_bytes(status["pid"]),
            written_bytes=unique_bytes(status["pid"], "Private_Dirty:"),
            warm_bytes=sum(map(unique_bytes, pids)),
            processes=len(pids),
        )


def endure(python: Path, runs: int, every: int, minutes: float) -> list[Sample]:
    """All samples, of as many runs as there was time for."""
    until = time.monotonic() + minutes * 60
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="fc-") as name:
        project = Endurance(Path(name), python)
        try:
            project.run(0)
            time.sleep(1)  # the server that it started appears
            for number in range(6):
                project.run(number)
                project.status("--wait", "60")
            pid = project.status()["pid"]
            times: list[float] = []
            edited: list[float] = []
            for number in range(1, runs + 1):
                if time.monotonic() > until and not times:
                    break
                after_edit = number % every == 0
                if after_edit:
                    project.edit()
                (edited if after_edit else times).append(project.run(number))
                if number % SAMPLE == 0:
                    samples.append(project.sample(number, times, edited))
                    print(samples[-1], flush=True)
                    times, edited = [], []
            if project.status()["pid"] != pid:
                raise SystemExit("it was not one server")
        finally:
            project.stop()
    return samples


def compare(samples: Sequence[Sample]) -> list[str]:
    """Markdown: the first tenth of the samples beside the last; the first one is warming up."""
    part = max(1, len(samples) // 10)
    first, last = samples[part : 2 * part], samples[-part:]

    def row(what: str, unit: float, name: str) -> str:
        before, after = (
            statistics.median(float(getattr(sample, name)) for sample in some) / unit
            for some in (first, last)
        )
        change = f"{(after / before - 1) * 100:+.1f} %" if before else ""
        return f"| {what} | {before:.2f} | {after:.2f} | {change} |"

    return [
        f"| | runs {first[0].runs} to {first[-1].runs} | the last {part * SAMPLE} | |",
        "|---|---|---|---|",
        row("a run, ms", 1, "ms"),
        row("the run just after an edit, ms", 1, "edited_ms"),
        row("descriptors of the server", 1, "descriptors"),
        row("USS of the server, MB", 1e6, "server_bytes"),
        row("of that, written by it, MB", 1e6, "written_bytes"),
        row("USS of all warm processes, MB", 1e6, "warm_bytes"),
        row("warm processes", 1, "processes"),
    ]


def plot(samples: Sequence[Sample]) -> str:
    """SVG: time of a run and USS of the server over the number of runs, each from zero."""
    width, height = 900, 260

    def line(name: str, color: str) -> str:
        values = [float(getattr(sample, name)) for sample in samples]
        top = max(values) * 1.2 or 1.0
        points = " ".join(
            f"{20 + (width - 40) * index / max(1, len(values) - 1):.1f},"
            f"{height - 20 - (height - 40) * value / top:.1f}"
            for index, value in enumerate(values)
        )
        return f'<polyline fill="none" stroke="{color}" points="{points}"/>'

    text = '<text x="30" y="{}" font-family="sans-serif" font-size="13" fill="{}">{}</text>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            '<rect width="100%" height="100%" fill="white"/>',
            line("ms", "#1f77b4"), text.format(20, "#1f77b4", "a run, ms (median of 25)"),
            line("written_bytes", "#d62728"),
            text.format(36, "#d62728", "USS of the server, less pages of libraries"),
            line("descriptors", "#2ca02c"), text.format(52, "#2ca02c", "its descriptors"),
            "</svg>",
        ]
    )  # fmt: skip


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--every", type=int, default=10, help="runs from one edit to the next")
    parser.add_argument("--minutes", type=float, default=600, help="at most")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    samples = endure(options.python, options.runs, options.every, options.minutes)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}; load {load:.1f} before."
    lines = [
        "# Endurance",
        "",
        f"Made by `python benchmarks/endurance.py --runs {options.runs} --every {options.every}`:"
        f" {samples[-1].runs} runs against one server, every {options.every}th just after an edit,"
        f" all of them right. {machine}",
        "",
        *compare(samples),
        "",
        "![over time](endurance.svg)",
        "",
    ]
    print("\n".join(lines))
    (RESULTS / "endurance.md").write_text("\n".join(lines))
    (RESULTS / "endurance.svg").write_text(plot(samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
