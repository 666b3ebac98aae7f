"""What happens while a checkpoint is being made: kills, edits, imports that take for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import DEEPEST

from tests.conftest import MakeProject
from tests.gate import WAITS, Gate, closed
from tests.support import HANG, SmallBench, ended, eventually, header

FILES = {
    "gate": "",
    "conftest.py": "import slow_to_import\n",
    "product.py": WAITS + "VALUE = 1\n",
    "test_a.py": "import product\n"
    "def test_a(): assert product.VALUE == 1\n"
    "def test_b(): assert product.VALUE == 2\n",
}
AFTER = {"product.py": WAITS + "VALUE = 2\n"}


@pytest.fixture
def growing(project: MakeProject) -> Iterator[tuple[SmallBench, Gate]]:
    """A server that is in the middle of importing the test module."""
    bench = project(FILES)
    with closed(bench) as gate:
        bench.pytest()
        gate.waiting()
        yield bench, gate


Growing = tuple[SmallBench, Gate]


def right(bench: SmallBench) -> None:
    """The next run is as the oracle says, and so is the one after it, warm."""
    at_once = bench.compare()
    assert not at_once.differences, at_once.differences[-1]
    assert len(at_once.cold.outcomes) == 2
    bench.wait_until_warm()
    after = bench.compare_warm()
    assert not after.differences, after.differences[-1]


def test_import_that_takes_long(growing: Growing) -> None:
    """Runs go on meanwhile; to stop is to stop at once."""
    bench, gate = growing
    meanwhile = bench.compare()
    assert not meanwhile.differences, meanwhile.differences[-1]
    pid = gate.waiting()
    server = bench.server_pid()
    assert bench.fastcollect("stop").returncode == 0
    assert ended(pid)
    assert ended(server)
    gate.open()
    bench.warm_up()
    right(bench)


@pytest.mark.long
@pytest.mark.parametrize("who", ["itself", "its parent", "the zygote", "the server"])
def test_killed_while_growing(growing: Growing, who: str) -> None:
    bench, gate = growing
    growing_pid = gate.waiting()
    pids = bench.checkpoint_pids()
    names = {"its parent": "conftests", "the zygote": "pytest"}
    victim = pids[names[who]] if who in names else growing_pid
    if who == "the server":
        victim = bench.server_pid()
    os.kill(victim, signal.SIGKILL)
    assert ended(victim)
    if who == "the server":
        assert ended(growing_pid), "an orphan"
    gate.open()
    bench.warm_up()
    right(bench)


def test_edited_while_imported(growing: Growing) -> None:
    bench, gate = growing
    bench.write(AFTER)
    gate.open()
    right(bench)


@pytest.mark.long
def test_edited_in_a_loop(project: MakeProject) -> None:
    """No run sees half of an edit, and the last one is seen."""
    halves = "import time\nFIRST = {0}\ntime.sleep(0.05)\nSECOND = {0}\n"
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            "product.py": halves.format(0),
            "test_a.py": "import product\n"
            "def test_whole(): assert product.FIRST == product.SECOND\n"
            "def test_last(): assert product.FIRST < 0\n",
        }
    )
    bench.warm_up()
    stop = threading.Event()

    def edit() -> None:
        number = 0
        while not stop.wait(0.03):
            number += 1
            other = bench.root / "product.new"
            other.write_text(halves.format(number))
            other.replace(bench.root / "product.py")

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        for _ in range(10):
            seen = bench.pytest()
            assert [outcome for _, outcome in seen.outcomes] == ["passed", "failure"], seen.output
    finally:
        stop.set()
        editor.join()
    bench.write({"product.py": halves.format(-1)})
    right(bench)


@pytest.mark.long
def test_touched_all_the_time(project: MakeProject) -> None:
    """A file that never looks the same proves nothing: runs are right, and warming ends."""
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            "data.txt": "1",
            "test_a.py": "DATA = open('data.txt').read()\n"
            "def test_a(): assert DATA == '1'\n"
            "def test_b(): assert DATA == '2'\n",
        }
    )
    stop = threading.Event()

    def touch() -> None:
        while not stop.wait(0.002):
            os.utime(bench.root / "data.txt")

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        bench.pytest()
        eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
        for _ in range(3):
            seen = bench.compare()
            assert not seen.differences, seen.differences[-1]
        assert bench.status(30)["state"] in {"warm", "degraded"}
    finally:
        stop.set()
        toucher.join()
    bench.pytest()
    bench.wait_until_warm()
    right(bench)


CLOCK = """\
import sys
if "fastcollect_lsp.server" in sys.orig_argv:
    import time
    def shifted(ask, unit):
        def now():
            with open({path!r}) as file:
                return ask() + int(file.read() or 0) * unit
        return now
    time.time, time.time_ns = shifted(time.time, 1), shifted(time.time_ns, 10**9)
"""


@pytest.mark.parametrize("seconds", [-86_400, pytest.param(86_400, marks=pytest.mark.long)])
def test_clock_is_set(project: MakeProject, tmp_path: Path, seconds: int) -> None:
    """While the server lives: all its files are of the future then, or long past."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(CLOCK.format(path=str(clock)))
    bench = project({**FILES, "product.py": "VALUE = 1\n"})
    bench.extra_env["PYTHONPATH"] += f":{tmp_path}"
    bench.warm_up()
    clock.write_text(str(seconds))
    for text in ("VALUE = 2\n", "VALUE = 1\n"):
        (bench.root / "product.py").write_text(text)
        right(bench)
    assert bench.status()["last_run"]["checkpoint"] in DEEPEST


@pytest.mark.long
@pytest.mark.parametrize("seconds", [86_400, -86_400])
def test_times_of_another_day(project: MakeProject, seconds: int) -> None:
    """A clock that was wrong, or an archive unpacked: any other stat is a change."""
    bench = project({**FILES, "product.py": "VALUE = 1\n"})
    bench.warm_up()
    product = bench.root / "product.py"
    for text in ("VALUE = 2\n", "VALUE = 1\n"):
        product.write_text(text)
        stat = product.stat()
        os.utime(product, ns=(stat.st_atime_ns, stat.st_mtime_ns + seconds * 10**9))
        right(bench)


@pytest.mark.long
def test_interrupted_while_it_warms(growing: Growing) -> None:
    """Ctrl-C ends the cold run that goes on meanwhile, not the server."""
    bench, gate = growing
    bench.write({"test_b.py": "import time\ndef test_long(): time.sleep(60)\n"})
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    with subprocess.Popen(
        [*bench.command, "-v", "test_b.py"], cwd=bench.root, env=env, text=True, bufsize=1,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "collected 1 item" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 2, output
    assert "KeyboardInterrupt" in output
    assert header("".join(seen)) != ""
    bench.write({"test_b.py": None})
    gate.open()
    right(bench)
