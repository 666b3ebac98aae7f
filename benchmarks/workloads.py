"""Projects that benchmarks make, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CONFIG = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\npythonpath = ["."]\n'
HELPER = "VALUE = 1\n"
CONFTEST = """{imports}import pytest

VALUE = 1


@pytest.fixture
def from_conftest():
    return VALUE
"""
MODULE = """{imports}import pytest

import helper

VALUE = 1


def test_value(from_conftest):
    assert (helper.VALUE, from_conftest, VALUE) == (1, 1, 1)


@pytest.mark.parametrize("n", range({cases}))
def test_case(n, from_conftest):
    assert n + from_conftest > 0
"""
FIRST = "tests/test_0000.py"


@dataclass(frozen=True)
class Job:
    """What is asked for, and an edit before it."""

    args: tuple[str, ...]
    edited: str | None = None
    """A file whose `VALUE` is another before each run: a test passes that failed, or fails."""


JOBS = {
    "one test, repeated": Job((f"{FIRST}::test_value",)),
    "another node id": Job((FIRST + "::test_case[{round}]",)),
    "another -k": Job(("-q", "-k", "case and {round}")),
    "one test, its file edited": Job((f"{FIRST}::test_value",), FIRST),
    "one test, a helper edited": Job((f"{FIRST}::test_value",), "helper.py"),
    "one test, the conftest edited": Job((f"{FIRST}::test_value",), "tests/conftest.py"),
    "--collect-only -q, repeated": Job(("--collect-only", "-q")),
    "all tests, repeated": Job(("-q",)),
}
"""`{round}` is the number of the round, so that nobody was asked for it before."""


def made(tests: int, files: int, conftest: str = "", module: str = "") -> dict[str, str]:
    """A project of so many light tests in so many files, which import what is named."""
    cases = tests // files - 1
    found = {
        f"tests/test_{number:04}.py": MODULE.format(imports=module, cases=cases)
        for number in range(files)
    }
    return {
        **found,
        "tests/conftest.py": CONFTEST.format(imports=conftest),
        "helper.py": HELPER,
        "pyproject.toml": CONFIG,
    }


WORKLOADS: dict[str, Callable[[], dict[str, str]]] = {
    "numpy+pandas": lambda: made(21, 1, "import numpy\n", "import pandas\n"),
    "183": lambda: made(183, 3),
    "1000": lambda: made(1000, 50),
    "10000": lambda: made(10000, 500),
}


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def set_value(path: Path, value: int) -> None:
    """Edit a file as an editor does: its `VALUE` is what it was not."""
    lines = path.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("VALUE = "))
    lines[place] = f"VALUE = {value}"
    path.write_text("\n".join(lines) + "\n")
