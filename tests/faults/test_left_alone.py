"""Runs that are nobody's `pytest` at a terminal start no server; racing ones start a single one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastcollect_lsp import rendezvous
from tests.conftest import MakeProject
from tests.support import HANG, SmallBench, ended, eventually, header

FILES = {"conftest.py": "import slow_to_import\n", "test_good.py": "def test_good(): pass\n"}


def run(bench: SmallBench, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command in the project, its parent vouching that it is not nested in these tests."""
    return subprocess.run(
        [str(bench.project.python), *command],
        cwd=bench.root,
        env={**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG,
    )


MAIN = "import sys, pytest\nsys.exit(pytest.main(['-v']))\n"
PLUGINS = "import sys, pytest\nclass P: pass\nsys.exit(pytest.main(['-v'], plugins=[P()]))\n"
CONSOLE = "import sys, pytest\nsys.argv[1:] = ['-v']\nsys.exit(pytest.console_main())\n"
TRACED = """\
import runpy, sys
sys.settrace(lambda *_: None)
sys.argv[:] = ["pytest", "-v"]
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("program", "name"),
    [(MAIN, "main.py"), (PLUGINS, "main.py"), (CONSOLE, "tool.py"), (TRACED, "traced.py")],
    ids=["pytest.main", "plugins", "console_main", "settrace"],
)
def test_programs(program: str, name: str, project: MakeProject) -> None:
    bench = project({**FILES, name: program})
    done = run(bench, name)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "fastcollect: v" not in done.stdout
    assert not bench.servers()


def test_a_warning_that_was_shown_is_not_shown_again(project: MakeProject) -> None:
    """The script runs in the caller before anybody can ask whether the run is handed over."""
    old = "import sys, warnings\nfrom _pytest.config import _console_main\n"
    old += "warnings.warn('old script')\nsys.exit(_console_main())\n"
    bench = project({**FILES, "bin/pytest": old})
    bench.warm_up()
    done = run(bench, "bin/pytest", "-v")
    assert "cold: the script has shown a warning" in done.stdout
    assert done.stdout.count("UserWarning: old script") == 1, done.stdout


def test_trace(project: MakeProject, tmp_path: Path) -> None:
    bench = project(FILES)
    # Without a directory of its own `trace` writes beside every module, ours included.
    done = run(bench, "-m", "trace", "--count", "--coverdir", str(tmp_path), "--module", "pytest")
    assert "1 passed" in done.stdout
    assert not bench.servers()
    assert not list(Path(rendezvous.__file__).parent.glob("*.cover"))


def test_profile(project: MakeProject) -> None:
    bench = project(FILES)
    done = run(bench, "-m", "cProfile", "-m", "pytest")
    assert "1 passed" in done.stdout
    assert not bench.servers()


def test_coverage(project: MakeProject) -> None:
    if importlib.util.find_spec("coverage") is None:
        pytest.skip("coverage is not installed here")
    bench = project(FILES)
    done = run(bench, "-m", "coverage", "run", "-m", "pytest")
    assert "1 passed" in done.stdout
    assert not bench.servers()


def test_a_tracer_of_the_interpreter_is_named(project: MakeProject, tmp_path: Path) -> None:
    """Where it is `pytest` itself that is traced, the header says why the run is cold."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.settrace(lambda *_: None)\n")
    bench = project(FILES)
    path = f"{tmp_path}{os.pathsep}{bench.extra_env['PYTHONPATH']}"
    done = run(bench, "-m", "pytest", PYTHONPATH=path)
    assert header(done.stdout) == "cold: a tracer or debugger is active"
    assert not bench.servers()


def test_the_same_commands_do_start_one(project: MakeProject) -> None:
    """The control of the tests above: without program or tracer there is a server."""
    bench = project(FILES)
    assert header(run(bench, "-m", "pytest").stdout) == "Daemon: starting"
    assert len(bench.servers()) == 1


NESTED = {
    "conftest.py": "import slow_to_import\npytest_plugins = ['pytester']\n",
    "test_nested.py": """\
        import json, os, subprocess, sys
        import pytest

        INNER = "import slow_to_import\\ndef test_inner(): pass\\n"
        PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]

        @pytest.fixture
        def inner(tmp_path):
            (tmp_path / "pytest.ini").write_text("[pytest]\\n")
            (tmp_path / "test_inner.py").write_text(INNER)
            return tmp_path

        def check(output):
            assert "1 passed" in output
            assert "fastcollect: v" not in output

        def test_subprocess(inner):
            done = subprocess.run(PYTEST, cwd=inner, capture_output=True, text=True)
            check(done.stdout)

        def test_empty_environment(inner):
            env = {"PYTHONPATH": os.environ["PYTHONPATH"]}
            done = subprocess.run(PYTEST, cwd=inner, capture_output=True, text=True, env=env)
            check(done.stdout)

        def test_shell_between(inner):
            command = " ".join(PYTEST) + "; true"
            done = subprocess.run(command, shell=True, cwd=inner, capture_output=True, text=True)
            check(done.stdout)

        def test_pytester(pytester):
            pytester.makepyfile(INNER)
            check(pytester.runpytest_subprocess().stdout.str())

        def test_in_process(pytester):
            pytester.makepyfile(INNER)
            check(pytester.runpytest_inprocess().stdout.str())
        """,
}


def test_nested_runs(project: MakeProject, tmp_path: Path) -> None:
    """Below a cold run and below a warm one: the only server is the outer project's."""
    bench = project(NESTED)
    bench.extra_env["XDG_RUNTIME_DIR"] = str(tmp_path)
    first = bench.warm_up()
    assert first.exit == 0, first.output
    servers = bench.servers()
    assert len(servers) == 1
    warm = bench.pytest()
    assert bench.served_warm()
    assert warm.exit == 0, warm.output
    assert len(warm.outcomes) == 5
    assert bench.servers() == servers
    assert not _foreign_servers(bench)


def _foreign_servers(bench: SmallBench) -> list[str]:
    """Servers of roots below pytest's temporary directories of that project's runs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"fastcollect_lsp.server" in command:
            root = command[command.index(b"fastcollect_lsp.server") + 1]
            if re.search(rb"/test_\w+0/?", root):
                found.append(os.fsdecode(root))
    return found


def test_ci(project: MakeProject) -> None:
    bench = project(FILES, CI="true")
    done = bench.pytest()
    assert header(done.output) == "cold: CI is set; ask with --fastcollect-auto-daemon"
    assert not bench.servers()
    asked = bench.pytest("--fastcollect-auto-daemon")
    assert header(asked.output) == "Daemon: starting"
    assert len(bench.servers()) == 1


@pytest.mark.parametrize(
    "how", [{"FASTCOLLECT": "0"}, {"PYTEST_ADDOPTS": "--no-fastcollect-auto-daemon"}], ids=str
)
def test_switched_off(how: dict[str, str], project: MakeProject) -> None:
    bench = project(FILES, **how)
    done = bench.pytest()
    assert done.exit == 0
    assert not bench.servers()


def test_racing_first_runs(project: MakeProject) -> None:
    bench = project(FILES)
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    racers = [
        subprocess.Popen(
            [*bench.command, "-p", "no:cacheprovider"], cwd=bench.root, env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for _ in range(8)
    ]  # fmt: skip
    outputs = [racer.communicate(timeout=HANG)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 8, outputs
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
    bench.wait_until_warm()
    pid = bench.server_pid()
    for other in _server_processes(bench) - {pid}:
        assert ended(other), "a second server"
    assert _server_processes(bench) == {pid}
    (server,) = bench.servers()
    assert (server / "log").read_text().count("serving ") == 1
    assert json.loads((server / "lock").read_text())["pid"] == pid
    assert not bench.compare_warm("-p", "no:cacheprovider").differences


def test_record_of_which_nobody_tells(project: MakeProject) -> None:
    """A run leaves its record to the server that it has started; another may have been sooner."""
    bench = project(FILES)
    bench.warm_up()
    (server,) = bench.servers()
    record = server / "records" / "untold.json"
    record.write_text("{}")
    eventually(lambda: not record.exists(), "the server to take a record")
    assert "record untold.json dropped" in (server / "log").read_text()


def _server_processes(bench: SmallBench) -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"fastcollect_lsp.server" in command and os.fsencode(bench.root) in command:
            found.add(int(process.name))
    return found


DRIVER = """\
import json, subprocess, sys
from pathlib import Path
root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(root)], check=True)
(root / "conftest.py").write_text("import slow_to_import\\n")
(root / "test_good.py").write_text("def test_good(): pass\\ndef test_bad(): assert 0\\n")
subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
from tests.support import Shared, SmallBench
from fastcollect_lsp.verify import Project
env = json.loads(sys.argv[3])
bench = SmallBench(Project(root, Path(sys.executable)), Path(sys.argv[2]), env, Path(sys.argv[4]))
try:
    bench.warm_up()
    found = bench.compare_warm()
finally:
    bench.fastcollect("stop")
print(json.dumps([found.differences, found.cold.exit, found.cold.output]))
"""


def test_read_only_root(project: MakeProject) -> None:
    """In a mount namespace of its own, which the server shares."""
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("no mount namespace may be made here")
    bench = project({})
    tests = Path(__file__).parent.parent
    path = os.pathsep.join([str(tests.parent), str(tests / "equivalence")])
    arguments = [str(bench.root), str(bench.directory), json.dumps(bench.extra_env)]
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", DRIVER, *arguments, str(bench.bytecode)],
        env={**bench.env, "PYTHONPATH": path}, capture_output=True, text=True, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    differences, status, output = json.loads(done.stdout.splitlines()[-1])
    assert not differences, differences[-1]
    assert status == 1
    assert "could not create cache path" in output
