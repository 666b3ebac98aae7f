"""A process of the server's that reads what texts of test modules decide (`determined`), and keeps
it beside what was collected from them: `python -m pytest_fastcollect.studying FILE…`.

Nothing of the project is executed. Parsing a module takes as long as importing it, which is why no
run does it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from . import collected, determined
from .collected import Stat
from .studies import to_json


def study(files: list[Path]) -> None:
    """Of all modules known in these files, which are of one project. Raises OSError, Unsafe."""
    server = os.getppid()
    target = collected.studies_of(files[0])
    before = collected.read_studies(target)
    studies: dict[str, tuple[Stat, object]] = {}
    for file in files:
        known = collected.read(file)
        for path, stat in known.stats.values() if known is not None else ():
            if path in studies and studies[path][0] == stat:
                continue
            studied = before.get(path)
            if studied is not None and studied[0] == stat:
                studies[path] = stat, to_json(studied[1])
            elif (found := _read(path, stat)) is not None:
                studies[path] = stat, to_json(determined.study(found))
            if os.getppid() != server:
                return
    collected.write_studies(
        target, studies
    )  # also where it is the same: it says when they were read


def _read(path: str, stat: Stat) -> bytes | None:
    """A file's text; None where it has changed since."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    same = collected.stat_of(path) == stat and not collected.is_racy(stat, time.time_ns())
    return text if same else None


if __name__ == "__main__":
    os.nice(10)
    if sys.argv[1:]:
        study([Path(name) for name in sys.argv[1:]])
