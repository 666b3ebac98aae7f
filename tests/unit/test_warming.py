"""When a run waits for what is being made, and what is made again when files change."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

from fastcollect_lsp.learned import Progress
from fastcollect_lsp.pool import MAX_SELECTIONS, Pool
from fastcollect_lsp.protocol import Record
from fastcollect_lsp.warming import Warming
from tests.unit.test_policy import CONFTEST, KEY, MODULE, NAMES, record, request

RECORD = record(NAMES, CONFTEST, MODULE)


def run(test: Callable[[Warming], None]) -> None:
    """Run a test with a warming, inside an event loop as in the server."""

    async def main() -> None:
        test(Warming(Pool(), {}, lambda message: None, lambda: None))

    asyncio.run(main())


def selection(name: str) -> Record:
    return dataclasses.replace(RECORD, key=dataclasses.replace(KEY, selection=name))


def test_a_run_waits_where_that_is_sooner() -> None:
    def test(warming: Warming) -> None:
        assert warming.worth_waiting(request(), 0.0) is None
        began = time.monotonic()
        warming.progress = Progress(RECORD, began, total_ms=60_000.0, saves_ms=500_000.0)
        left = warming.worth_waiting(request(), 0.0)
        assert left is not None and 0 < left <= 60_000
        # What is there already saves nearly as much.
        assert warming.worth_waiting(request(), 490_000.0) is None
        # It is made for another selection.
        other = dataclasses.replace(KEY, selection="other")
        assert warming.worth_waiting(request(other), 0.0) is None

    run(test)


def test_what_takes_longer_than_foreseen_is_nearly_done_at_best() -> None:
    overdue = Progress(RECORD, time.monotonic() - 3600, total_ms=100.0, saves_ms=1000.0)
    assert overdue.left_ms > 0


def test_a_change_makes_all_again_that_is_kept_warm() -> None:
    def test(warming: Warming) -> None:
        for number in range(MAX_SELECTIONS + 2):
            warming.want(selection(str(number)))
        warming.refresh(["/p/anything"])
        assert not warming.idle.is_set()
        assert [wish.record.key.selection for wish in warming.wishes] == ["2", "3", "4"]
        assert not any(wish.seen for wish in warming.wishes)

    run(test)


def test_another_interpreter_takes_the_place_of_the_one_before() -> None:
    """Else each warm-up of one would end what is warm for the other, in turns."""

    def test(warming: Warming) -> None:
        warming.want(selection("a"))
        warming.want(dataclasses.replace(selection("b"), identity="other flags"))
        warming.refresh()
        assert [wish.record.key.selection for wish in warming.wishes] == ["b"]

    run(test)


def test_a_record_replaces_an_older_wish() -> None:
    def test(warming: Warming) -> None:
        warming.want(selection("a"), seen=False)
        warming.want(selection("b"))
        warming.want(selection("a"))
        assert [(wish.record.key.selection, wish.seen) for wish in warming.wishes][-1] == (
            "a",
            True,
        )

    run(test)
