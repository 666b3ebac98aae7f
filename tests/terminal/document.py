"""The tables of docs/equivalence.md, made from those of the tests.

`python -m tests.terminal.document` writes them into the document.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.terminal import test_exits, test_launchers, test_observables, test_options, test_screen
from tests.terminal.observables import OBSERVABLES
from tests.terminal.plugins import PLUGINS
from tests.terminal.screens import Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "equivalence.md"

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

## Plugins

| plugin | run with | served |
|---|---|---|
{plugins}

## Launchers

| how | served |
|---|---|
{launchers}
"""


def served(row: Row) -> str:
    """How a row is served, in words."""
    if row.warm:
        return "warm"
    reason = row.why or row.reason
    if row.warm is None:
        return f"warm; cold {reason}".rstrip()
    return f"cold: {reason}" if reason else "cold"


def _code(text: str) -> str:
    """As code in a table."""
    return "`" + text.replace("|", "\\|") + "`"


def _names(rows: dict[str, Row]) -> str:
    return "; ".join(_code(name) if name[0] == "-" or name.isupper() else name for name in rows)


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
            plugins="\n".join(
                f"| {name} | {_code(('pytest ' + plugin.args).strip())} | "
                f"{'warm' if plugin.served == 'warm' else 'cold: ' + plugin.served} |"
                for name, plugin in PLUGINS.items()
            ),
            launchers="\n".join(
                f"| {_code(row.script)} | {served(row)} |" for row in test_launchers.ROWS.values()
            ),
        )
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document())
