"""What the `fastcollect` command shows people at a terminal, and programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.conftest import MakeProject
from tests.support import Shared, SmallBench, small_bench
from tests.terminal.screens import Screen, same_for_both, show

pytestmark = pytest.mark.long

PROJECT = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": "import slow_to_import\n",
    "test_a.py": "def test_a(): pass\n",
}


@pytest.fixture(scope="module")
def warm(shared: Shared) -> Iterator[SmallBench]:
    with small_bench(shared, PROJECT) as made:
        made.extra_env.update(same_for_both(made))
        made.warm_up()
        made.pytest()
        yield made


def typed(bench: SmallBench, command: str, **env: str) -> Screen:
    return show(bench, command, cold=False, env=env)


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_status_is_a_table_in_colours(warm: SmallBench) -> None:
    screen = typed(warm, "fastcollect status")
    assert screen.status == 0
    assert "\x1b[1;32mwarm" in screen.output
    rows = [line.split() for line in without_colours(screen.output).splitlines()]
    assert ["state", "warm"] in rows
    assert any(row[:1] == ["runs"] and "warm" in row for row in rows)
    assert ["checkpoint", "pid", "modules", "inputs", "own", "memory"] in rows
    assert any(row[:1] == ["conftests"] for row in rows)


@pytest.mark.parametrize(
    ("command", "env"),
    [
        ("fastcollect status", {"NO_COLOR": "1"}),
        ("fastcollect status", {"TERM": "dumb"}),
        ("fastcollect status | cat", {}),
        ("fastcollect health | cat", {}),
    ],
)
def test_no_colours_where_they_are_not_wanted(
    warm: SmallBench, command: str, env: dict[str, str]
) -> None:
    output = typed(warm, command, **env).output
    assert ("state" if "status" in command else "healthy") in output
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])m", output), output


def test_a_narrow_terminal(warm: SmallBench) -> None:
    screen = show(warm, "fastcollect status --why", cold=False, columns=50)
    lines = without_colours(screen.output).splitlines()
    assert lines and max(map(len, lines)) <= 50, screen.output


@pytest.mark.parametrize("what", ["status", "health"])
def test_json_for_programs(warm: SmallBench, what: str) -> None:
    screen = typed(warm, f"fastcollect {what} --json")
    assert screen.status == 0
    assert "\x1b" not in screen.output
    assert isinstance(json.loads(screen.output), dict)


def test_start_shows_how_far_it_is(project: MakeProject) -> None:
    bench = project({**PROJECT, "conftest.py": "import time, slow_to_import\ntime.sleep(2)\n"})
    screen = typed(bench, "fastcollect start")
    assert screen.status == 0, screen.output
    assert re.search(r"warming: .*, [\d,]+ modules, \d+ s", screen.output), screen.output
    assert "state  " in without_colours(screen.output)
    piped = typed(bench, "fastcollect stop; fastcollect start 2>&1 | cat")
    assert "\x1b" not in piped.output and "warming:" not in piped.output, piped.output


def test_health_says_what_is_wrong_and_what_to_do(project: MakeProject) -> None:
    bench = project(PROJECT)
    bench.warm_up()
    (directory,) = bench.servers()
    bench.fastcollect("stop")
    directory.mkdir(0o700, parents=True, exist_ok=True)
    script = f"chmod 777 {directory}; fastcollect health; status=$?; chmod 700 {directory}"
    screen = typed(bench, f"{script}; (exit $status)")
    assert screen.status != 0
    assert "\x1b[31m" in screen.output
    what, remedy = without_colours(screen.output).splitlines()[:2]
    assert "open to others" in what
    assert remedy.startswith("  ") and remedy.strip()
