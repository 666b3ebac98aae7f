"""What watching imports costs: `python benchmarks/recording.py [ROUNDS]`.

In an environment with both distributions; pandas and scikit-learn give a row if they are there.
Each measurement is the import of the same modules in a fresh process, as pytest does it and as a
checkpoint's two executions watch it: the probe, with an audit hook, and the real one, without. They
take turns; what is measured is CPU time, which the machine's other work changes least. A step is
what is compared with the recorded run: a test file with all it imports.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 9
MODULES = 200

_CHILD = """
import json, os, sys, time
from pathlib import Path
from _pytest.pathlib import import_path
mode, *steps = sys.argv[1:]
from fastcollect_lsp.protocol import Record, RunKey, Segment
from pytest_fastcollect.modules import importable, is_neutral, new_modules
from pytest_fastcollect.plan import Plan
from pytest_fastcollect.replay import Replay
from pytest_fastcollect.stash import Stash
import _pytest.assertion, _pytest.config
config = _pytest.config.get_config()

answer = os.fdopen(os.dup(1), "w")
paths = [os.path.abspath(step.replace(".", "/") + ".py") for step in steps]
if mode == "plain":
    if "inicfg" not in dir(config):
        config.inicfg = {}
    _pytest.assertion.install_importhook(config)  # as in every run
    seen, recorded = set(sys.modules), []
    began = time.process_time()
    for path in paths:
        import_path(Path(path), root=Path.cwd(), consider_namespace_packages=False)
    seconds = time.process_time() - began
    for name in new_modules(seen):
        if not is_neutral(name) and importable(name):
            recorded.append(name)
            if name in steps:
                print("step", *recorded, file=answer)
                recorded = []
else:
    wanted = json.loads(sys.stdin.read())
    on_path = [os.getcwd(), *sys.path]
    segments = [
        Segment("module", path, step, names, [], on_path, [])
        for step, path, names in zip(steps, paths, wanted, strict=True)
    ]
    record = Record(
        RunKey("{}", "{}", (), False), "", sys.argv[:1], os.getcwd(), os.getcwd(), "prepend", False,
        [], [], [], [], [], segments, [], 0, None, 30.0,
    )
    plan = Plan(
        record, 0, len(segments), frozenset(), frozenset(), mode == "probe", dict(os.environ), {},
        False, 0,
    )
    began = []  # when each step does
    stash = Stash()
    stash.freeze()  # as the process does that a checkpoint is forked from
    replay = Replay(plan, stash, lambda step: began.append(time.process_time()))
    replay.run()
    seconds = time.process_time() - began[0]
    assert not replay.report.barriers, replay.report.barriers
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
        (package / "test_libraries.py").write_text("import pandas\nimport sklearn.linear_model\n")
        found.append(Workload("pandas, scikit-learn", ("package.test_libraries",), directory))
    return found


def _run(workload: Workload, mode: str, recorded: list[list[str]]) -> list[str]:
    """Lines of what one process prints."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, mode, *workload.steps],
        cwd=workload.directory,
        input=json.dumps(recorded),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def main(rounds: int) -> None:
    modes = ("plain", "probe", "real")
    print(f"{'imports':30} {'plain':>9} {'probe':>16} {'real':>16}   ({rounds} rounds, medians)")
    with tempfile.TemporaryDirectory() as directory:
        for workload in _workloads(Path(directory)):
            recorded = [line.split()[1:] for line in _run(workload, "plain", [])[:-1]]
            for mode in modes:
                _run(workload, mode, recorded)  # bytecode and page cache
            taken: dict[str, list[float]] = {mode: [] for mode in modes}
            for turn in range(rounds):
                for mode in modes[turn % 3 :] + modes[: turn % 3]:
                    taken[mode].append(float(_run(workload, mode, recorded)[-1]))
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
