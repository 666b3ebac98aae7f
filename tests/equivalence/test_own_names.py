"""Who knows a function by a name of its own (`from time import time`), or has kept it anywhere, and
was imported by an earlier checkpoint than the one in which it is called, is noticed as well."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled

HELPER = """\
import slow_to_import
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from os import getpid, getloadavg, stat, urandom
from sys import argv
from time import localtime, time
from timeit import default_timer

def now(): return time()
def here(): return localtime()[:6]
def timed(): return default_timer()
def defaulted(clock=time): return clock()
def named(*, clock=time): return clock()
class Clock:
    ask = time
    steady = staticmethod(default_timer)
def attribute(): return Clock().ask()
def static(): return Clock.steady()
class Later(Clock):
    ask = time
def inherited(): return Later().ask()
class Kept:
    def __init__(self, clock=time): self.clock = clock
KEPT = Kept()
def in_object(): return KEPT.clock()
class Slotted:
    __slots__ = "clock", "unset"
SLOTTED = Slotted()
SLOTTED.clock = time
def in_slot(): return SLOTTED.clock()
def closed_over(clock):
    def asking(): return clock()
    return asking
in_closure = closed_over(time)
ALL = {"clocks": [time, (localtime, time)], "partial": partial(time), "fixed": frozenset([time])}
def in_list(): return ALL["clocks"][0]()
def in_tuple(): return ALL["clocks"][1][1]()
def in_partial(): return ALL["partial"]()
@dataclass
class Event:
    at: float = field(default_factory=time)
    on: datetime = field(default_factory=datetime.now)
def made(): return Event(on=0).at
def method_made(): return Event(at=0).on
def method_defaulted(now=datetime.utcnow): return now()
TODAY, NOW = date.today, partial(datetime.now, None)
def method_named(): return TODAY()
def method_in_partial(): return NOW()
def process(): return getpid()
def token(): return urandom(4)
def load(): return getloadavg()
def arguments(): return argv[1:]
def size(): return stat("data.txt").st_size
"""
REASONS = {
    **dict.fromkeys(
        """
        now here timed defaulted named attribute static inherited in_object in_slot in_closure
        in_list in_tuple in_partial made method_made method_defaulted method_named method_in_partial
        """.split(),
        "asks for the time",
    ),
    "process": "asks for its process id",
    "token": "asks for random bytes",
    "load": "asks for what is free",
    "arguments": "reads sys.argv",
}


def files(name: str) -> dict[str, str]:
    return {
        "helper.py": HELPER,
        "conftest.py": "import helper\n",
        "data.txt": "four",
        "test_a.py": f"import helper\nVALUE = helper.{name}()\ndef test_a(): print(VALUE)\n",
    }


@pytest.mark.parametrize("name", sampled(list(REASONS), 2, always=("method_made",)))
def test_it_is_left_to_each_run(name: str, project: MakeProject) -> None:
    bench = project(files(name))
    bench.warm_up()
    bench.compare_warm()
    points: list[dict[str, Any]] = bench.wait_until_warm()["checkpoints"]
    reasons = [reason for point in points for reason in point["left_out"]]
    assert any(f"test_a.py: {REASONS[name]}" in reason for reason in reasons), reasons
    assert "conftests" in bench.checkpoint_pids(), "what it is imported from is warm"
    # A session is for one command line; all else that was told to it is not for the next run.
    assert name == "arguments" or "collected" not in bench.checkpoint_pids()


def test_a_file_that_was_asked_for_is_an_input(project: MakeProject) -> None:
    bench = project(files("size"))
    bench.warm_up("-rP")
    for text in ("four", "a longer one"):
        bench.write({"data.txt": text})
        for _ in range(2):
            assert f"\n{len(text)}\n" in bench.compare_warm("-rP").warm.output
            bench.wait_until_warm()
