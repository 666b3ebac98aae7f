"""The tables of docs/equivalence.md, made from those of the tests.

`python -m tests.terminal.document` writes them into the document.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.terminal import test_exits, test_launchers, test_observables, test_options, test_screen
from tests.terminal.observables import OBSERVABLES
from tests.terminal.plugins import PLUGINS
from tests.terminal.screens import Row
from tests.terminal.tried import TRIED

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "equivalence.md"

LONG = 120
"""Letters from which on a command line is shown by its name."""

TEXT = """\
# Warm and cold

Cold pytest is the oracle: a warm run is to be the same in every respect that a person or a
script can see, except that it is sooner. What is compared, how each case is served, and what
differs. The tables are made from those of the tests (`python -m tests.terminal.document`); a test
fails where this document is behind. Most cases run in `make long` only.

Each case is typed at a real terminal twice: warm, and cold (`-p no:fastcollect`, no bytecode of the
project). Output with colours, less times and our own line; exit status as the shell tells it; files
left in the project and in `TMPDIR`, `.pytest_cache` and JUnit files included; and how many runs
were served warm. All of it has to be equal.

## At the terminal

{screen} cases: {screen_names}.

{screen_served}

Besides: every exit code from 0 to 255 by `pytest.exit`, `sys.exit` and `os._exit`, {signals}
signals that a test sends to its own process, and what becomes of a run whose terminal is closed.

## What a test can see of its process

{observables} things are compared in {modes} situations ({mode_names}). These differ:

| what | why |
|---|---|
{different}

All others are equal: {equal}.

Also different, though no test of a single run can tell: without `PYTHONHASHSEED` all runs of one
server have the same hash seed. Descriptors beyond the standard ones are handed over if they are
inherited (no `FD_CLOEXEC`), 250 at most. After Ctrl-Z and `bg`, a run that reads from the terminal
is not stopped; a run that is begun in the background of a terminal is cold.

## pytest's own options and settings

{features} cases: {feature_names}.

{features_served}

## Plugins

| plugin | run with | served |
|---|---|---|
{plugins}

## Launchers

| how | served |
|---|---|
{launchers}

Each environment has a server of its own for a project: those of different Pythons run side by
side. Of one environment, one way to start the interpreter is warm at a time: flags as `-X dev` and
`-O`, and variables that only a new process takes over, as `PYTHONPATH`. The first run in another
way is cold, and the server is warm for that one from then on.

VS Code's and PyCharm's own files are in no registry: they are imitated
(`tests/terminal/adapters.py`).

## Where each is tried

Below `tests/`; what a test compares is equal, or it fails. *cold* counts the cases that are cold by
a rule, which the test holds them to; all others have to be served warm.

| what | by which test | result |
|---|---|---|
{tried}
"""


def served(row: Row) -> str:
    """How a row is served, in words."""
    if row.warm:
        return "warm"
    reason = row.why or row.reason
    return f"cold: {reason}" if reason else "cold"


def _cold_ones(rows: Mapping[str, Row]) -> str:
    """A sentence about the rows that are cold by a rule."""
    by_rule: dict[str, list[str]] = {}
    for name, row in rows.items():
        if not row.warm:
            by_rule.setdefault(row.why or row.reason, []).append(_name(name))
    rules = (f"{', '.join(names)} ({rule})" for rule, names in by_rule.items())
    return f"Served warm, but for these, which are cold by a rule: {'; '.join(rules)}."


def _code(text: str) -> str:
    """As code in a table."""
    return "`" + text.replace("|", "\\|") + "`"


def _name(name: str) -> str:
    return _code(name) if name[0] == "-" or name.isupper() else name


def _names(rows: Mapping[str, Row]) -> str:
    return "; ".join(map(_name, rows))


def _wrapped(text: str) -> str:
    """Paragraphs in lines of at most 120 characters; tables are left as they are."""
    paragraphs = (
        paragraph if paragraph.startswith(("|", "#")) else textwrap.fill(paragraph, 120)
        for paragraph in text.split("\n\n")
    )
    return "\n\n".join(paragraphs).rstrip() + "\n"


def document() -> str:
    """The whole text."""
    different = test_observables.DIFFERENT
    return _wrapped(
        TEXT.format(
            screen=len(test_screen.ROWS),
            screen_names=_names(test_screen.ROWS),
            screen_served=_cold_ones(test_screen.ROWS),
            signals=len(test_exits.SIGNALS),
            observables=len(OBSERVABLES),
            modes=len(test_observables.ROWS),
            mode_names=_names(test_observables.ROWS),
            different="\n".join(
                f"| {name.replace('_', ' ')} | {why} |" for name, why in different.items()
            ),
            equal=", ".join(
                name.replace("_", " ") for name in OBSERVABLES if name not in different
            ),
            features=len(test_options.ROWS),
            feature_names=_names(test_options.ROWS),
            features_served=_cold_ones(test_options.ROWS),
            plugins="\n".join(
                f"| {name} | {_code(('pytest ' + plugin.args).strip())} | "
                f"{'warm' if plugin.served == 'warm' else 'cold: ' + plugin.served} |"
                for name, plugin in PLUGINS.items()
            ),
            launchers="\n".join(
                f"| {_code(row.script) if len(row.script) < LONG else name} | {served(row)} |"
                for name, row in test_launchers.ROWS.items()
            ),
            tried="\n".join(
                f"| {each.what} | {', '.join(map(_code, each.tests))} | {each.result} |"
                for each in TRIED
            ),
        )
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document())
