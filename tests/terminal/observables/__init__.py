"""What a test can see of its process: put into a project as `observables`, and asked there.

Each entry of `OBSERVABLES` is a function of no arguments; what it returns is compared by its JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import descriptors, interpreter, library, places, process, signals, streams
from .asking import OBSERVABLES

__all__ = [
    "OBSERVABLES",
    "descriptors",
    "interpreter",
    "library",
    "main",
    "places",
    "process",
    "signals",
    "streams",
]


def main(path: str) -> None:
    """Write all of them to a file."""
    found = {}
    for name, function in OBSERVABLES.items():
        try:
            found[name] = function()
        except Exception as error:
            found[name] = repr(error)
    Path(path).write_text(json.dumps(found, default=str))
