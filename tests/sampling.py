"""Which of many cases run on every change; all of them run with `-m long`.

`FASTCOLLECT_SAMPLE` picks others: a number, as CI's count of its runs, so that in time all are run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Sequence
from typing import Any

import pytest

SEED = os.environ.get("FASTCOLLECT_SAMPLE", "0")


def trials(few: int) -> int:
    """How many there are to be of what is random: `FASTCOLLECT_TRIALS` of them, else a few."""
    return int(os.environ.get("FASTCOLLECT_TRIALS", few))


def sampled(cases: Sequence[Any], number: int, always: Collection[Any] = ()) -> list[Any]:
    """The cases, those that are not among `number` of them chosen by chance marked as long.

    `always`: cases that run whatever is chosen, and count."""
    rest = [case for case in cases if case not in always]
    drawn = random.Random(f"{SEED} {cases}").sample(rest, min(number - len(always), len(rest)))
    chosen = [*always, *drawn]
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else [case]),
            marks=() if case in chosen else pytest.mark.long,
        )
        for case in cases
    ]
