"""What a test can see of its process is the same in a warm run, or stands in `DIFFERENT`."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import SmallBench
from tests.terminal.screens import Row, require_programs, show

PROJECT = {
    "conftest.py": "import slow_to_import\n",
    "helper.py": "VALUE = 1\n",
    **{
        f"observables/{path.name}": path.read_text()
        for path in Path(__file__).with_name("observables").glob("*.py")
    },
    "test_observables.py": """\
        import os
        import helper, observables

        def test_observables():
            observables.main(os.environ["OUT"])
        """,
    "elsewhere/file": "",
}

DIFFERENT = {
    "controlling_terminal": "a process has the terminal of its session, and a run is in that "
    "of the server: `/dev/tty` cannot be opened; `getpass` is given the terminal of the streams",
    "foreground_group": "for the same reason the terminal has no process group to be asked for; "
    "the caller forwards Ctrl-C, Ctrl-\\, Ctrl-Z and SIGWINCH",
    "session_of_the_terminal": "a process cannot enter another session",
    "leads_its_group": "a run has a process group of its own, so that it ends with its caller, "
    "and all it started with it",
    "parent": "a run is the child of the warm process that it was forked from",
    "process_name": "`python`: the caller is called `pytest`, and `killall pytest` is to reach one "
    "of them only, which forwards it",
    "command_line_of_the_kernel": "`/proc/self/cmdline` is that of the warm process: `sys.argv` "
    "and `sys.orig_argv` are the caller's",
    "environment_of_the_kernel": "`/proc/self/environ` is that of the warm process: `os.environ`, "
    "C's `getenv` and children have the caller's",
    "descriptors": "one more: the highest one is the socket to the caller",
    "depth_of_the_stack": "one more frame, below all others, in tracebacks of `faulthandler`, "
    "`traceback.print_stack`, `pdb`'s `where`: from there the run begins",
    "modules": "besides `fastcollect` modules those of the standard library that they need "
    "(`runpy`, `encodings.ascii`) are there from the start ...",
    "path_importer_cache": "... and `runpy` has not looked at the script's path",
    "frozen_objects": "`gc.freeze` keeps memory shared with the warm process ...",
    "replaced_built_ins": "... and `gc.get_objects` and `gc.get_referrers` undo that when they are "
    "called first",
}
"""What differs, with the reason: `docs/equivalence.md` has the same."""

PYTEST = "SHELL_PID=$$ SHELL_SESSION=$(ps -o sid= -p $$ | tr -d ' ') pytest"

ROWS = {
    "terminal": Row(f"{PYTEST} -s test_observables.py", quick=True),
    "captured": Row(f"{PYTEST} test_observables.py"),
    "piped": Row(f"{PYTEST} test_observables.py < /dev/null 2>&1 | cat"),
    "umask, nice, limits": Row(
        f"umask 027; ulimit -c 0; ulimit -n 300; ulimit -s 4096; nice -n 4 taskset -c 0 {PYTEST} "
        "test_observables.py".replace("SHELL_PID", "env SHELL_PID", 1)
    ),
    "signals ignored": Row(f"trap '' USR1 TERM PIPE; {PYTEST} -s test_observables.py"),
    "signals blocked": Row(
        f"python -c 'import os, signal, sys; "
        "signal.pthread_sigmask(signal.SIG_BLOCK, [10, 12, 40]); "
        "os.execvp(sys.argv[1], sys.argv[1:])' env "
        f"{PYTEST} test_observables.py"
    ),
    "linked directory": Row(f"cd ../linked; {PYTEST} test_observables.py"),
    "odd environment": Row(
        "export ODD=\"$(printf 'a\\377b')\" EMPTY= 'SPACE=a b' _x=1; unset HOME_; "
        f"{PYTEST} test_observables.py"
    ),
    "unbuffered": Row(f"{PYTEST} -s test_observables.py".replace("pytest", "python -u -m pytest")),
}


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def ask(typed: SmallBench, row: Row, answers: Path, cold: bool | None) -> dict[str, Any]:
    """A run's answers; `cold` is None where either will do."""
    env = {**row.env, "OUT": str(answers)}
    screen = show(typed, row.script, cold=bool(cold), env=env)
    if cold is False and "COLUMNS changed" in screen.reason:  # which the first run of all had
        typed.wait_until_warm()
        screen = show(typed, row.script, cold=False, env=env)
    assert screen.status == 0, screen.output
    if cold is not None:
        assert screen.warm == (0 if cold else row.warm), (screen.reason, screen.output)
    found: dict[str, Any] = json.loads(answers.read_text())
    answers.unlink()
    return found


def difference(cold: Any, warm: Any) -> tuple[Any, Any]:
    """What only either has, where that can be told."""
    if (
        isinstance(cold, list)
        and isinstance(warm, list)
        and set(map(str, cold)) != set(map(str, warm))
    ):
        return [x for x in cold if x not in warm], [x for x in warm if x not in cold]
    return cold, warm


def test_observables(typed: SmallBench, row: Row, answers: Path) -> None:
    require_programs(typed, row)
    link(typed)
    if "-m pytest" in row.script:  # its `sys.path` is another: not seen yet
        ask(typed, row, answers, cold=None)
        typed.wait_until_warm()
    warm, cold = (ask(typed, row, answers, cold) for cold in (False, True))
    assert_same(warm, cold)


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if "-m pytest" not in row.script]
)
def test_observables_of_the_command(typed: SmallBench, name: str, answers: Path) -> None:
    """By `fastcollect run`: warm, then from a session collected ahead, beside cold pytest."""
    row = ROWS[name]
    require_programs(typed, row)
    link(typed)
    native = dataclasses.replace(row, script=re.sub(r"pytest(?= )", "fastcollect run", row.script))
    cold = ask(typed, row, answers, cold=True)
    for _ in range(2):
        assert_same(ask(typed, native, answers, cold=False), cold)
        typed.wait_until_warm()


def link(typed: SmallBench) -> None:
    linked = typed.root.with_name("linked")
    if not linked.exists():
        linked.symlink_to(typed.root)


def assert_same(warm: dict[str, Any], cold: dict[str, Any]) -> None:
    assert len(cold) >= 60
    differing = {
        name: difference(cold[name], warm[name])
        for name in cold
        if cold[name] != warm[name] and name not in DIFFERENT
    }
    text = "\n".join(
        f"{name}:\n  cold {was}\n  warm {now}" for name, (was, now) in differing.items()
    )
    assert not differing, text
