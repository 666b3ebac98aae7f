"""What the observables share: where they are noted, and what is left out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OBSERVABLES: dict[str, Any] = {}
OWN = {"PYTEST_ADDOPTS", "SHELL_PID", "SHELL_SESSION", "OUT"}
"""Variables in which a cold and a warm run of the comparison differ by its making."""


def own(environment: bytes) -> list[str]:
    """An environment, less those."""
    found = sorted(environment.decode("utf-8", "backslashreplace").split("\0"))
    return [entry for entry in found if entry.partition("=")[0] not in OWN]


def seen(function: Any) -> Any:
    """Add an observable."""
    OBSERVABLES[function.__name__] = function
    return function


def status(*names: str) -> dict[str, str]:
    """Lines of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        line.split(":")[0]: line.split(":")[1].strip()
        for line in lines
        if line.split(":")[0] in names
    }
