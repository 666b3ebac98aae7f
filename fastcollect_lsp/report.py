"""What the `fastcollect` command shows people: tables, colours and progress, by rich."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .health import Health
from .status import LastRun, Status
from .verify import Result

_STATE_COLOURS = {
    "warm": "green",
    "warming": "yellow",
    "starting": "yellow",
    "degraded": "red",
    "stopped": "dim",
}


def print_status(status: Status, why: bool) -> None:
    """`fastcollect status`, and `--why`."""
    console = Console(highlight=False)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    colour = _STATE_COLOURS.get(status.state, "")
    facts.add_row("state", Text(status.state, style=f"bold {colour}"))
    if status.detail:
        facts.add_row("", escape(status.detail))
    facts.add_row("root", escape(status.root))
    facts.add_row("interpreter", escape(status.interpreter))
    if status.pid is not None:
        up, idle = _duration(status.uptime_s), _duration(status.idle_timeout_s)
        facts.add_row(
            "server", f"v{status.version}, pid {status.pid}, up {up}, ends after {idle} idle"
        )
        facts.add_row("memory", f"{_size(status.rss_bytes)} server")
        facts.add_row("tests", f"{status.tests:,}")
        counts = ", ".join(f"{count} {served}" for served, count in sorted(status.runs.items()))
        facts.add_row("runs", counts or "none yet")
        if status.last_run is not None:
            facts.add_row("last run", escape(_last_run(status.last_run)))
        facts.add_row("clients", str(status.clients))
        if status.watch is not None:
            facts.add_row("files", escape(status.watch.text))
    console.print(facts)
    if status.checkpoints:
        console.print()
        console.print(_checkpoints(status))
    if why:
        console.print()
        console.print(_misses(status))
        if status.warmups:
            console.print()
            console.print(_warmups(status))


def _checkpoints(status: Status) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for title in ("checkpoint", "pid", "modules", "inputs", "own memory"):
        table.add_column(title, justify="left" if title == "checkpoint" else "right")
    table.add_column("left to the run itself", overflow="fold")
    for point in status.checkpoints:
        table.add_row(
            point.name,
            str(point.pid),
            f"{point.modules:,}",
            f"{point.inputs:,}",
            _size(point.rss_bytes),
            escape("\n".join(point.left_out)),
        )
    return table


def _misses(status: Status) -> Table | Text:
    if not status.why:
        return Text("every run was served the deepest checkpoint there was", style="dim")
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for title in ("at", "not", "because", "served"):
        table.add_column(title, overflow="fold")
    for miss in status.why:
        table.add_row(miss.at, miss.checkpoint, escape(miss.reason), escape(miss.served))
    return table


def _warmups(status: Status) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for title in ("at", "warmed because of", "kept", "imported again", "ms"):
        table.add_column(title, overflow="fold")
    for warmup in status.warmups:
        again = f"{warmup.modules:,} modules"
        ms = f"{warmup.ms:,.0f}"
        table.add_row(warmup.at, escape(warmup.cause), escape(warmup.kept), again, ms)
    return table


def _last_run(run: LastRun) -> str:
    if run.served == "cold":
        return f"cold: {run.reason}"
    end = "running" if run.wall_ms is None else f"exit {run.exit} after {run.wall_ms:,.0f} ms"
    costs = f"proof {run.proof_ms:.1f} ms, fork {run.fork_ms:.1f} ms"
    return f"{run.served} from {run.checkpoint}, {end} ({costs})"


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size else "?"


def print_health(health: Health) -> None:
    """`fastcollect health`."""
    console = Console(highlight=False)
    if not health.findings:
        watch = f" ({health.watch})" if health.watch is not None else ""
        console.print(f"[green]healthy[/green]: nothing is wrong here{escape(watch)}")
    for finding in health.findings:
        console.print(f"[red]{escape(finding.what)}[/red]\n  {escape(finding.remedy)}")


def print_verification(
    cold: Result, warm: Result, served: LastRun | None, differences: Sequence[str]
) -> None:
    """`fastcollect verify`."""
    console = Console(highlight=False)
    how = "unknown" if served is None else _last_run(served)
    console.print(f"cold {cold.seconds:.2f} s, exit {cold.exit}, {len(cold.outcomes)} outcomes")
    console.print(f"warm {warm.seconds:.2f} s, exit {warm.exit}, served {escape(how)}")
    if not differences:
        console.print("[green]equal[/green]")
    for difference in differences:
        console.print(f"[red]different[/red]: {escape(difference)}")


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr with what is being done; the value yielded changes the text."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(f"{what}…") as status:
        yield lambda text: status.update(f"{text}…")
