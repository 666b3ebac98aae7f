"""Fixtures: a project for each file of rows, warm before its first row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Shared, SmallBench, small_bench
from tests.terminal import screens


@pytest.fixture(scope="module")
def typed(shared: Shared, request: pytest.FixtureRequest) -> Iterator[SmallBench]:
    """The project `PROJECT` of the test's module, warm for each command line."""
    with small_bench(shared, request.module.PROJECT) as made:
        made.extra_env.update(screens.same_for_both(made))
        made.warm_up("--collect-only", "-q")
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `row` runs for each of its module's `ROWS`; most of them are long."""
    if "row" not in metafunc.fixturenames:
        return
    rows = metafunc.module.ROWS
    metafunc.parametrize(
        "row",
        [
            pytest.param(row, id=name, marks=[] if row.quick else [pytest.mark.long])
            for name, row in rows.items()
        ],
    )
