"""What a person at a terminal sees and types, beside cold pytest."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tests.support import SmallBench, eventually
from tests.terminal.screens import Row, Typing, compare, environment, kept, shell, warm_runs

PROJECT = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": """\
        import os, time
        import pytest
        import slow_to_import

        @pytest.fixture
        def torn_down():
            yield
            with open("torn_down", "a") as file:
                file.write("torn down\\n")

        @pytest.fixture(scope="session", autouse=True)
        def session():
            yield
            with open("torn_down", "a") as file:
                file.write("session\\n")
        """,
    "test_show.py": """\
        import pytest, warnings

        def test_passes(): pass
        def test_fails(): assert {"a": 1, "b": [1, 2]} == {"a": 2, "b": [1, 3]}
        @pytest.mark.skip(reason="not now")
        def test_skipped(): pass
        @pytest.mark.xfail(reason="known")
        def test_xfails(): assert 0
        def test_warns(): warnings.warn("look out")
        @pytest.fixture
        def broken(): raise ValueError("in the fixture")
        def test_errors(broken): pass
        def test_prints():
            print("to the terminal")
        """,
    "test_sizes.py": """\
        import os, shutil, signal, sys

        def test_size(torn_down):
            print("size", shutil.get_terminal_size(), os.get_terminal_size(1))

        def test_resized(torn_down):
            sizes = []
            def changed(number, frame):
                sizes.append(tuple(os.get_terminal_size(0)))
            signal.signal(signal.SIGWINCH, changed)
            print("resize now", flush=True)
            while not sizes:
                signal.pause()
            print("resized", sizes)
        """,
    "test_typed.py": """\
        import getpass, os, sys

        def test_input(torn_down):
            print("got", repr(input("name? ")))

        def test_readline(torn_down):
            print("line? ", end="", flush=True)
            print("got", repr(sys.stdin.readline()))

        def test_getpass(torn_down):
            print("got", repr(getpass.getpass("secret? ")))

        def test_cbreak():
            import termios, tty
            saved = termios.tcgetattr(0)
            try:
                tty.setcbreak(0)
                print("key? ", end="", flush=True)
                print("got", os.read(0, 1))
            finally:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)

        def test_end_of_file(torn_down):
            print("end? ", end="", flush=True)
            print("read", repr(sys.stdin.read()))
        """,
    "test_debugged.py": """\
        def test_breaks():
            value = 41
            breakpoint()
            assert value == 42

        def test_after(): pass

        def test_fails():
            local = "seen"
            assert 0, "for the debugger"
        """,
    "test_waits.py": """\
        import os, signal, sys, time, pytest

        # One line, and nothing of Python's own in it: an interrupt is always in the same place.
        def test_sleeps(torn_down):
            os.write(1, b"asleep\\n"); time.sleep(300)

        def test_captured(torn_down):
            os.open("asleep", os.O_CREAT); time.sleep(300)

        @pytest.fixture
        def slow_teardown():
            yield
            os.write(1, b"tearing down\\n"); time.sleep(300)

        def test_slow_teardown(slow_teardown):
            os.write(1, b"asleep\\n"); time.sleep(300)

        def test_usr1(torn_down):
            got = []
            signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
            print("waiting", flush=True)
            while not got:
                signal.pause()
            print("usr1 seen")

        def test_hup(torn_down):
            def gone(number, frame):
                with open("hup", "a") as file:
                    file.write("hung up\\n")
                raise SystemExit(3)
            signal.signal(signal.SIGHUP, gone)
            print("waiting", flush=True)
            open("waiting", "w").close()
            while True:
                signal.pause()

        def test_ignores_interrupts(torn_down):
            got = []
            signal.signal(signal.SIGINT, lambda *_: got.append(1))
            print("waiting", flush=True)
            while not got:
                signal.pause()
            print("interrupts", len(got))

        def test_child_is_interrupted(torn_down):
            import subprocess
            script = "trap 'exit 5' INT; echo waiting; while :; do sleep 0.05; done"
            child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
            line = child.stdout.readline()
            try:
                os.write(1, line.encode()); time.sleep(300)
            except KeyboardInterrupt:
                print("parent interrupted", child.wait())

        """,
    "test_streams.py": """\
        import os, stat, sys

        def kind(fd):
            try:
                mode = os.fstat(fd).st_mode
            except OSError as error:
                return error.strerror
            return [name for name in ("ISCHR", "ISFIFO", "ISREG", "ISSOCK")
                    if getattr(stat, "S_" + name)(mode)]

        def test_streams(capfd):
            with capfd.disabled():
                for fd in range(3):
                    print(fd, kind(fd), os.isatty(fd))
                for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
                    print(stream and (stream.name, stream.mode, stream.encoding, stream.errors,
                                      stream.line_buffering, stream.isatty()))

        def test_inherited():
            for fd in sorted(int(name) for name in os.listdir("/proc/self/fd")):
                try:
                    if os.get_inheritable(fd):
                        print(fd, os.read(fd, 6) if kind(fd) == ["ISREG"] else kind(fd))
                except OSError as error:
                    print(fd, error)

        def test_reads():
            print("read", repr(sys.stdin.read()))

        def test_descriptor():
            print("read", os.read(0, 100))
        """,
    "asks.py": """\
        import os, sys
        TERMINAL = (sys.stdin.isatty(), sys.stdout.isatty(), sys.__stderr__.isatty(), os.isatty(1))
        try:
            SIZE = os.get_terminal_size()
        except OSError as error:
            SIZE = error.strerror
        """,
    "test_asks.py": """\
        import asks
        def test_asked(): print("asked", asks.TERMINAL, asks.SIZE)
        """,
    "test_bars.py": """\
        import sys, time
        import pytest

        def test_tqdm():
            tqdm = pytest.importorskip("tqdm")
            for _ in tqdm.tqdm(range(3), bar_format="{l_bar}{bar}|{n_fmt}", mininterval=0):
                pass

        def test_rich():
            rich = pytest.importorskip("rich.progress")
            from rich.console import Console
            console = Console()
            print(console.is_terminal, console.size, console.color_system)
            console.print("[bold red]red[/] and a bar:", style="on blue")
            with rich.Progress(rich.BarColumn(), console=console, auto_refresh=False) as progress:
                task = progress.add_task("x", total=2)
                progress.update(task, advance=1)
                progress.refresh()
                progress.update(task, advance=1)
        """,
    "test_many.py": """\
        import pytest
        @pytest.mark.parametrize("i", range(3000))
        def test_many(i): pass
        """,
}

LONG_TEXT = "x" * 5000


def _pdb(*lines: str, prompt: str = "(Pdb) ") -> list[tuple[str, str]]:
    return [(prompt, f"{line}\r") for line in lines]


def _resize(typing: Typing) -> None:
    typing.resize(20, 61)


def _interrupt_the_sleeper(typing: Typing) -> None:
    asleep = typing.bench.root / "asleep"
    eventually(asleep.exists, "the test sleeps")
    typing.child.send("\x03")


ROWS = {
    # ---- looks
    "colours": Row("pytest -rA test_show.py", shows="\x1b[31m", quick=True),
    "narrow": Row("pytest -rA test_show.py", columns=45),
    "wide": Row("pytest -v test_show.py", columns=213),
    "NO_COLOR": Row("pytest -v test_show.py", env={"NO_COLOR": "1"}),
    "TERM=dumb": Row("pytest -v test_show.py", env={"TERM": "dumb"}),
    "COLUMNS": Row("pytest -v test_show.py", env={"COLUMNS": "50"}),
    "--color=no": Row("pytest --color=no test_show.py"),
    "size": Row("pytest -s test_sizes.py::test_size", columns=77, shows="columns=77"),
    "resized": Row(
        "pytest -s test_sizes.py::test_resized",
        [("resize now", _resize)],
        shows="resized [(61, 20)]",
        quick=True,
    ),
    "progress bars": Row("pytest -s test_bars.py"),
    "progress bars captured": Row("pytest -rP test_bars.py"),
    # ---- typing
    "input": Row("pytest -s test_typed.py::test_input", [("name? ", "Ada\r")], shows="got 'Ada'"),
    "line edited by the terminal": Row(
        "pytest -s test_typed.py::test_input", [("name? ", "Adx\x7fa\r")], shows="got 'Ada'"
    ),
    "readline": Row("pytest -s test_typed.py::test_readline", [("line? ", "one\r")], shows="one"),
    "getpass": Row(
        "pytest -s test_typed.py::test_getpass", [("secret? ", "xyzzy\r")], shows="got 'xyzzy'"
    ),
    "getpass captured": Row(
        "pytest -rP test_typed.py::test_getpass", [("secret? ", "xyzzy\r")], shows="got 'xyzzy'"
    ),
    "single keys": Row("pytest -s test_typed.py::test_cbreak", [("key? ", "q")], shows="got b'q'"),
    "end of file": Row(
        "pytest -s test_typed.py::test_end_of_file", [("end? ", "abc\r\x04")], shows="read 'abc\\n'"
    ),
    "input captured": Row("pytest test_typed.py::test_input", shows="reading from stdin"),
    # ---- debuggers
    "breakpoint": Row(
        "pytest test_debugged.py::test_breaks",
        _pdb("p value", "where", "value = 42", "continue"),
        shows="1 passed",
        quick=True,
    ),
    "breakpoint, line editing and history": Row(
        "pytest test_debugged.py::test_breaks",
        _pdb("p valxx\x7f\x7fue + 1", "\x1b[A", "\x01\x0bvalue = 42", "\x10\x10", "continue"),
        shows="1 passed",
    ),
    "breakpoint, quit": Row("pytest test_debugged.py::test_breaks", _pdb("quit")),
    "breakpoint, end of file": Row("pytest test_debugged.py", [("(Pdb) ", "\x04")]),
    "breakpoint, interrupt": Row(
        "pytest test_debugged.py::test_breaks", [("(Pdb) ", "\x03"), *_pdb("value = 42", "c")]
    ),
    "--pdb": Row("pytest --pdb test_debugged.py::test_fails", _pdb("p local", "quit")),
    "--trace": Row("pytest --trace test_debugged.py::test_after", _pdb("next", "continue")),
    "--pdbcls": Row(
        "pytest --pdb --pdbcls=IPython.terminal.debugger:TerminalPdb test_debugged.py::test_fails",
        [("ipdb> ", "p local\r"), ("ipdb> ", "quit\r")],
        env={"TERM": "dumb"},
    ),
    "PYTHONBREAKPOINT=0": Row(
        "pytest test_debugged.py::test_breaks", env={"PYTHONBREAKPOINT": "0"}
    ),
    "ipdb": Row(
        "pytest -s test_debugged.py::test_breaks",
        [("ipdb> ", "p value\r"), ("ipdb> ", "continue\r")],
        env={"PYTHONBREAKPOINT": "ipdb.set_trace", "TERM": "dumb"},
    ),
    # ---- streams
    **{
        f"stdin {name}": Row(f"{command} -s test_streams.py{what}", shows=shows)
        for name, command, what, shows in (
            ("from a file", "< conftest.py pytest", "", "slow_to_import"),
            ("from a pipe", "echo piped | pytest", "", "read 'piped\\n'"),
            ("from /dev/null", "< /dev/null pytest", "", "read ''"),
            ("closed", "<&- pytest", "::test_streams", "None"),
            ("captured", "echo piped | pytest -rP", "::test_streams", "ISFIFO"),
        )
    },
    "stdout to a pipe": Row("pytest -v test_show.py | cat", shows="PASSED", quick=True),
    "stdout to a file": Row("pytest -v test_show.py > out; cat out; rm out", shows="PASSED"),
    "stderr to a file": Row("pytest -s test_show.py 2> err; cat err; rm err", shows="passed"),
    "both to one pipe": Row("pytest -s test_streams.py::test_streams 2>&1 </dev/null | cat"),
    "stdout to /dev/full": Row("pytest test_show.py > /dev/full"),
    "stderr to /dev/full": Row("pytest -s test_show.py 2> /dev/full"),
    "stdout to /dev/null": Row("pytest test_show.py > /dev/null"),
    "stdout closed": Row("pytest test_show.py >&-"),
    "stderr closed": Row("pytest test_show.py 2>&-"),
    "stdout and stderr closed": Row("pytest test_show.py >&- 2>&-"),
    **{
        f"a terminal asked for at import{name}": Row(f"pytest -rP{script}", shows=shows)
        for name, script, shows in (
            ("", " test_asks.py", "asked (False, False, False, False) Inapp"),
            (", -s", " -s test_asks.py", "asked (True, True, True, True) os.terminal_size("),
            (", --capture=sys", " --capture=sys test_asks.py", "asked (False, False, True, True)"),
            (", to a pipe", " -s test_asks.py | cat", "asked (True, False, True, False)"),
            (", again", " test_asks.py", "asked (False, False, False, False) Inapp"),
        )
    },
    "more descriptors": Row(
        "pytest -s test_streams.py::test_inherited 3< conftest.py 7>&1 9< pytest.ini",
        shows="3 b'import'",
    ),
    "few descriptors": Row("ulimit -n 40; pytest -s test_streams.py::test_inherited"),
    "head": Row("pytest -v test_many.py | head -n 3"),
    "head of one line, status": Row(
        "{ pytest -v test_many.py; echo status=$? >&2; } 2>&1 | head -n 1"
    ),
    "grep -q": Row("pytest -v test_many.py | grep -q PASSED; echo found=$?", shows="found=0"),
    "tee": Row("pytest test_show.py | tee copy | tail -n 1; rm copy"),
    # ---- signals from the keyboard
    "Ctrl-C": Row("pytest test_waits.py::test_sleeps -s", [("asleep", "\x03")], quick=True),
    "Ctrl-C captured": Row(
        "pytest -v test_waits.py::test_captured",
        [("test_captured ", _interrupt_the_sleeper)],
        shows="KeyboardInterrupt",
    ),
    "Ctrl-C twice": Row(
        "pytest test_waits.py::test_slow_teardown -s",
        [("asleep", "\x03"), ("tearing down", "\x03")],
    ),
    "Ctrl-C --full-trace": Row(
        "pytest --full-trace -s test_waits.py::test_sleeps", [("asleep", "\x03")], status=2
    ),
    "Ctrl-C handled": Row(
        "pytest -s test_waits.py::test_ignores_interrupts",
        [("waiting", "\x03")],
        shows="interrupts 1",
    ),
    "Ctrl-C and a child": Row(
        "pytest -s test_waits.py::test_child_is_interrupted",
        [("waiting", "\x03")],
        shows="parent interrupted 5",
    ),
    "Ctrl-\\": Row("pytest -s test_waits.py::test_sleeps", [("asleep", "\x1c")], status=131),
    # ---- signals from elsewhere
    **{
        f"SIG{name}": Row(
            f": > out; pytest -s test_waits.py::test_{test} > out 2>&1 & p=$!; "
            "until grep -qE 'asleep|waiting' out; do sleep 0.05; done; "
            f"kill -{name} $p; wait $p; echo status=$?; cat out; rm out",
            shows=shows,
        )
        for name, test, shows in (
            ("TERM", "sleeps", "status=143"),
            ("HUP", "hup", "status="),
            ("USR1", "usr1", "usr1 seen"),
            ("USR1 default", "sleeps", "status="),
            ("KILL", "sleeps", "status=137"),
        )
        if " " not in name
    },
    # ---- started by others
    "timeout": Row(
        "timeout 3 pytest -s test_waits.py::test_sleeps < /dev/null; echo status=$?",
        shows="status=124",
    ),
    "timeout, in the background": Row(
        "timeout 3 pytest -s test_waits.py::test_sleeps; echo status=$?",
        warm=0,
        reason="in the background of a terminal",
    ),
    "timeout --foreground -s INT": Row(
        "timeout --foreground -s INT 3 pytest -s test_waits.py::test_sleeps", status=124
    ),
    "timeout -s KILL": Row(
        "timeout -s KILL 3 pytest test_waits.py::test_sleeps < /dev/null", status=137
    ),
    "nohup": Row("nohup pytest test_show.py; cat nohup.out 2>/dev/null; rm -f nohup.out"),
    "setsid": Row("setsid --wait pytest -v test_show.py"),
    "background job": Row("pytest test_show.py & wait $!"),
    "make -j": Row(
        "printf 'all: a b\\na b:\\n\\t@pytest -q test_show.py > $@.out; true\\n' > M; "
        "make -j 2 -f M; cat a.out b.out; rm -f M a.out b.out",
        warm=2,
    ),
    "watch": Row(
        "timeout --foreground 4 watch -n 60 -t pytest -q test_show.py > /dev/null", status=124
    ),
    "entr": Row("echo test_show.py | entr -n -z pytest test_show.py"),
    "xargs": Row("echo test_show.py | xargs pytest", shows="failed"),
    "find -exec": Row("find . -name test_show.py -exec pytest {} ';'", shows="failed"),
    "nice": Row("nice -n 3 pytest test_show.py"),
    "deleted directory": Row(
        "mkdir gone; cd gone; rmdir ../gone; pytest ../test_show.py",
        warm=0,
        why="an error before anything is run",
        status=1,
    ),
    "env -u": Row("env -u HOSTNAME -u LOGNAME pytest test_show.py", shows="failed"),
}


NEEDS = {"--pdbcls": "IPython", "ipdb": "ipdb"}


def test_row(typed: SmallBench, row: Row, request: pytest.FixtureRequest) -> None:
    if needed := NEEDS.get(request.node.callspec.id):
        pytest.importorskip(needed)
    compare(typed, row)


BY_COMMAND = re.compile(r"\bpytest(?= -| test| \.| \{)|\bpytest$")


@pytest.mark.long
@pytest.mark.parametrize("name", ROWS)
def test_row_of_the_command(typed: SmallBench, name: str) -> None:
    """`fastcollect run` in the place of `pytest`, beside cold pytest."""
    if needed := NEEDS.get(name):
        pytest.importorskip(needed)
    script = BY_COMMAND.sub("fastcollect run", ROWS[name].script)
    assert "fastcollect run" in script
    compare(typed, dataclasses.replace(ROWS[name], script=script), oracle=ROWS[name].script)


@pytest.mark.long
@pytest.mark.parametrize("cold", [False, True])
def test_closing_the_terminal(typed: SmallBench, tmp_path: Path, cold: bool) -> None:
    """The shell dies of it; a test that handles SIGHUP goes on to its end, fixtures included."""
    before = warm_runs(typed)
    env = environment(typed, cold)
    Path(env["TMPDIR"]).mkdir(exist_ok=True)
    with kept(typed.root, Path(env["TMPDIR"])) as left:
        script = "trap - HUP; pytest test_waits.py::test_hup; exit"
        with shell(typed, script, env, 100, tmp_path / "status") as typing:
            eventually((typed.root / "waiting").exists, "the test waits")
            typing.hang_up()
            done = typed.root / "torn_down"
            eventually(lambda: done.exists() and "session" in done.read_text(), "fixtures end")
    assert left["hup"] == "hung up\n"
    assert left["torn_down"] == "torn down\nsession\n"
    assert warm_runs(typed) - before == (0 if cold else 1)
