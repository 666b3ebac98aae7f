"""How collecting, proving and running one test grow with the number of tests.

usage: python benchmarks/growth.py [--python PATH] [--rounds N] [SIZE...]

Sizes are numbers of tests, 20 in a file. PATH as in `commands.py`, which see. Results go to
`benchmarks/results/growth.json` and `growth.md`; `benchmarks/plot.py` draws them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.resolve()
sys.path[:0] = [str(HERE.parent)]
from benchmarks.commands import RESULTS, Entry  # noqa: E402
from benchmarks.contestants import Contestant  # noqa: E402
from benchmarks.workloads import FIRST, made, write  # noqa: E402

SIZES = (100, 300, 1000, 3000, 10_000, 30_000, 50_000)
IN_FILE = 20
ONE = (f"{FIRST}::test_value",)
LIST = ("--collect-only", "-q")


@dataclass(frozen=True)
class Point:
    """What one thing takes at one size."""

    what: str
    tests: int
    ms: float
    """Median."""


def measure(size: int, python: Path, rounds: int) -> list[Point]:
    """All that is measured at one size."""
    with tempfile.TemporaryDirectory(prefix="fc-") as name:
        scratch = Path(name)
        unwanted = ("CI", "PYTEST", "PYTHON", "FASTCOLLECT", "VIRTUAL_ENV")
        env = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        env |= {"FASTCOLLECT_DIR": str(scratch / "run")}
        root = scratch / "project"
        write(root, made(size, size // IN_FILE))
        native = str(python.parent / "fastcollect")
        cold = _entry(root, env, lambda args: [str(python.parent / "pytest"), "-p",
                                               "no:fastcollect", *args])  # fmt: skip
        ours = _entry(root, env, lambda args: [native, "run", *args])
        static = _entry(root, env, lambda args: [native, "collect", "--static"])
        times: dict[str, list[float]] = {}

        def add(what: str, ms: float) -> None:
            times.setdefault(what, []).append(ms)

        try:
            for number in range(rounds):
                add("static collection, first time" if not number else "static collection, again",
                    static.run(())[0])  # fmt: skip
            add("`pytest --collect-only -q`, cold", cold.run(LIST)[0])
            for args, what in ((ONE, "one test"), (LIST, "--collect-only -q")):
                for _ in range(3):
                    ours.run(args)
                    ours.settle()
                for _ in range(rounds):
                    add(f"{what}, repeated", ours.run(args)[0])
                    ours.settle()
                    add(f"{what}: proof", float(_status(native, root, env)["last_run"]["proof_ms"]))
            for _ in range(min(rounds, 3)):
                add("one test, cold", cold.run(ONE)[0])
            add("server, MB", _status(native, root, env)["rss_bytes"] / 1e6)
        finally:
            subprocess.run([native, "stop"], cwd=root, env=env, capture_output=True)
    return [Point(what, size, statistics.median(ms)) for what, ms in times.items()]


def _entry(root: Path, env: Mapping[str, str], command: Callable[[Sequence[str]], Any]) -> Entry:
    native = command(())[0]
    settle = [native, "status", "--wait", "300", "--json"] if "fastcollect" in native else []
    return Entry(Contestant("", command, settle), root, env)


def _status(native: str, root: Path, env: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run([native, "status", "--json"], cwd=root, env=env, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def slope(first: Point, second: Point) -> float:
    """The exponent of growth from one size to another: 1 is linear."""
    return math.log(second.ms / first.ms) / math.log(second.tests / first.tests)


def table(points: Sequence[Point]) -> list[str]:
    """Markdown: a line for each thing, and the exponent of its growth over the largest step."""
    sizes = sorted({point.tests for point in points})
    lines = ["| ms | " + " | ".join(f"{size:,}" for size in sizes) + " | last slope |"]
    lines.append("|---" * (len(sizes) + 2) + "|")
    for what in dict.fromkeys(point.what for point in points):
        by_size = {point.tests: point for point in points if point.what == what}
        values = [f"{by_size[size].ms:.1f}" if size in by_size else "" for size in sizes]
        there = [by_size[size] for size in sizes if size in by_size]
        last = f"{slope(*there[-2:]):.2f}" if len(there) > 1 else ""
        lines.append(f"| {what} | " + " | ".join(values) + f" | {last} |")
    return lines


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    options = parser.parse_args()
    load, points = os.getloadavg()[0], []
    for size in options.sizes:
        points += measure(size, options.python, options.rounds)
        print("\n".join(table(points)), flush=True)
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]},"
        f" Python {platform.python_version()};"
        f" load {load:.1f} before, {os.getloadavg()[0]:.1f} after; {options.rounds} rounds."
    )
    lines = [
        "# Growth",
        "",
        f"Made by `python benchmarks/growth.py`. {machine}",
        "",
        *table(points),
    ]
    (RESULTS / "growth.md").write_text("\n".join([*lines, ""]))
    data = [dataclasses.asdict(point) for point in points]
    (RESULTS / "growth.json").write_text(json.dumps({"machine": machine, "points": data}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
