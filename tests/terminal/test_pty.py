"""A warm run behind a real terminal, beside the cold run in one like it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.support import HANG, Shared, SmallBench, ended, eventually, small_bench
from tests.terminal.screens import tidy

COLD = ("-p", "no:fastcollect")

FILES = {
    "conftest.py": """\
        import os
        import pytest
        import slow_to_import

        @pytest.fixture
        def note():
            def write(text):
                fd = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(fd, f"{text}\\n".encode())
                os.close(fd)
            return write

        @pytest.fixture
        def torn_down(note):
            yield
            note("torn down")
        """,
    "test_tty.py": """\
        import json, os, shutil, sys

        def test_terminal(capfd, note):
            note(json.dumps({
                "size": list(shutil.get_terminal_size()),
            }))

        def test_fails():
            assert {"a": 1} == {"a": 2}
        """,
    "test_raw.py": """\
        import json, os, sys

        def test_terminal(note):
            note(json.dumps({
                "isatty": [os.isatty(fd) for fd in range(3)],
                "streams": [s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)],
                "name": os.ttyname(0),
                "size": list(os.get_terminal_size(1)),
                "encodings": [s.encoding for s in (sys.stdin, sys.stdout, sys.stderr)],
            }))
        """,
    "test_input.py": """\
        import getpass

        def test_input(note):
            note(input("name? "))
            note(getpass.getpass("secret? "))

        def test_debugger(note):
            value = "from the debugger"
            breakpoint()
            note(value)
        """,
    "test_sleeps.py": """\
        import os, signal, time

        # Noted and asleep in one line of this function: an interrupt is always in the same place.
        def test_sleeps(torn_down):
            fd = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, b"asleep\\n"); time.sleep(300)

        def test_after(note):
            note("ran on")
        """,
    "test_counts.py": """\
        import select, signal

        def test_counts(note):
            got = []
            signal.signal(signal.SIGINT, lambda *_: got.append(1))
            note("ready")
            signal.pause()
            select.select([], [], [], 0.5)  # a second one would come at once
            note(f"interrupts {len(got)}")
        """,
    "test_gate.py": """\
        import os

        def test_gate(note):
            note(f"pid {os.getpid()}")
            print("at the gate", flush=True)
            with open(os.environ["GATE"]) as gate:
                gate.read()
            note("gate opened")
        """,
    "test_stops.py": """\
        import os

        def test_stops(note):
            note(f"pid {os.getpid()}")
            print("reading")
            note(input("go? "))
        """,
}


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[SmallBench]:
    """A project whose conftest is warm: that serves each command line."""
    with small_bench(shared, FILES) as made:
        made.warm_up("--collect-only", "-q")
        yield made


@pytest.fixture
def notes(bench: SmallBench, tmp_path: Path) -> Iterator[Path]:
    """Where the tests of the project write to."""
    path = tmp_path / "notes"
    bench.served_warm()
    bench.extra_env["NOTES"] = str(path)
    yield path
    del bench.extra_env["NOTES"]


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


@contextlib.contextmanager
def terminal(bench: SmallBench, *args: str, columns: int = 90) -> Iterator[pexpect.spawn[str]]:
    """pytest as the only process of a terminal session."""
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), "TERM": "xterm-256color"}
    del env["COLUMNS"]
    program, *rest = bench.command
    child = pexpect.spawn(
        program,
        [*rest, *args],
        cwd=str(bench.root),
        env=env,
        dimensions=(30, columns),
        encoding="utf-8",
        timeout=HANG,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def finish(child: pexpect.spawn[str]) -> tuple[str, int]:
    """The rest of the output, and the exit status as a shell tells it."""
    child.expect(pexpect.EOF)
    child.wait()
    status = child.exitstatus if child.signalstatus is None else 128 + child.signalstatus
    assert status is not None
    return child.before or "", status


@pytest.mark.parametrize("columns", [60, 133])
def test_colours_and_width(bench: SmallBench, notes: Path, columns: int) -> None:
    with terminal(bench, "test_tty.py", columns=columns) as child:
        warm = finish(child)
    assert bench.served_warm()
    with terminal(bench, *COLD, "test_tty.py", columns=columns) as child:
        cold = finish(child)
    assert warm[1] == cold[1] == 1
    assert "\x1b[31m" in cold[0]
    assert tidy(warm[0]) == tidy(cold[0])
    seen = lines(notes)
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_the_test_sees_the_terminal(bench: SmallBench, notes: Path) -> None:
    with terminal(bench, "-s", "test_raw.py") as child:
        assert finish(child)[1] == 0
    assert bench.served_warm()
    with terminal(bench, *COLD, "-s", "test_raw.py") as child:
        assert finish(child)[1] == 0
    warm, cold = (json.loads(line) for line in lines(notes))
    assert warm["isatty"] == warm["streams"] == [True] * 3
    assert warm["size"] == [90, 30]
    for each in (warm, cold):
        assert each.pop("name").startswith("/dev/pts/")
    assert warm == cold


def test_input_and_password(bench: SmallBench, notes: Path) -> None:
    with terminal(bench, "-s", "test_input.py::test_input") as child:
        child.expect_exact("name? ")
        child.sendline("Ada")
        child.expect_exact("secret? ")
        child.sendline("Lovelace")
        output, status = finish(child)
    assert status == 0
    assert bench.served_warm()
    assert lines(notes) == ["Ada", "Lovelace"]
    assert "Lovelace" not in output, "the password was echoed"


def test_debugger(bench: SmallBench, notes: Path) -> None:
    with terminal(bench, "test_input.py::test_debugger") as child:
        child.expect_exact("(Pdb) ")
        child.sendline("value = 'typed'")
        child.expect_exact("(Pdb) ")
        child.sendline("continue")
        assert finish(child)[1] == 0
    assert bench.served_warm()
    assert lines(notes) == ["typed"]


def _interrupt(bench: SmallBench, notes: Path, *args: str) -> tuple[str, int, list[str]]:
    notes.unlink(missing_ok=True)
    with terminal(bench, *args, "test_sleeps.py") as child:
        eventually(lambda: "asleep" in lines(notes), "the test sleeps")
        child.sendintr()
        output, status = finish(child)
    return output, status, lines(notes)


def test_interrupt(bench: SmallBench, notes: Path) -> None:
    warm, status, noted = _interrupt(bench, notes)
    assert bench.served_warm()
    cold = _interrupt(bench, notes, *COLD)
    assert (status, noted) == cold[1:] == (2, ["asleep", "torn down"])
    assert warm.count("KeyboardInterrupt") == cold[0].count("KeyboardInterrupt") > 0
    assert tidy(warm) == tidy(cold[0])


def test_one_interrupt_comes_once(bench: SmallBench, notes: Path) -> None:
    with terminal(bench, "test_counts.py") as child:
        eventually(lambda: "ready" in lines(notes), "the test waits")
        child.sendintr()
        assert finish(child)[1] == 0
    assert bench.served_warm()
    assert lines(notes) == ["ready", "interrupts 1"]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def interactive_shell(bench: SmallBench) -> Iterator[pexpect.spawn[str]]:
    """bash with job control, at its prompt `ready> `."""
    env = {**bench.env, "TERM": "dumb", "PS1": "ready> "}
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "-i"], cwd=str(bench.root), env=env,
        encoding="utf-8", timeout=HANG, dimensions=(30, 200),
    )  # fmt: skip
    try:
        shell.expect_exact("ready> ")
        shell.sendline("export FASTCOLLECT_TOP_LEVEL=$$")
        shell.expect_exact("ready> ")
        yield shell
    finally:
        shell.close(force=True)


def test_stop_and_foreground(bench: SmallBench, notes: Path) -> None:
    """Ctrl-Z in an interactive shell, then `fg`."""
    with interactive_shell(bench) as shell:
        shell.sendline(" ".join([*bench.command, "-s", "test_stops.py"]))
        shell.expect_exact("go? ")
        (noted,) = lines(notes)
        run = int(noted.removeprefix("pid "))
        shell.sendcontrol("z")
        shell.expect_exact("Stopped")
        shell.expect_exact("ready> ")
        eventually(lambda: _state(run) == "T", "the run is stopped")
        shell.sendline("fg")
        eventually(lambda: _state(run) != "T", "the run goes on")
        shell.sendline("resumed")
        shell.expect_exact("1 passed")
        shell.expect_exact("ready> ")
        shell.sendline("echo status=$?")
        shell.expect(r"status=(\d+)\r")
        assert isinstance(shell.match, re.Match)
        assert shell.match.group(1) == "0"
    assert bench.served_warm()
    assert lines(notes)[1:] == ["resumed"]
    assert ended(run)


@pytest.mark.long
@pytest.mark.parametrize("cold", [False, True])
def test_stop_and_background(bench: SmallBench, notes: Path, tmp_path: Path, cold: bool) -> None:
    """Ctrl-Z, then `bg`: the run goes on beside the shell, whose keys it leaves alone."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    bench.extra_env["GATE"] = str(gate)
    with interactive_shell(bench) as shell:
        del bench.extra_env["GATE"]
        shell.sendline(" ".join([*bench.command, *(COLD if cold else ()), "-s", "test_gate.py"]))
        shell.expect_exact("at the gate")
        (noted,) = lines(notes)
        run = int(noted.removeprefix("pid "))
        shell.sendcontrol("z")
        shell.expect_exact("Stopped")
        shell.expect_exact("ready> ")
        eventually(lambda: _state(run) == "T", "the run is stopped")
        shell.sendline("bg")
        shell.expect_exact("ready> ")
        eventually(lambda: _state(run) != "T", "the run goes on")
        shell.sendline("read answer; echo got=$answer; jobs")
        shell.sendcontrol("c")  # reaches the shell alone: the run is not in the foreground
        shell.expect_exact("ready> ")
        shell.sendline("jobs; echo from the shell")
        shell.expect_exact("Running")
        shell.expect(r"\nfrom the shell")
        gate.write_text("go")
        shell.expect_exact("1 passed")
        shell.sendline("wait %1; echo status=$?")
        shell.expect(r"status=(\d+)\r")
        assert isinstance(shell.match, re.Match)
        assert shell.match.group(1) == "0"
    assert bench.served_warm() is not cold
    assert lines(notes)[1:] == ["gate opened"]
    assert ended(run)


def test_hangup_ends_the_run(bench: SmallBench, notes: Path) -> None:
    """A terminal that closes takes the run with it."""
    with terminal(bench, "-s", "test_stops.py") as child:
        child.expect_exact("go? ")
        (noted,) = lines(notes)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGHUP)
    assert ended(int(noted.removeprefix("pid ")))
