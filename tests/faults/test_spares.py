"""Where each warm process serves one run (`FASTCOLLECT_START_METHOD=spare`)."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from harness import WARM_HEADERS

from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import HANG, ended, eventually, header

FILES = {
    "conftest.py": "import slow_to_import\n",
    "test_a.py": """\
        import os, time
        def test_waits():
            open(f"begun{os.getppid()}-{os.getpid()}", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
        """,
}


@pytest.mark.long
def test_runs_that_go_on_hold_up_nobody(project: MakeProject) -> None:
    """More of them than the server has threads for its decisions."""
    bench = project(FILES, FASTCOLLECT_START_METHOD="spare", FASTCOLLECT_MAX_RUNS="40")
    (bench.root / "go").touch()
    bench.warm_up()
    (bench.root / "go").unlink()
    for left in bench.root.glob("begun*"):
        left.unlink()
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    threads = min(32, (os.cpu_count() or 1) + 4)
    runs: list[subprocess.Popen[str]] = []
    try:
        while len(runs) <= threads:
            run = subprocess.Popen(
                bench.command, cwd=bench.root, env=env, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            runs.append(run)
            eventually(lambda: len(list(bench.root.glob("begun*"))) == len(runs), "its test")
            bench.wait_until_warm()
        assert bench.status()["runs"]["warm"] == len(runs)
    finally:
        (bench.root / "go").touch()
        outputs = [run.communicate(timeout=HANG)[0] for run in runs]
    for run, output in zip(runs, outputs, strict=True):
        assert run.returncode == 0 and header(output) in WARM_HEADERS, output


@pytest.mark.parametrize("number", sampled([signal.SIGKILL, signal.SIGSTOP], 1))
def test_a_spare_that_is_gone_or_stands_still(number: signal.Signals, project: MakeProject) -> None:
    bench = project(FILES, FASTCOLLECT_START_METHOD="spare")
    (bench.root / "go").touch()
    bench.warm_up()
    spare = bench.checkpoint_pids()["modules"]
    os.kill(spare, number)
    if number == signal.SIGKILL:
        assert ended(spare)
    assert not bench.compare().differences
    if number == signal.SIGSTOP:
        assert ended(spare), "it is never used again"
    bench.wait_until_warm()
    assert not bench.compare_warm().differences
