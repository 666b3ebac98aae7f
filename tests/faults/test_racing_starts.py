"""Many first runs at the same time: one server, and every run right."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.faults.killing import KillBench, kill_bench
from tests.sampling import trials
from tests.support import HANG, Shared, eventually

RACERS = 16
FILES = {
    "conftest.py": "import slow_to_import\n",
    "test_a.py": "def test_a(): pass\ndef test_b(): pass\n",
}


def race(bench: KillBench, racers: int) -> None:
    """One trial: nothing is there at first."""
    env = {**bench.bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    by_native = [str(bench.native), "run"] if bench.native is not None else bench.bench.command
    commands = [bench.bench.command, by_native]
    processes = [
        subprocess.Popen(
            [*commands[number % 2], "-p", "no:cacheprovider"], cwd=bench.bench.root, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(racers)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=HANG)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * racers, outputs
    assert all("2 passed" in output for output in outputs)
    status = eventually(bench.status, "a server that listens")

    def servers() -> set[int]:
        return {pid for pid, group in bench.processes().items() if _is_server(pid)}

    eventually(lambda: servers() == {status["pid"]}, "the end of all servers but one")
    place = bench.place
    assert place is not None
    assert place.log.read_text().count(" serving ") == 1
    assert len(bench.bench.servers()) == 1
    bench.warm()
    bench.expect_no_left_overs()


def _is_server(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"fastcollect_lsp.server" in file.read()
    except OSError:
        return False


@pytest.mark.long
def test_racing_first_runs(shared: Shared) -> None:
    """`FASTCOLLECT_TRIALS` times."""
    with kill_bench(shared, FILES) as bench:
        for number in range(trials(1)):
            race(bench, RACERS)
            bench.expect_nothing()
            print(f"trial {number}: one server, {RACERS} runs right", flush=True)
