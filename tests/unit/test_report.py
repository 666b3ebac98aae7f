"""What `fastcollect status`, `start` and `health` show people."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from fastcollect_lsp import report
from fastcollect_lsp.health import Finding, Health
from fastcollect_lsp.status import CheckpointStatus, LastRun, Status

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def status(state: str = "warm", left_out: tuple[str, ...] = ()) -> Status:
    points = [
        CheckpointStatus("pytest", 11, 300, 200, 12_000_000, []),
        CheckpointStatus("libraries", 12, 1559, 700, 20_000_000, list(left_out)),
    ]
    return Status(
        state, "/p", "python", "1.2.3", pid=10, uptime_s=65, idle_timeout_s=1800, tests=1234,
        checkpoints=points, last_run=LastRun("warm", "modules", "modules", exit=0, wall_ms=250.0),
    )  # fmt: skip


def shown(of: Status, width: int = 100, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        highlight=False,
        color_system="auto",
    )
    report.print_status(of, why=False, console=console)
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_a_table_for_people() -> None:
    text = shown(status())
    for part in ("warm", "1,234", "v1.2.3, pid 10, up 0:01:05", "libraries", "1,559", "20.0 MB"):
        assert part in text
    assert "left to the run itself" not in text, "an empty column"
    assert "socket_at_import: connects" in shown(status(left_out=("socket_at_import: connects",)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = shown(status(left_out=("a.long.name: " + "why " * 40,)), width)
    assert max(map(len, text.splitlines())) <= width


def test_colours_where_the_terminal_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;32mwarm" in shown(status(), terminal=True)
    assert not COLOUR.search(shown(status()))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in shown(status(), terminal=True)


def test_what_to_do_next() -> None:
    assert "fastcollect start" in shown(Status("stopped", "/p", "python", "1.2.3"))


def test_progress_of_warming() -> None:
    assert report.warming_text(status("warming"), 3.2) == "warming: libraries, 1,559 modules, 3 s"
    starting = Status("starting", "/p", "python", "1.2.3")
    assert report.warming_text(starting, 0.4) == "warming: the interpreter, 0 modules, 0 s"


def test_health_says_what_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_health(Health([Finding("nothing is warm: [x]", "run: fastcollect restart")]))
    assert capsys.readouterr().out == "nothing is warm: [x]\n  run: fastcollect restart\n"
