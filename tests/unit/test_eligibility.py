"""Which command lines are a pytest run."""

from __future__ import annotations

import pytest

from pytest_fastcollect.eligibility import is_pytest_command

RUNS = [
    "/usr/bin/python3 /usr/bin/pytest",
    "/venv/bin/python -B /venv/bin/pytest -q",
    "python -m pytest",
    "python3.12 -X dev -W error -m pytest tests",
    "python -Xdev -Werror -m pytest tests",
    "python -I -m py.test",
    "pypy3 bin/py.test",
    "python -B -c from_pytest_fastcollect.zygote_import_main",
]
OTHERS = [
    "/bin/sh -c pytest",
    "python",
    "python script.py pytest",
    "python -m http.server pytest",
    "python -m coverage run -m pytest",
    "python -c pytest",
    "python -W pytest script.py",
    "python -m",
    "vim pytest",
    "/venv/bin/pytest",
    "python bin/pytest-watch",
    "",
]


@pytest.mark.parametrize("command", RUNS)
def test_runs(command: str) -> None:
    words = [word.replace("_import", " import").encode() for word in command.split(" ")]
    assert is_pytest_command([*words, b""])  # as /proc/<pid>/cmdline splits


@pytest.mark.parametrize("command", OTHERS)
def test_others(command: str) -> None:
    assert not is_pytest_command([*command.encode().split(b" "), b""])
