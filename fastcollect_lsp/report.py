"""What the `fastcollect` command shows people: tables, colours and progress, by rich."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .difference import Group
from .health import Health
from .static import Tree
from .status import LastRun, Status
from .verify import Result

_STATE_COLOURS = {
    "warm": "green",
    "warming": "yellow",
    "starting": "yellow",
    "degraded": "red",
    "stopped": "dim",
}


_REMEDIES = {
    "stopped": "fastcollect start, or just run pytest",
    "degraded": "see fastcollect health",
}


def print_status(status: Status, why: bool, console: Console | None = None) -> None:
    """`fastcollect status`, and `--why`; on `console` instead of stdout if there is one."""
    console = console or Console(highlight=False)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    colour = _STATE_COLOURS.get(status.state, "")
    facts.add_row("state", Text(status.state, style=f"bold {colour}"))
    if status.detail:
        facts.add_row("", escape(status.detail))
    if status.state in _REMEDIES:
        facts.add_row("", Text(_REMEDIES[status.state], style="dim"))
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
    any_left_out = any(point.left_out for point in status.checkpoints)
    if any_left_out:
        table.add_column("left to the run itself", overflow="fold")
    for point in status.checkpoints:
        cells = [
            point.name,
            str(point.pid),
            f"{point.modules:,}",
            f"{point.inputs:,}",
            _size(point.rss_bytes),
        ]
        left_out = [escape("\n".join(point.left_out))] if any_left_out else []
        table.add_row(*cells, *left_out)
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


def print_tree(tree: Tree, seconds: float) -> None:
    """`fastcollect collect --static`: ids as pytest prints them, and what is not sure."""
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    marked = {node.id for node in tree.dynamic}
    plain: list[str] = []  # printed together: each call of rich's takes longer than scanning a file
    for node in tree.nodes:
        if node.is_test and node.reason is None:
            plain.append(_printable(node.id) + "\n")
        elif node.is_test or (node.id in marked and node.kind != "function"):
            console.file.write("".join(plain))
            plain.clear()
            shown = escape(_printable(node.id))
            shown = shown if node.is_test else f"[dim]{shown}[/dim]"
            console.print(f"{shown}  [dim]\\[dynamic: {escape(node.reason or '')}][/dim]")
    console.file.write("".join(plain))
    for node in tree.errors:
        errors.print(f"[red]ERROR[/red] {escape(_printable(node.id))}: {escape(node.error or '')}")
    counts = [f"{_count(len(tree.tests), 'test')} in {seconds:.3f}s"]
    counts += [f"{len(tree.dynamic):,} dynamic"] if tree.dynamic else []
    counts += [_count(len(tree.errors), "error")] if tree.errors else []
    console.print("\n" + ", ".join(counts))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _printable(node_id: str) -> str:
    """A node id for a terminal: what is no text, or would control it, is escaped."""
    if node_id.isprintable():
        return node_id
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in node_id
    )


_KINDS = {
    "missing": "only pytest has",
    "extra": "only the scan has",
    "order": "in another order:",
}
_SHOWN = 10
"""Node ids printed for each explanation; those of unexplained differences are all printed."""


def print_differences(groups: Sequence[Group], ours: int, theirs: int) -> None:
    """`fastcollect collect --diff`."""
    console = Console(highlight=False, soft_wrap=True)
    for group in groups:
        explained = group.explanation is not None
        why = escape(group.explanation or "not explained: this is a defect of the scanner")
        colour = "yellow" if explained else "red"
        console.print(f"[{colour}]{why}[/{colour}]")
        console.print(f"  {_KINDS[group.kind]} {len(group.ids):,}")
        shown = group.ids[:_SHOWN] if explained else group.ids
        for node_id in shown:
            console.print(f"    {escape(_printable(node_id))}")
        if len(shown) < len(group.ids):
            console.print(f"    [dim]and {len(group.ids) - len(shown):,} more[/dim]")
    wrong = sum(len(group.ids) for group in groups if group.explanation is None)
    verdict = f"[red]{wrong:,} not explained[/red]" if wrong else "[green]all explained[/green]"
    verdict = verdict if groups else "[green]equal[/green]"
    console.print(f"pytest {ours:,} tests, static scan {theirs:,}: {verdict}")


def warming_text(status: Status, seconds: float) -> str:
    """What `fastcollect start` shows while it waits."""
    modules = max((point.modules for point in status.checkpoints), default=0)
    deepest = status.checkpoints[-1].name if status.checkpoints else "the interpreter"
    return f"warming: {deepest}, {modules:,} modules, {seconds:.0f} s"


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr with what is being done; the value yielded changes the text."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(f"{what}…") as status:
        yield lambda text: status.update(f"{text}…")
