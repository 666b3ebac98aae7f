"""`fastcollect health` and `pytest --daemon-health`: each state that something is wrong in."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.faults.test_other_versions import other_version
from tests.support import SmallBench, ended, eventually

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
        assert "does not answer" in finding["what"] and str(pid) in finding["remedy"]
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: health(bench) == [], "an answer")


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


@pytest.mark.long
def test_every_decision_has_one_line_in_the_log(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    (server,) = bench.servers()
    before = (server / "log").read_text().count("INFO fastcollect.warm: run ")
    for args in ((), ("-k", "good"), ("--no-such-option",), ("-q",)):
        bench.pytest(*args)
    log = (server / "log").read_text()
    decisions = [line for line in log.splitlines() if "warm: run warm" in line or "run cold" in line
                 or "run collected" in line]  # fmt: skip
    assert len(decisions) >= 3 and log.count("fastcollect.warm: run ") > before
    assert all("proof" in line for line in decisions)
