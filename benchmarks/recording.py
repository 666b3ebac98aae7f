"""What watching imports costs: `python benchmarks/recording.py [ROUNDS]`.

In an environment with both distributions; pandas and scikit-learn give a row if they are there.
Each measurement is the import of the same modules in a fresh process, without us and as a
checkpoint's two executions watch it: the probe, with an audit hook, and the real one, without. They
take turns; what is measured is CPU time, which the machine's other work changes least. A step is
what is checked at once: a test file with all it imports.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 9
MODULES = 200

_CHILD = """
import contextlib, sys, time
mode, *steps = sys.argv[1:]
import importlib, os
from pytest_fastcollect.audit import Audit
from pytest_fastcollect.bytecode import distrusted
from pytest_fastcollect.census import Census, Output, generators
from pytest_fastcollect.tracing import traced_environ

stack, check = contextlib.ExitStack(), lambda: None
answer = os.fdopen(os.dup(1), "w")
if mode != "plain":
    output = Output()
    baseline = Census.take()
    audit = Audit() if mode == "probe" else None
    if audit is not None:
        audit.wrap_functions()
    stack.enter_context(output.watch())
    stack.enter_context(traced_environ())
    stack.enter_context(distrusted())
    baseline = Census.take()

    def check():
        with audit.paused() if audit is not None else contextlib.nullcontext():
            baseline.hazard() or output.hazard()
            generators()
        if audit is not None:
            audit.take()

with stack:
    began = time.process_time()
    for step in steps:
        importlib.import_module(step)
        check()
    seconds = time.process_time() - began
print(seconds, file=answer, flush=True)
"""


@dataclass(frozen=True)
class Workload:
    """Modules to import, each as a step of its own."""

    name: str
    steps: tuple[str, ...]
    directory: Path


def _workloads(directory: Path) -> list[Workload]:
    package = directory / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    for number in range(MODULES):
        lines = ["import json, os, sys"]
        lines += [
            f"class C{i}:\n    def method(self, x={i}): return [x, {{'k': x}}]" for i in range(40)
        ]
        (package / f"m{number:03}.py").write_text("\n".join(lines))
    modules = tuple(f"package.m{number:03}" for number in range(MODULES))
    (package / "all.py").write_text("".join(f"import {name}\n" for name in modules))
    found = [
        Workload(f"{MODULES} modules, one step", ("package.all",), directory),
        Workload(f"{MODULES} modules, {MODULES} steps", modules, directory),
    ]
    if all(map(importlib.util.find_spec, ("pandas", "sklearn"))):
        found.append(
            Workload("pandas, scikit-learn", ("pandas", "sklearn.linear_model"), directory)
        )
    return found


def _seconds(workload: Workload, mode: str) -> float:
    command = [sys.executable, "-c", _CHILD, mode, *workload.steps]
    done = subprocess.run(
        command, cwd=workload.directory, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def main(rounds: int) -> None:
    modes = ("plain", "probe", "real")
    print(f"{'imports':30} {'plain':>9} {'probe':>16} {'real':>16}   ({rounds} rounds, medians)")
    with tempfile.TemporaryDirectory() as directory:
        for workload in _workloads(Path(directory)):
            for mode in modes:
                _seconds(workload, mode)  # bytecode and page cache
            taken: dict[str, list[float]] = {mode: [] for mode in modes}
            for turn in range(rounds):
                for mode in modes[turn % 3 :] + modes[: turn % 3]:
                    taken[mode].append(_seconds(workload, mode))
            plain = statistics.median(taken["plain"])
            cells = [f"{plain * 1000:6.0f} ms"]
            for mode in modes[1:]:
                ratio = statistics.median(
                    mine / theirs for mine, theirs in zip(taken[mode], taken["plain"], strict=True)
                )
                median = statistics.median(taken[mode])
                cells.append(f"{median * 1000:6.0f} ms {ratio - 1:+5.0%}")
            print(f"{workload.name:30} {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
