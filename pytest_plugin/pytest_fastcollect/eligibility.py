"""May this run be handed over at all? Everything here is decided before any conftest is loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

import pytest

from fastcollect_lsp.frozen import dataclass

from .observers import observer

_ENTRY_POINTS = {"console_main", "_console_main"}


@dataclass(frozen=True)
class Verdict:
    """What this plugin may do in this run."""

    silent: bool = False
    """Do nothing and show nothing: the run is not one that a person started as `pytest`."""
    cold: str | None = None
    """Show up, but leave the run cold for this reason."""
    wanted: bool = True
    """Whether a server may be used at all."""


def judge(config: pytest.Config, auto: bool | None, *, vouched: bool = False) -> Verdict:
    """`auto` is the user's wish: True or False from the command line or ini, None if neither.

    `vouched`: our own server has started this run, because an editor asked for it.
    """
    forced = os.environ.get("FASTCOLLECT")
    if vouched:
        if forced == "0" or auto is False:
            return Verdict(cold="switched off")
        return Verdict(cold=_observer() or _measuring(config))
    if forced == "0" or _is_program(config) or _is_nested():
        return Verdict(silent=True)
    if forced != "1":
        if auto is False:
            return Verdict(cold="switched off", wanted=False)
        if auto is None and os.environ.get("CI"):
            return Verdict(cold="CI is set; ask with --fastcollect-auto-daemon", wanted=False)
    return Verdict(cold=_observer() or _measuring(config) or _in_background())


def judge_early() -> bool:
    """Whether this run may be handed over, as far as that does not depend on its options."""
    return not (_is_program(None) or _is_nested() or _observer() or _in_background())


def judge_natively(config: pytest.Config) -> str | None:
    """Why a run that the native command has asked for has to be cold; what concerns the command's
    own process, it has looked at itself."""
    options = config.known_args_namespace
    auto = options.fastcollect_auto_daemon
    if auto is False or (auto is None and not config.getini("fastcollect_auto_daemon")):
        return "switched off"
    if options.fastcollect_action:
        return "nothing to run"
    return _observer() or _measuring(config)


def _is_program(config: pytest.Config | None) -> bool:
    """Whether `pytest.main()` was called by a program rather than by the console script or `-m`."""
    if config is not None and config.invocation_params.plugins:
        return True
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name not in _ENTRY_POINTS:
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") != "_pytest.config":
        return True
    while frame is not None and frame.f_code.co_name in _ENTRY_POINTS:
        frame = frame.f_back
    # Below the entry point there is only the script itself, or runpy for `python -m pytest`.
    if frame is None or frame.f_globals.get("__name__") != "__main__":
        return True
    script = Path(frame.f_code.co_filename)
    if not {script.stem, script.name} & {"pytest", "py.test"} and script.parts[-2:] != (
        "pytest",
        "__main__.py",
    ):
        return True
    frame = frame.f_back
    while frame is not None:
        if frame.f_globals.get("__name__") != "runpy":
            return True
        frame = frame.f_back
    return False


def _is_nested() -> bool:
    """Whether a pytest run is among our ancestors (pytester, subprocess.run(["pytest"]), xdist)."""
    if os.environ.get("FASTCOLLECT_TOP_LEVEL") == str(os.getppid()):
        return False  # our parent vouches for us: `--daemon-start`, `fastcollect verify`
    if "PYTEST_CURRENT_TEST" in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
        return True
    try:
        initial = Path("/proc/self/environ").read_bytes()
    except OSError:
        return False
    return b"\0PYTEST_VERSION=" in b"\0" + initial or _has_pytest_ancestor()


def _has_pytest_ancestor() -> bool:
    """Looks at the ancestors themselves: a test may have started us with an empty environment."""
    pid = os.getppid()
    for _ in range(64):
        if pid <= 1:
            return False
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return False
        if is_pytest_command(command):
            return True
        pid = int(stat.rpartition(b")")[2].split()[1])
    return False


def is_pytest_command(command: list[bytes]) -> bool:
    """Whether a process' command line is a Python interpreter that runs pytest, or our zygote."""
    if not os.path.basename(command[0]).startswith((b"python", b"pypy")):
        return False
    arguments = iter(command[1:])
    for argument in arguments:
        if argument == b"-m":
            return next(arguments, b"") in {b"pytest", b"py.test"}
        if argument == b"-c":
            return b"pytest_fastcollect.zygote" in next(arguments, b"")
        if argument in {b"-W", b"-X"}:
            next(arguments, None)
        elif not argument.startswith(b"-"):
            return os.path.basename(argument) in {b"pytest", b"py.test"}
    return False


def _observer() -> str | None:
    """Who would lose what was imported ahead of time."""
    if (found := observer()) is not None:
        return found
    if vars(sys.modules["__main__"]).get("__warningregistry__"):
        return "the script has shown a warning"  # as `pytest.console_main()` does: once is enough
    return None


def _in_background() -> str | None:
    """A job in the background of a terminal is stopped when it reads from it; a run child is none
    of that terminal's jobs and would take what is typed for the shell."""
    try:
        if os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp():
            return "in the background of a terminal"
    except OSError:
        pass  # not the terminal of this session: it has no jobs of ours
    return None


def _measuring(config: pytest.Config) -> str | None:
    options = config.known_args_namespace
    if getattr(options, "cov_source", None):
        return "--cov measures imports"
    if getattr(options, "assertmode", "rewrite") != "rewrite":
        return f"--assert={options.assertmode}"
    if getattr(options, "noconftest", False):
        return "--noconftest"
    if "vscode_pytest" in (getattr(options, "plugins", None) or ()):
        # At import it asks for the name of its pipe, another one each time: nothing would ever be
        # warm for it, and trying would take away what is warm for those who start pytest elsewhere.
        return "VS Code's own adapter has a new pipe for each run"
    if getattr(options, "help", False) or getattr(options, "version", 0):
        return "nothing to run"
    return None
