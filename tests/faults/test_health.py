"""`fastcollect health` and `pytest --daemon-health`: each state that something is wrong in."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.faults.killing import is_native
from tests.faults.test_exhaustion import fill, limited, small_disk
from tests.faults.test_other_versions import other_version
from tests.support import HANG, SmallBench, ended, eventually, header

FILES = {"conftest.py": "import slow_to_import\n", "test_good.py": "def test_good(): pass\n"}


def health(bench: SmallBench) -> list[dict[str, Any]]:
    """What it finds; its exit status says whether there is anything, and so does pytest's."""
    done = bench.fastcollect("health", "--json")
    found = json.loads(done.stdout)
    assert found["ok"] == (not found["findings"]) == (done.returncode == 0)
    by_pytest = bench.pytest("--daemon-health")
    assert (by_pytest.exit == 0) == found["ok"], by_pytest.output
    for finding in found["findings"]:
        assert finding["what"] and finding["remedy"]
    return list(found["findings"])


@pytest.mark.long
def test_nothing_is_wrong(project: MakeProject) -> None:
    bench = project(FILES)
    assert health(bench) == []
    bench.warm_up()
    assert health(bench) == []
    bench.fastcollect("stop")
    assert health(bench) == []


def test_killed(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    pid = bench.server_pid()
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    (finding,) = health(bench)
    assert "ended without cleaning up" in finding["what"]
    assert "kill" not in finding["remedy"]
    bench.warm_up()
    assert health(bench) == []


@pytest.mark.long
def test_stopped(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    pid = bench.server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        (finding,) = health(bench)
        assert "does not answer" in finding["what"] and f"kill -CONT {pid}" in finding["remedy"]
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: health(bench) == [], "an answer")


def test_a_warm_process_that_was_stopped(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    pid = bench.checkpoint_pids()["modules"]
    os.kill(pid, signal.SIGSTOP)
    try:
        (finding,) = health(bench)
        assert f"modules (pid {pid}) was stopped" in finding["what"]
        assert f"kill -CONT {pid}" in finding["remedy"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert health(bench) == []


@pytest.mark.long
def test_few_descriptors(project: MakeProject) -> None:
    """What the shell had from which the first run started the server."""
    bench = project(FILES)
    limited(bench, "-n 48")
    eventually(lambda: bench.status()["state"] != "stopped", "a server")
    (finding,) = health(bench)
    assert "may have 48 descriptors" in finding["what"] and "ulimit -n" in finding["remedy"]
    bench.fastcollect("stop")
    bench.warm_up()
    assert health(bench) == []


@pytest.mark.long
def test_a_pid_that_is_another_process_now(project: MakeProject) -> None:
    """What the lock file of a server says that was killed: nobody is to be killed for it."""
    bench = project(FILES)
    bench.warm_up()
    pid = bench.server_pid()
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    (server,) = bench.servers()
    holder = json.loads((server / "lock").read_text())
    (server / "lock").write_text(json.dumps({**holder, "pid": os.getpid()}))
    (finding,) = health(bench)
    assert str(os.getpid()) not in finding["remedy"]
    bench.warm_up()
    assert bench.fastcollect("stop").returncode == 0


@pytest.mark.long
def test_nowhere_to_write(project: MakeProject) -> None:
    """What the run says is what is found."""
    bench = project(FILES)
    with small_disk(bench.directory):
        subprocess.run(["mount", "-o", "remount,ro", str(bench.directory)], check=True)
        bench.extra_env["FASTCOLLECT_DIR"] = str(bench.directory / "mine")
        done = bench.pytest()
        assert header(done.output).startswith("cold: no server could be started"), done.output
        (finding,) = health(bench)
        assert "no server can be started" in finding["what"]


@pytest.mark.long
def test_where_others_may_put_something_else(project: MakeProject, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    bench = project(FILES, FASTCOLLECT_DIR=str(tmp_path / "open" / "mine"))
    (finding,) = health(bench)
    assert "others may replace what is in" in finding["what"]


@pytest.mark.long
def test_no_room(project: MakeProject) -> None:
    bench = project(FILES)
    with small_disk(bench.directory):
        assert health(bench) == []
        fill(bench.directory)
        (finding,) = health(bench)
        assert "no space is left" in finding["what"]
        (bench.directory / "filling").unlink()
        bench.warm_up()
        fill(bench.directory)
        (finding,) = health(bench)
        assert "no space is left" in finding["what"]


@pytest.mark.long
def test_a_lock_without_a_server(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    (server,) = bench.servers()
    bench.fastcollect("stop")
    server.mkdir(parents=True, mode=0o700)
    server.parent.chmod(0o700)
    with open(server / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"pid": os.getpid()}))
        lock.flush()
        (finding,) = health(bench)
    assert "holds the lock but does not listen" in finding["what"]
    shutil.rmtree(bench.directory)


@pytest.mark.long
def test_another_version(project: MakeProject, tmp_path_factory: pytest.TempPathFactory) -> None:
    bench = project(FILES)
    bench.warm_up()
    usual = bench.extra_env["PYTHONPATH"]
    bench.extra_env["PYTHONPATH"] = other_version(tmp_path_factory.mktemp("o"), "0.0.1") + usual
    done = bench.fastcollect("health")
    assert done.returncode == 1
    assert "another version" in done.stdout


@pytest.mark.long
def test_nothing_can_be_warm(project: MakeProject) -> None:
    bench = project({"conftest.py": "import os\nos.write(2, b'x')\nimport slow_to_import\n"})
    bench.write({"test_a.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"})
    bench.pytest()
    eventually(lambda: bench.status()["state"] != "stopped", "a server")
    status = bench.wait_until_warm()
    found = health(bench)
    assert bool(found) == (status["state"] == "degraded")


DECISION = re.compile(r"fastcollect\.warm: run (\w+) for pid (\d+): .*, proof \d+\.\d ms")


@pytest.mark.long
def test_every_decision_has_one_line_in_the_log(project: MakeProject) -> None:
    """With the pid of the caller: cold, warm and collected, by both commands."""
    bench = project(FILES)
    bench.warm_up("--strict-markers")
    (server,) = bench.servers()
    native = bench.project.python.parent / "fastcollect"
    commands = [bench.command, *([[str(native), "run"]] if is_native(native) else [])]
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    asked: dict[int, list[str]] = {}
    before = len(DECISION.findall((server / "log").read_text()))
    for command in commands:
        for args in (["--strict-markers"], ["-k", "good"], ["-k", "good"], ["test_good.py"]):
            bench.wait_until_warm()
            done = subprocess.Popen(
                [*command, *args], cwd=bench.root, env=env,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            assert done.wait(HANG) == 0
            asked[done.pid] = args
    decisions = DECISION.findall((server / "log").read_text())[before:]
    assert [int(pid) for _, pid in decisions] == list(asked)
    assert {served for served, _ in decisions} >= {"warm", "collected"}


@pytest.mark.long
def test_who_waits_is_in_the_log(project: MakeProject) -> None:
    """A run that is queued, with its pid; and one that is cold because it took too long."""
    slow = "import os, time\ndef test_slow():\n    open('begun', 'w').close()\n"
    slow += "    while not os.path.exists('go'): time.sleep(0.01)\n"
    bench = project({**FILES, "test_slow.py": slow}, FASTCOLLECT_MAX_RUNS="1")
    (bench.root / "go").touch()
    bench.warm_up()
    (bench.root / "go").unlink()
    (bench.root / "begun").unlink()
    (server,) = bench.servers()
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}

    def begin(*args: str) -> subprocess.Popen[bytes]:
        command = [*bench.command, *args]
        return subprocess.Popen(command, cwd=bench.root, env=env, stdout=subprocess.DEVNULL)

    slow_run = begin("test_slow.py")
    try:
        eventually((bench.root / "begun").exists, "the first run's test")
        second = begin("test_good.py")
        assert second.wait(HANG) == 0
    finally:
        (bench.root / "go").touch()
        assert slow_run.wait(HANG) == 0
    log = (server / "log").read_text()
    assert f"run queued for pid {second.pid}: 1 runs are going on" in log
    assert f"run cold for pid {second.pid}: 1 runs are going on" in log
