"""Warm processes that are killed, stopped or starved: the next run is right, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from harness import WARM_HEADERS

from tests.support import HANG, Shared, SmallBench, ended, eventually, header, small_bench

FILES = {
    "conftest.py": "import slow_to_import\n",
    "product.py": "VALUE = 1\n",
    "test_a.py": """\
        import os, signal, resource
        import product

        def test_a(): assert product.VALUE == 1
        def test_b(): assert product.VALUE == 2

        def warm_parent():
            with open(f"/proc/{os.getppid()}/cmdline") as file:
                assert "pytest_fastcollect.zygote" in file.read()
            return os.getppid()

        def test_spoil():
            parent = warm_parent()
            exec(os.environ["CODE"])
        """,
}

SEEN = ("test_a.py::test_a", "test_a.py::test_b")


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[SmallBench]:
    """A project with a warm selection, for tests that leave it usable."""
    with small_bench(shared, FILES) as made:
        made.warm_up("--collect-only")
        yield made


@pytest.fixture
def warm(bench: SmallBench) -> SmallBench:
    """`bench`, warm again whatever the test before did."""
    if "pytest" not in bench.checkpoint_pids():
        bench.fastcollect("stop")
    bench.warm_up("--collect-only", "test_a.py")
    return bench


def right(bench: SmallBench) -> str:
    """What serves the next run; it is as the oracle says, and so is one after it, warm."""
    at_once = bench.compare(SEEN)
    assert not at_once.differences, at_once.differences[-1]
    assert len(at_once.cold.outcomes) == 2
    bench.wait_until_warm()
    after = bench.compare_warm(*SEEN)
    assert not after.differences, after.differences[-1]
    served: str = at_once.served["served"]
    return served


IN_CI = "all checkpoints killed"
FROM_INSIDE = {
    "checkpoint killed": "os.kill(parent, signal.SIGKILL)",
    "checkpoint terminated": "os.kill(parent, signal.SIGTERM)",
    "checkpoint interrupted": "os.kill(parent, signal.SIGINT)",
    "all checkpoints killed": "os.killpg(os.getpgid(parent), signal.SIGKILL)",
    "checkpoint without descriptors": "resource.prlimit(parent, resource.RLIMIT_NOFILE, (3, 3))",
    "checkpoint without processors to choose": "os.sched_setaffinity(parent,"
    " {min(os.sched_getaffinity(0))})",
    "checkpoint of low priority": "os.setpriority(os.PRIO_PROCESS, parent, 19)",
    "own group killed": "os.killpg(0, signal.SIGKILL)",
}


@pytest.mark.parametrize(
    "name",
    [name if name == IN_CI else pytest.param(name, marks=pytest.mark.long) for name in FROM_INSIDE],
)
def test_spoilt_by_a_test(name: str, warm: SmallBench) -> None:
    """What a test may do to the process that it was forked from, unknowingly."""
    warm.extra_env["CODE"] = FROM_INSIDE[name]
    spoilt = warm.pytest("test_a.py::test_spoil")
    assert spoilt.exit == (-signal.SIGKILL if name == "own group killed" else 0), spoilt.output
    assert header(spoilt.output) in WARM_HEADERS
    right(warm)


@pytest.mark.long
def test_stopped_by_a_test(warm: SmallBench) -> None:
    """A checkpoint that does not answer costs one run its patience, and holds up nothing else."""
    warm.extra_env["CODE"] = "os.kill(parent, signal.SIGSTOP)"
    spoilt = warm.pytest("test_a.py::test_spoil")
    assert spoilt.exit == 0, spoilt.output
    pid = warm.checkpoint_pids()["modules"]
    env = {**warm.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    try:
        for _ in range(2):
            with subprocess.Popen(
                [*warm.command, *SEEN], cwd=warm.root, env=env, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as process:  # fmt: skip
                assert process.wait(HANG) == 1
                output, _ = process.communicate(timeout=HANG)
        assert header(output) in WARM_HEADERS
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    right(warm)


@pytest.mark.long
@pytest.mark.parametrize("names", [("modules",), ("conftests", "modules"), ("pytest",)], ids=str)
def test_killed_while_idle(names: tuple[str, ...], warm: SmallBench) -> None:
    alive = warm.checkpoint_pids()
    for name in names:
        os.kill(alive[name], signal.SIGKILL)
        assert ended(alive[name])
    right(warm)


@pytest.mark.long
def test_zygote_killed_then_edited(warm: SmallBench) -> None:
    pid = warm.checkpoint_pids()["pytest"]
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    warm.write({"product.py": "VALUE = 2\n"})
    try:
        right(warm)
    finally:
        warm.write({"product.py": FILES["product.py"]})


def test_killed_in_the_hand_over(warm: SmallBench) -> None:
    """Between the server's answer and the fork: the tests run once, cold or by another checkpoint.

    A caller whose known command was not served asks once more, as for any command.
    """
    points = warm.checkpoint_pids()
    pids = [points[name] for name in ("modules", "collected") if name in points]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    warm.served_warm()
    env = {**warm.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    with subprocess.Popen(
        [*warm.command, *SEEN], cwd=warm.root, env=env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        eventually(warm.served_warm, "the server's answer")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 1
    assert header(output).startswith(("cold: ", "Daemon: active, warm"))
    assert output.count("test_a.py .F") == 1
    right(warm)
