"""SIGKILL at any moment, for anybody: nothing hangs, no test runs twice, the next run is right."""

from __future__ import annotations

import random
import runpy
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.killing import KillBench, kill_at, kill_bench, seed, tally
from tests.sampling import sampled, trials
from tests.support import Shared, eventually

FAULT_POINTS = Path(__file__).parent / "steps"
STEPS = sorted(runpy.run_path(str(FAULT_POINTS / "sitecustomize.py"))["STEPS"])
VICTIMS = ("caller", "server", "zygote", "checkpoint", "child")
KINDS = ("plugin", "plugin other", "native", "native other")
"""Who runs the tests: a command that is repeated, and one that is new each time."""
REACHED_S = 20.0
"""Seconds in which what a run sets off comes to any step."""


def kinds(bench: KillBench) -> list[str]:
    return [kind for kind in KINDS if bench.native is not None or not kind.startswith("native")]


def test_random_kills(shared: Shared) -> None:
    """`FASTCOLLECT_TRIALS` of them, by `FASTCOLLECT_SEED`."""
    choose = random.Random(seed())
    outcomes = []
    with kill_bench(shared) as bench:
        bench.warm()
        took = _duration(bench)
        for number in range(trials(3)):
            victim, kind = choose.choice(VICTIMS), choose.choice(kinds(bench))
            how = f"trial {number}: {victim} of a run by {kind}"
            if choose.random() < 0.2:
                bench.edit()
            delay = choose.uniform(0, took)
            process = bench.start(kind)
            killed = kill_at(partial(bench.victim, victim, process.pid), delay, process)
            ended = bench.finish(process)
            if victim in ("caller", "child") and killed is not None:
                assert ended.right or ended.torn, f"{how}: {ended}"
            else:
                assert ended.right, f"{how}: {ended}"
            following = bench.run(choose.choice(kinds(bench)))
            assert following.right, f"after {how}: {following}"
            outcomes.append(
                f"{victim if killed else 'nobody'} {'right' if ended.right else 'torn'}"
            )
            if choose.random() < 0.7:
                bench.warm()
            print(how, f"{delay:.3f} s", outcomes[-1], f"exit {ended.exit}", flush=True)
    print(f"{len(outcomes)} trials, seed {seed()}: {tally(outcomes)}")


def _duration(bench: KillBench) -> float:
    """Seconds that a warm run takes."""
    began = time.monotonic()
    ended = bench.run()
    assert ended.right, ended
    return time.monotonic() - began


@pytest.fixture(scope="module")
def stepping(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillBench]:
    """A bench all of whose interpreters have the fault points."""
    faults = tmp_path_factory.mktemp("faults")
    path = f"{FAULT_POINTS}:{shared.library}"
    with kill_bench(shared, PYTHONPATH=path, FAULTS=str(faults)) as bench:
        yield bench


def _situation(step: str, bench: KillBench) -> str:
    """Bring about what leads to a step; the kind of run that does."""
    who = step.split(" ", 1)[0]
    if "start" in step or "record" in step or "lock" in step or "listens" in step:
        bench.bench.fastcollect("stop")
        return "plugin"
    if "said who it is" in step or step == "server has the interpreter":
        bench.bench.fastcollect("stop")
        return "plugin"
    bench.warm()
    grows = ("grow", "grown", "probe", "snapshot", "replaces", "collect", "session begins")
    if any(word in step for word in grows):
        bench.run()
        bench.warm()
        bench.edit()
        return "plugin"
    if who == "session":
        bench.run()
        bench.warm()
        return "plugin"
    return "plugin other"


CI_STEPS = ("caller has said go", "checkpoint has forked a run")


@pytest.mark.parametrize("step", sampled(STEPS, 3, always=CI_STEPS))
def test_killed_at_a_step(step: str, stepping: KillBench) -> None:
    faults = Path(stepping.bench.extra_env["FAULTS"])
    kind = _situation(step, stepping)
    for path in faults.iterdir():
        path.unlink()
    (faults / step).touch()
    process = stepping.start(kind)
    ended = stepping.finish(process)
    if "removes" in step or "removed" in step or "forgets" in step or step == "server ends":
        stepping.bench.fastcollect("stop")
    reached = eventually(lambda: list(faults.glob("reached *")), f"that {step}", REACHED_S)
    killed = int(reached[0].name.split()[1])
    if killed == process.pid or step.startswith(("child", "session")):
        assert ended.right or ended.torn, ended
    else:
        assert ended.right, ended
    following = stepping.run(kind)
    assert following.right, following
    print(step, f"exit {ended.exit}", file=sys.stderr)
