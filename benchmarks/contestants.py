"""Who runs the tests in `commands.py`: ours, pytest itself, and others from PyPI.

What is not here: rpytest 0.1.2, whose wheel holds no program for this platform.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WORK = Path(__file__).parent.parent.resolve() / ".work" / "rivals"

Command = list[str]


@dataclass(frozen=True)
class Contestant:
    """One way to have tests run. Each has its own copy of the project."""

    name: str
    command: Callable[[Sequence[str]], Command]
    """For pytest's arguments."""
    settle: Command = field(default_factory=list)
    """Run after each run, unmeasured: until nothing goes on in the background."""
    stop: Command = field(default_factory=list)
    collects: bool = True
    """Whether it lists node ids."""
    env: Mapping[str, str] = field(default_factory=dict)


def own(python: Path) -> list[Contestant]:
    """Cold pytest, which is the judge, its floor and its workers; and this project."""
    pytest, native = str(python.parent / "pytest"), str(python.parent / "fastcollect")
    cold = [pytest, "-p", "no:fastcollect"]
    settle, stop = [native, "status", "--wait", "120", "--json"], [native, "stop"]
    found = [
        Contestant("cold pytest", lambda args: [*cold, *args]),
        Contestant("pytest --version", lambda args: [pytest, "--version"]),
        Contestant("ours, `pytest`", lambda args: [pytest, *args], settle, stop),
        Contestant("ours, `fastcollect run`", lambda args: [native, "run", *args], settle, stop),
    ]
    if not subprocess.run([python, "-c", "import xdist"], capture_output=True).returncode:
        workers = [*cold, "-n", "2"]
        found.insert(1, Contestant("pytest-xdist -n 2", lambda args: [*workers, *args]))
    return found


def rivals(scratch: Path) -> list[Contestant]:
    """Others, each installed in an environment of its own; `scratch` is for their sockets."""
    fast, hot = _install("pytest-fast==0.16.0"), _install("pytest-hot-reloading==0.1.0a19")
    published, karva = _install("pytest-fastcollect==0.5.2"), _install("karva==0.0.1a13")
    rtest = _install("rtest==0.0.47")
    resident = [f"{fast}/pytest", "--fast", f"--fast-address={scratch}/fast", "--fast-ttl=300"]
    daemon = [f"{hot}/pytest", "-p", "pytest_hot_reloading.plugin", "--daemon-port=4859"]
    return [
        Contestant("pytest-fast 0.16", lambda args: [*resident, *args]),
        Contestant(
            "pytest-hot-reloading 0.1.0a19",
            lambda args: [*daemon, "--daemon-start-if-needed", *args],
            stop=[*daemon, "--stop-daemon"],
        ),
        Contestant("pytest-fastcollect 0.5.2", lambda args: [f"{published}/pytest", *args]),
        Contestant(
            "karva 0.0.1a13",
            lambda args: [f"{karva}/karva", "test", *(arg for arg in args if arg != "-q")],
            collects=False,
            env={"VIRTUAL_ENV": str(karva.parent), "PATH": f"{karva}:{os.environ['PATH']}"},
        ),
        Contestant(
            "rtest 0.0.47, own runner",
            lambda args: [f"{rtest}/rtest", "--runner", "native", *(a for a in args if a != "-q")],
        ),
    ]


def _install(requirement: str) -> Path:
    """The `bin` of an environment with that, numpy and pandas; made if it is missing."""
    name = requirement.partition("==")[0]
    environment = WORK / "running" / name
    if not (environment / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "pytest", "numpy", "pandas", requirement], check=True)
    return environment / "bin"
