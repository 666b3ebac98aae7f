"""Where nobody reaps, as in a container without init: what was killed stays a zombie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support import HANG

DRIVER = """\
import json, os, signal, sys
from pathlib import Path
from fastcollect_lsp.verify import Project
from tests.support import SmallBench, eventually, header

def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

assert os.getpid() == 1
root, directory, env, bytecode = sys.argv[1:]
bench = SmallBench(Project(Path(root), Path(sys.executable)), Path(directory), json.loads(env),
                   Path(bytecode))
said = []
try:
    bench.warm_up()
    for _ in range(2):
        pid = bench.server_pid()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: state(pid) == "Z", "a zombie")
        assert bench.fastcollect("health").returncode == 1
        run = bench.pytest()
        said.append([run.exit, header(run.output)])
        bench.warm_up()
        assert bench.server_pid() != pid
        assert state(pid) == "Z", "somebody reaps here"
        said.append(bench.compare_warm().differences)
finally:
    stopped = bench.fastcollect("stop")

def alive():
    pids = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    return {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids if state(pid) != "Z"}

try:
    eventually(lambda: not alive(), "the end of all processes", 10)
except AssertionError:
    pass
left = alive()
print(json.dumps([said, stopped.returncode, left]))
"""


@pytest.mark.long
def test_killed_servers_that_nobody_reaps(project: MakeProject) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no process namespace may be made here")
    bench = project(
        {"conftest.py": "import slow_to_import\n", "test_good.py": "def test_good(): pass\n"}
    )
    tests = Path(__file__).parent.parent
    path = os.pathsep.join([str(tests.parent), str(tests / "equivalence")])
    arguments = [str(bench.root), str(bench.directory), json.dumps(bench.extra_env)]
    done = subprocess.run(
        [*unshare, sys.executable, "-c", DRIVER, *arguments, str(bench.bytecode)],
        env={**bench.env, "PYTHONPATH": path}, capture_output=True, text=True, timeout=5 * HANG,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, stopped, left = json.loads(done.stdout.splitlines()[-1])
    assert said == [[0, "Daemon: starting"], []] * 2
    assert stopped == 0
    assert not left
