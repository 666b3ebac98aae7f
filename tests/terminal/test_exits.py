"""Every exit code and every signal: the shell is told the same as by a cold run."""

from __future__ import annotations

import signal

import pytest

from tests.support import SmallBench
from tests.terminal.screens import Row, assert_equal, compare, show

PROJECT = {
    "conftest.py": """\
        import os, sys
        import slow_to_import

        def _wanted(way):
            return os.environ.get("WAY") == way

        def pytest_unconfigure(config):
            if _wanted("sys.exit"):
                sys.exit(int(os.environ["CODE"]))
            if _wanted("sys.exit with text"):
                sys.exit("some text")
            if _wanted("exception"):
                raise ValueError("from the hook")
        """,
    "test_code.py": """\
        import os, pytest, sys

        def test_code():
            way, code = os.environ["WAY"], int(os.environ["CODE"])
            if way == "pytest.exit":
                pytest.exit("enough", returncode=code)
            elif way == "os._exit":
                os._exit(code)
            elif way == "kill":
                os.kill(os.getpid(), code)
        """,
}

SAMPLE = (0, 1, 2, 5, 77, 126, 127, 128, 130, 137, 255)

LOOP = """
for code in {codes}; do
  WAY={way} CODE=$code {command} -q test_code.py >/dev/null 2>&1; echo "$code $?"
done
"""


COMMANDS = ["pytest", "fastcollect run"]


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", ["pytest.exit", "sys.exit", "os._exit"])
def test_every_exit_code(typed: SmallBench, way: str, command: str) -> None:
    codes = range(256)
    script = LOOP.format(codes=" ".join(map(str, codes)), way=way, command=command)
    warm = show(typed, script, cold=False, timeout=900)
    assert warm.warm == 256
    seen = [line.split() for line in warm.output.split("\r\n") if line]
    assert seen == [[str(code), str(code)] for code in codes]
    sample = show(
        typed, LOOP.format(codes=" ".join(map(str, SAMPLE)), way=way, command="pytest"), cold=True
    )
    assert sample.output.split("\r\n")[:-1] == [f"{code} {code}" for code in SAMPLE]


STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
SIGNALS = sorted(signal.valid_signals() - STOPPING)


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_every_signal(typed: SmallBench, command: str) -> None:
    """A test that sends each signal to its own process."""
    codes = " ".join(str(int(number)) for number in SIGNALS)
    script = LOOP.format(codes=codes, way="kill", command=command)
    warm = show(typed, script, cold=False, timeout=300)
    oracle = LOOP.format(codes=codes, way="kill", command="pytest")
    cold = show(typed, oracle, cold=True, timeout=300)
    assert warm.warm == len(SIGNALS)
    assert_equal(warm, cold)


def _ends(way: str, code: int = 0, **more: object) -> Row:
    env = {"WAY": way, "CODE": str(code)}
    return Row("pytest test_code.py; echo status=$?", env=env, **more)  # type: ignore[arg-type]


ROWS = {
    "pytest.exit 0": _ends("pytest.exit", 0, shows="status=0"),
    "pytest.exit 7": _ends("pytest.exit", 7, shows="status=7"),
    "sys.exit 9": _ends("sys.exit", 9, shows="status=9", quick=True),
    "sys.exit with text": _ends("sys.exit with text", shows="some text"),
    "exception in a hook": _ends("exception", shows="ValueError: from the hook"),
    "os._exit 11": _ends("os._exit", 11, shows="status=11"),
    **{
        number.name: _ends("kill", number, quick=number == signal.SIGTERM)
        for number in signal.Signals
        if number not in STOPPING
    },
}


def test_ending(typed: SmallBench, row: Row) -> None:
    compare(typed, row)
