"""Time that passes otherwise than usual: processes that stand still, clocks that are set, midnight,
and nobody who comes.

Clocks are set for the processes of one test (`clock.c`, which takes a C compiler). Files keep the
times that the kernel gives them.
"""

from __future__ import annotations

import contextlib
import datetime
import glob
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import WARM_HEADERS

from tests.faults.killing import EXIT, FILES, KillBench, kill_bench
from tests.sampling import sampled
from tests.support import HANG, Shared, SmallBench, eventually, header, small_bench

KINDS = ("plugin", "plugin other", "native", "native other")


@contextlib.contextmanager
def standing_still(*pids: int) -> Iterator[None]:
    """These processes do nothing meanwhile; those that have been killed since stay so."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[KillBench]:
    with kill_bench(shared) as made:
        yield made


def warm_of(bench: KillBench) -> list[int]:
    """The warm processes."""
    return [point["pid"] for point in bench.warm()["checkpoints"]]


def is_asking(process: subprocess.Popen[str], bench: KillBench) -> bool:
    """Whether a run waits for an answer: it has ended, or a socket of it is connected."""
    if process.poll() is not None:
        return True
    links = []
    for name in glob.glob(f"/proc/{process.pid}/fd/*"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(name))
    return any(link.startswith("socket:") for link in links)


def expect_as_ever(bench: KillBench) -> None:
    """What comes next is right at once, and warm when there was time."""
    bench.warm()
    assert bench.run().right
    bench.warm()
    ended = bench.run()
    assert ended.right and header(ended.output) in WARM_HEADERS, ended


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_stands_still_for_a_moment(kind: str, bench: KillBench) -> None:
    """Shorter than callers are patient."""
    if kind.startswith("native") and bench.native is None:
        pytest.skip("the native command is not installed here")
    bench.run(kind)
    server = bench.warm()["pid"]
    with standing_still(server):
        process = bench.start(kind)
        eventually(lambda: is_asking(process, bench), "a run that waits")
    ended = bench.finish(process)
    assert ended.right and header(ended.output) in WARM_HEADERS, ended


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_stands_still_for_longer(kind: str, bench: KillBench) -> None:
    """A run is cold meanwhile, and says why; what it has asked for is not begun later.

    Who reads its output from a pipe waits for the server all the same: that has got a duplicate.
    """
    if kind.startswith("native") and bench.native is None:
        pytest.skip("the native command is not installed here")
    server = bench.warm()["pid"]
    with standing_still(server):
        process = bench.start(kind)
        assert process.wait(HANG) == EXIT
    ended = bench.finish(process)
    assert ended.right, ended
    assert header(ended.output).startswith("cold: the server "), ended
    expect_as_ever(bench)
    assert (bench.status() or {})["pid"] == server


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("patient", [True, False])
def test_warm_processes_stand_still(kind: str, patient: bool, bench: KillBench) -> None:
    """For a moment: the run waits. For longer: it is cold, and a checkpoint that goes on only then
    begins nothing."""
    if kind.startswith("native") and bench.native is None:
        pytest.skip("the native command is not installed here")
    bench.warm()
    bench.run(kind)
    with standing_still(*warm_of(bench)):
        process = bench.start(kind)
        eventually(lambda: is_asking(process, bench), "a run that waits")
        if not patient:
            eventually(lambda: process.poll() is not None, "the end of the run")
    ended = bench.finish(process)
    assert ended.right, ended
    assert patient or header(ended.output).startswith("cold: "), ended
    expect_as_ever(bench)


@pytest.mark.long
def test_a_run_stands_still(bench: KillBench) -> None:
    """Its caller waits for it, as a shell for cold pytest."""
    bench.warm()
    process = bench.start()
    eventually(bench.executed, "the first test")
    child = bench.victim("child", process.pid)
    assert child is not None
    with standing_still(child):
        before = bench.executed()
        assert bench.status() is not None  # the server is not held up
        assert process.poll() is None and bench.executed() == before
    ended = bench.finish(process)
    assert ended.right and header(ended.output) in WARM_HEADERS, ended


# ------------------------------------------------------------------- clocks

HOUR = 3600
CLOCK_FILES = {
    "conftest.py": "import slow_to_import\n",
    "product.py": "import datetime\nTODAY = datetime.date.today()\nVALUE = 0\n",
    "plain.py": "VALUE = 0\n",
    "test_a.py": """\
        import datetime
        import plain, product

        def test_today(): assert product.TODAY == datetime.date.today()
        def test_plain(): assert plain.VALUE == int(open("expected").read())
        """,
    "expected": "0",
}


class Clock:
    """What time it is for everybody who is started by a bench."""

    def __init__(self, bench: SmallBench, library: Path) -> None:
        self._bench = bench
        self._file = bench.root.parent / "clock"
        self.ahead = 0
        self._file.write_bytes(struct.pack("q", 0))
        bench.extra_env |= {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(self._file)}

    def set(self, ahead: int) -> None:
        """Seconds by which it differs from ours."""
        self.ahead = ahead
        with open(self._file, "r+b") as file:
            file.write(struct.pack("q", ahead))

    def now(self) -> datetime.datetime:
        """What it says."""
        return datetime.datetime.now() + datetime.timedelta(seconds=self.ahead)

    def date_in_a_process(self) -> datetime.date:
        """What Python says there."""
        code = "import datetime; print(datetime.date.today())"
        done = subprocess.run(
            [str(self._bench.project.python), "-c", code],
            env=self._bench.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return datetime.date.fromisoformat(done.stdout.strip())


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    made = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, source], check=True)
    return made


@pytest.fixture
def clocked(shared: Shared, library: Path) -> Iterator[tuple[SmallBench, Clock]]:
    with small_bench(shared, CLOCK_FILES) as bench:
        clock = Clock(bench, library)
        clock.set(400 * 24 * HOUR)
        assert clock.date_in_a_process() == clock.now().date()
        clock.set(0)
        yield bench, clock
        clock.set(0)


def edit(bench: SmallBench, value: int) -> None:
    bench.write({"plain.py": f"VALUE = {value}\n", "expected": str(value)})


@pytest.mark.long
@pytest.mark.parametrize("jump", [HOUR, -HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR, 3, -3])
def test_the_clock_is_set(jump: int, clocked: tuple[SmallBench, Clock]) -> None:
    """Forwards or backwards while all is warm; and back. Runs are right at once, edits are seen."""
    bench, clock = clocked
    bench.warm_up()
    assert bench.compare_warm().differences == ()
    pid = bench.server_pid()
    for number, ahead in enumerate((jump, 0), 1):
        clock.set(ahead)
        at_once = bench.compare()
        assert not at_once.differences and at_once.cold.exit == 0, at_once.differences
        edit(bench, number)
        edited = bench.compare()
        assert not edited.differences and edited.cold.exit == 0, edited.differences
        bench.wait_until_warm()
        later = bench.compare()
        assert not later.differences and later.cold.exit == 0, later.differences
    assert bench.compare_warm().differences == ()
    assert bench.server_pid() == pid


@pytest.mark.long
def test_midnight(clocked: tuple[SmallBench, Clock]) -> None:
    """What was imported yesterday serves nobody today: by a run just after midnight, and again when
    that day is warm."""
    bench, clock = clocked
    now = clock.now()
    midnight = datetime.datetime.combine(now.date(), datetime.time()) + datetime.timedelta(days=1)
    # Far enough before it that nothing here is so slow; hours: a file's own day plays no part.
    clock.set(int((midnight - now).total_seconds()) - HOUR)
    before = clock.date_in_a_process()
    bench.warm_up()
    assert bench.compare_warm().differences == ()
    clock.set(clock.ahead + HOUR + 60)
    assert clock.date_in_a_process() == before + datetime.timedelta(days=1)
    after = bench.compare()
    assert not after.differences and after.cold.exit == 0, after.differences
    why = bench.status()["why"]
    assert "made before midnight" in {miss["reason"] for miss in why}, why
    bench.wait_until_warm()
    warm = bench.compare_warm()
    assert not warm.differences and warm.cold.exit == 0, warm.differences


# ------------------------------------------------------------------- nobody comes


@pytest.mark.long
def test_nobody_comes(shared: Shared) -> None:
    """The server ends, with all that is warm and all its files; the next run starts another."""
    ini = "[pytest]\nfastcollect_idle_timeout = 0.02\n"
    with kill_bench(shared, {**FILES, "pytest.ini": ini}) as bench:
        bench.run()
        server = eventually(bench.status, "a server")["pid"]
        assert bench.processes()
        # Until it has read a run's record, it looks at the time once a minute.
        eventually(lambda: not bench.processes(), "the end of all processes", 3 * HANG)
        left = [path for path in bench.bench.directory.rglob("*") if "cache" not in path.parts]
        assert not left, left
        assert bench.run().right
        following = eventually(bench.status, "another server")["pid"]
        assert following != server


@pytest.mark.long
def test_a_run_is_no_idleness(shared: Shared) -> None:
    """However long it takes."""
    slow = "import os, time\ndef test_slow():\n    open('begun', 'w').close()\n"
    slow += "    while not os.path.exists('go'): time.sleep(0.01)\n"
    ini = "[pytest]\nfastcollect_idle_timeout = 0.02\n"
    with kill_bench(shared, {**FILES, "test_slow.py": slow, "pytest.ini": ini}) as bench:
        root = bench.bench.root
        (root / "go").touch()
        server = bench.warm()["pid"]
        (root / "go").unlink()
        (root / "begun").unlink()
        process = bench.start()
        eventually((root / "begun").exists, "the slow test")
        time.sleep(3)  # more than the server would have waited for anybody
        assert os.path.exists(f"/proc/{server}")
        (root / "go").touch()
        output, _ = process.communicate(timeout=HANG)
        bench.started.remove(process)
        assert header(output) in WARM_HEADERS and "1 failed, 13 passed" in output, output


@pytest.mark.parametrize("minutes", sampled(["inf", "nan", "1e300", "soon"], 2, always=["nan"]))
def test_an_idle_timeout_that_is_no_number(minutes: str, shared: Shared) -> None:
    """The server counts with it, and what it says of itself can be read."""
    ini = f"[pytest]\nfastcollect_idle_timeout = {minutes}\n"
    with kill_bench(shared, {**FILES, "pytest.ini": ini}) as bench:
        assert bench.run().right
        said = bench.warm()
        assert said["idle_timeout_s"] == (1800.0 if minutes in ("nan", "soon") else 365 * 86400.0)
