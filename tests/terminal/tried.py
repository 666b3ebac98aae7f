"""What is tried by which test: the last table of docs/equivalence.md."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tests.terminal import test_exits, test_launchers, test_observables, test_options, test_screen
from tests.terminal.plugins import PLUGINS
from tests.terminal.screens import Row


@dataclass(frozen=True)
class Tried:
    """A subject, and where it is looked after."""

    what: str
    tests: tuple[str, ...]
    """Below `tests/`: `file.py::function`, or `file.py` for all of it."""
    result: str


def _served(rows: Collection[Row]) -> str:
    cold = sum(not row.warm for row in rows)
    return f"{len(rows)} cases equal, {f'{cold} cold' if cold else 'all warm'}"


_COLD_PLUGINS = sum(plugin.served != "warm" for plugin in PLUGINS.values())

TRIED = (
    Tried(
        "colours, width, resizing, prompts, debuggers, passwords, progress bars, all kinds of "
        "streams, Ctrl-C, Ctrl-\\, signals, `timeout`, `nohup`, `make -j`, `watch`, `entr`",
        ("terminal/test_screen.py::test_row",),
        _served(test_screen.ROWS.values()),
    ),
    Tried(
        "the same by `fastcollect run`",
        ("terminal/test_screen.py::test_row_of_the_command",),
        _served(test_screen.ROWS.values()),
    ),
    Tried(
        "Ctrl-Z, then `fg` or `bg`, in an interactive shell",
        (
            "terminal/test_pty.py::test_stop_and_foreground",
            "terminal/test_pty.py::test_stop_and_background",
        ),
        "equal, warm",
    ),
    Tried(
        "a terminal that is closed",
        (
            "terminal/test_screen.py::test_closing_the_terminal",
            "terminal/test_pty.py::test_hangup_ends_the_run",
        ),
        "equal, warm",
    ),
    Tried(
        "the shell's next command comes as soon as the run ends; nothing holds a pipe",
        ("terminal/test_endings.py::test_a_pipe_ends_with_the_run",),
        "equal, warm",
    ),
    Tried(
        "every exit code by `pytest.exit`, `sys.exit`, `os._exit`",
        ("terminal/test_exits.py::test_every_exit_code",),
        "1,536 cases (half of them by `fastcollect run`) equal, all warm",
    ),
    Tried(
        "a test that sends each signal to itself",
        ("terminal/test_exits.py::test_every_signal", "terminal/test_exits.py::test_ending"),
        f"{len(test_exits.SIGNALS)} signals (by `fastcollect run` as well) equal, all warm",
    ),
    Tried(
        "server, checkpoints or caller killed in mid-run",
        (
            "terminal/test_endings.py::test_killed_in_mid_run",
            "terminal/test_endings.py::test_killed_at_any_moment",
            "terminal/test_endings.py::test_killed_caller_takes_the_run_and_its_group",
        ),
        "each test once, the right status",
    ),
    Tried(
        "what a test can see of its process",
        ("terminal/test_observables.py::test_observables",),
        f"{_served(test_observables.ROWS.values())}; differences: above",
    ),
    Tried(
        "pytest's own options and settings, `tmp_path` numbers, `.pytest_cache`",
        ("terminal/test_options.py::test_feature",),
        _served(test_options.ROWS.values()),
    ),
    Tried(
        "plugins",
        ("terminal/test_plugins.py::test_plugin",),
        f"{len(PLUGINS)} cases equal, {_COLD_PLUGINS} cold",
    ),
    Tried(
        "launchers",
        ("terminal/test_launchers.py::test_launcher",),
        _served(test_launchers.ROWS.values()),
    ),
    Tried(
        "several environments and Pythons for one root, at the same time",
        ("equivalence/test_versions.py::test_several_at_the_same_time",),
        "5 environments equal, all warm",
    ),
    Tried(
        "`status`, `start`, `health`: tables, colours, `NO_COLOR`, progress, `--json`",
        ("terminal/test_output.py", "unit/test_report.py"),
        "as described",
    ),
)
