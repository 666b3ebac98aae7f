"""More runs at once than there may be."""

from __future__ import annotations

import os
import subprocess

import pytest
from harness import WARM_HEADERS

from fastcollect_lsp.turns import MAX_RUNS, max_runs
from tests.conftest import MakeProject
from tests.faults.killing import is_native
from tests.sampling import sampled
from tests.support import HANG, eventually, header


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


ALONE = """\
    import os, time
    def test_alone():
        os.close(os.open("alone", os.O_CREAT | os.O_EXCL))
        time.sleep(0.3)
        os.unlink("alone")
"""


@pytest.mark.parametrize("begun", [0, 1])
def test_never_more_than_there_may_be(begun: int, project: MakeProject) -> None:
    """Several come at the same time, or have all waited for the same one to end."""
    files = {"conftest.py": "import slow_to_import\n", "test_a.py": ALONE}
    bench = project(files, FASTCOLLECT_MAX_RUNS="1")
    bench.warm_up()
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    runs = []
    for number in range(4):
        run = subprocess.Popen(
            bench.command, cwd=bench.root, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        runs.append(run)
        if number < begun:
            eventually((bench.root / "alone").exists, "the first run's test")
    for run in runs:
        output, _ = run.communicate(timeout=HANG)
        assert run.returncode == 0, output
        assert header(output) in WARM_HEADERS, output


WAITING = """\
    import os, time
    def test_waits():
        open("begun", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
"""


@pytest.mark.parametrize("by", sampled(["plugin", "native"], 1))
def test_edited_while_it_waited(by: str, project: MakeProject) -> None:
    """What was proven before that proves nothing: the run sees the edit."""
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            "test_a.py": WAITING,
            "test_b.py": "def test_b(): pass\n",
        },
        FASTCOLLECT_MAX_RUNS="1",
    )
    native = bench.project.python.parent / "fastcollect"
    if by == "native" and not is_native(native):
        pytest.skip("the native command is not installed here")
    command = [str(native), "run"] if by == "native" else bench.command
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}

    def start(*args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *args], cwd=bench.root, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    (bench.root / "go").touch()
    bench.warm_up()
    for _ in range(3):  # until its session is collected
        output, _ = start("test_b.py").communicate(timeout=HANG)
        bench.wait_until_warm()
    assert "active, collected" in header(output), output
    (bench.root / "go").unlink()
    (bench.root / "begun").unlink()
    first = start("test_a.py")
    eventually((bench.root / "begun").exists, "the first run's test")
    second = start("test_b.py")
    assert second.stderr is not None
    assert second.stderr.readline() == "fastcollect: waiting for one of 1 runs to end\n"
    bench.write({"test_b.py": "def test_b(): assert 0, 'edited'\n"})
    (bench.root / "go").touch()
    output, _ = second.communicate(timeout=HANG)
    assert second.returncode == 1 and "AssertionError: edited" in output, output
    assert first.wait(HANG) == 0
