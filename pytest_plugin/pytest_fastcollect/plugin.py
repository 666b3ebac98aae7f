"""The pytest plugin: options, the hand-over, the report header."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator

import pytest

from fastcollect_lsp import __version__

from . import early
from .state import STATE, Active, State

early.hand_over()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini keys; fixed by the project's command line contract."""
    group = parser.getgroup("fastcollect", "warm runs (pytest-fastcollect)")
    group.addoption(
        "--fastcollect-auto-daemon",
        action="store_true",
        default=None,
        dest="fastcollect_auto_daemon",
        help="start and use the project's warm server (default: on, off where CI is set)",
    )
    group.addoption(
        "--no-fastcollect-auto-daemon",
        action="store_false",
        dest="fastcollect_auto_daemon",
        help="neither start nor use a server: a plain pytest run",
    )
    for name, text in (
        ("start", "start the project's server, wait until it is warm, exit"),
        ("stop", "stop the project's server, exit"),
        ("status", "show the state of the project's server, exit"),
        ("health", "look for what is wrong with the project's server, exit non-zero if anything"),
    ):
        option = f"--daemon-{name}"
        group.addoption(
            option,
            action="store_const",
            const=name,
            dest="fastcollect_action",
            help=text,
        )
    parser.addini(
        "fastcollect_auto_daemon",
        "start and use the project's warm server (default: true)",
        type="bool",  # type: ignore[maybe-unrecognized-str-typeform]  # a name, not a type
        default=True,
    )
    parser.addini(
        "fastcollect_idle_timeout",
        "minutes without any use after which the server ends (default: 30)",
        default="30",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Before capture starts and any conftest is loaded: hand the run over, or let it be cold."""
    state = early_config.stash[STATE] = State()
    if sys.platform == "linux":
        from . import caller  # needs what only POSIX systems have

        if Active.describe is not None:
            Active.describe(early_config)
        if Active.depth is not None:
            caller.in_run_child(early_config, state)
        else:
            caller.in_caller(early_config, state)
    else:
        state.silent = False
        state.daemon = f"cold: warm runs are not supported on {sys.platform} yet"
    if state.ahead is not None:
        early_config.pluginmanager.register(state.ahead, "fastcollect-ahead")
    if state.recorder is not None:
        early_config.pluginmanager.register(state.recorder, "fastcollect-recorder")
    if state.keeping is not None:
        early_config.pluginmanager.register(state.keeping, "fastcollect-keeping")
    if state.selective is not None:
        early_config.pluginmanager.register(state.selective, "fastcollect-selective")
    if state.reporter is not None:
        early_config.pluginmanager.register(state.reporter, "fastcollect-reporter")
    try:
        return (yield)
    finally:
        if state.recorder is not None:
            state.recorder.mark()


@pytest.hookimpl(specname="pytest_load_initial_conftests")
def pytest_fastcollect_before_conftests(early_config: pytest.Config) -> None:
    """After what others do first (up to pytest 8.3 `pythonpath` is set then), before conftests.

    pytest looks at functions as hooks only if their name begins with `pytest_`.
    """
    recorder = early_config.stash[STATE].recorder
    if recorder is not None:
        recorder.mark()


def pytest_configure(config: pytest.Config) -> None:
    """What hooks import here is a step of its own."""
    if getattr(config, "workerinput", {}).get("fastcollect_failures"):
        from .reporting import in_worker

        in_worker(config)
    state = config.stash.get(STATE, None)
    if state is not None and state.recorder is not None:
        state.recorder.configured()


def pytest_report_header(config: pytest.Config) -> str | None:
    """`fastcollect: vX.Y.Z (Rust-accelerated collection) | Daemon: …` or `| cold: …`."""
    state = config.stash.get(STATE, None)
    if state is None or state.silent:
        return None
    return f"fastcollect: v{__version__} (Rust-accelerated collection) | {state.daemon}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Time the collection and say so in pytest's own line; then tell the server what was seen."""
    state = session.config.stash.get(STATE, None)
    if state is None or state.silent:
        return (yield)
    state.began = time.perf_counter()
    _time_in_collected_line(session.config, state)
    result = yield
    if state.recorder is not None and state.place is not None:
        from . import caller

        caller.send_record(
            state.place, state.recorder, session.testscollected, tell=not state.starting
        )
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_internalerror(excrepr: object, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Show what pytest shows without us."""
    from . import tracebacks

    tracebacks.clean_report(excrepr, excinfo)


def _time_in_collected_line(config: pytest.Config, state: State) -> None:
    """`TerminalReporter.report_collect` builds its line itself: add to it as it is written."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.verbose != 0:
        return
    for name in ("write_line", "rewrite"):
        setattr(reporter, name, _timed(reporter, name, state))


def _timed(reporter: object, name: str, state: State) -> object:
    original = getattr(reporter, name)

    def write(line: object, *args: object, **kwargs: object) -> object:
        if isinstance(line, str) and line.startswith("collected "):
            state.stamp = f" in {time.perf_counter() - state.began:.3f}s"
            line += state.stamp
            for patched in ("write_line", "rewrite"):
                vars(reporter).pop(patched, None)
        return original(line, *args, **kwargs)

    return write
