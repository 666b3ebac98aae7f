"""`pytest` becomes the native command at its start, where a server may know it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import MakeProject
from tests.support import HANG, SmallBench, eventually

WAITING = {
    "test_a.py": """
        import os, pathlib, time
        import slow_to_import
        def wait():
            pathlib.Path("begun").write_text(str(os.getppid()))
            while pathlib.Path("wait").exists(): time.sleep(0.01)
        def test_one(): wait()
        def test_two(): wait()
    """,
    "test_b.py": """
        from test_a import wait
        def test_three(): wait()
    """,
}


def programs(bench: SmallBench, command: Sequence[str], **env: str) -> str:
    """Which program the process of a command is while its tests run."""
    begun, wait = bench.root / "begun", bench.root / "wait"
    begun.unlink(missing_ok=True)
    wait.touch()
    environ = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), **env}
    with subprocess.Popen(
        [*command], cwd=bench.root, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            eventually(lambda: begun.exists() or process.poll() is not None, "a test")
            found = os.path.basename(os.readlink(f"/proc/{process.pid}/exe"))
            name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        finally:
            wait.unlink()
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 0, output
    assert name == "pytest" or found != "fastcollect", "`killall pytest` is to reach it"
    return found.rstrip("0123456789.")


def becomes_native(bench: SmallBench, command: Sequence[str]) -> None:
    """A run of pytest's own as well, at first, where the server took too long to decide."""
    found = [programs(bench, command)]
    while found[-1] != "fastcollect" and len(found) < 4:
        bench.wait_until_warm()
        found.append(programs(bench, command))
    assert found[-1] == "fastcollect", found


def test_a_repeated_command_and_others_of_its_kind(project: MakeProject) -> None:
    bench = project(WAITING)
    assert programs(bench, bench.command) == "python"
    bench.warm_up()
    pytest_ = [*bench.command, "-q"]
    assert programs(bench, pytest_) == "python", "no run has had these options"
    becomes_native(bench, pytest_)
    assert bench.status()["last_run"]["served"] in ("warm", "collected")
    for selection in (["test_b.py"], ["test_a.py::test_two"], ["-k", "one"]):
        becomes_native(bench, [*pytest_, *selection])
    assert programs(bench, [*pytest_, "-x"]) == "python"


UNWANTED: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    ((), {"FASTCOLLECT": "0"}),
    ((), {"CI": "true"}),
    (("--no-fastcollect-auto-daemon",), {}),
    (("-p", "no:fastcollect"), {}),
    ((), {"COVERAGE_PROCESS_START": "nothing"}),
    ((), {"PYTHONPROFILEIMPORTTIME": "1"}),
)


def test_who_does_not_want_it(project: MakeProject) -> None:
    bench = project(WAITING)
    bench.warm_up()
    for arguments, env in UNWANTED:
        for _ in range(2):
            found = programs(bench, [*bench.command, *arguments], **env)
            assert found == "python", (arguments, env)
    becomes_native(bench, bench.command)  # this project's server is known


def test_an_interpreter_with_options(project: MakeProject) -> None:
    bench = project(WAITING)
    bench.warm_up()
    python, script = bench.command
    for _ in range(2):
        assert programs(bench, [python, "-B", script]) == "python"
        assert programs(bench, [python, "-m", "pytest"]) == "python"


def test_what_it_leaves_to_pytest_shows_nothing_of_that(project: MakeProject) -> None:
    """Of another environment, say, the server cannot serve it: pytest begins once more."""
    bench = project({
        "test_a.py": """
            import os, signal, subprocess, sys
            import slow_to_import
            def test_traces():
                assert not [name for name in os.environ if name.startswith("FASTCOLLECT_LEFT")]
                child = subprocess.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True)
                assert int(child.stdout.split()[1], 16) & 1 << signal.SIGPIPE - 1 == 0
                assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
                assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
                print([name for name in os.environ if not name.startswith("PYTHON")])
        """
    })  # fmt: skip
    bench.warm_up("-rA")
    for _ in range(2):
        bench.compare_warm("-rA")
        bench.wait_until_warm()
    bench.extra_env["PYTHONUTF8"] = "1"  # only a new process can take that over
    compared = bench.compare(["-rA"])
    assert compared.served["served"] == "cold"
    assert not compared.differences, compared.differences


def test_a_server_that_was_killed(project: MakeProject) -> None:
    bench = project({"test_a.py": "import slow_to_import\ndef test_a(): pass\n"})
    bench.warm_up()
    bench.compare_warm()
    os.kill(bench.server_pid(), signal.SIGKILL)
    compared = bench.compare()
    assert not compared.differences
    assert "Daemon: starting" in compared.warm.output


def test_nothing_else_is_imported(tmp_path: Path) -> None:
    """What every interpreter of the environment executes at its start is one condition."""
    code = "import sys; print([name for name in sys.modules if 'fastcollect' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout
    assert not done.stderr
    script = tmp_path / "pytest"
    script.write_text(code)
    environ = {**os.environ, "FASTCOLLECT_DIR": str(tmp_path)}
    environ.pop("CI", None)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environ, check=True
    )
    allowed = {"pytest_fastcollect", "fastcollect_lsp"}
    found = {name.partition(".")[0] for name in eval(done.stdout)}
    assert found <= allowed
    assert not done.stderr
