"""More runs at once than there may be."""

from __future__ import annotations

import os
import subprocess

import pytest

from fastcollect_lsp.warm import MAX_RUNS, max_runs
from tests.conftest import MakeProject
from tests.support import HANG, eventually


def test_a_run_waits_for_its_turn_and_says_so(project: MakeProject) -> None:
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            "test_a.py": """\
                import os, pathlib, time
                def test_a():
                    pathlib.Path("begun").touch()
                    while not os.path.exists("go"):
                        time.sleep(0.01)
            """,
            "test_b.py": "def test_b(): pass\n",
        },
        FASTCOLLECT_MAX_RUNS="1",
    )
    (bench.root / "go").touch()
    bench.warm_up()
    (bench.root / "go").unlink()
    (bench.root / "begun").unlink()
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    first = subprocess.Popen([*bench.command, "test_a.py"], cwd=bench.root, env=env)
    try:
        eventually((bench.root / "begun").exists, "the first run's test")
        second = subprocess.Popen(
            [*bench.command, "test_b.py"],
            cwd=bench.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        line = second.stderr.readline()
        (bench.root / "go").touch()
        assert line == "fastcollect: waiting for one of 1 runs to end\n"
        output, rest = second.communicate(timeout=HANG)
        assert second.returncode == 0 and "1 passed" in output and rest == ""
    finally:
        (bench.root / "go").touch()
        assert first.wait(HANG) == 0


@pytest.mark.parametrize(
    ("value", "expected"), [("3", 3), ("", MAX_RUNS), ("0", MAX_RUNS), ("many", MAX_RUNS)]
)
def test_the_bound_can_be_set(value: str, expected: int) -> None:
    assert max_runs({"FASTCOLLECT_MAX_RUNS": value}) == expected
    assert max_runs({}) == MAX_RUNS
