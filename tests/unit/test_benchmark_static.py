"""How the benchmark of static collection counts what a tool gets wrong."""

from __future__ import annotations

import json

import pytest

from benchmarks import static_scan as bench

PYTEST = """t.py::test_a
t.py::test_b[1]
t.py::test_b[2]
t.py::TestC::test_d[x::y]

4 tests collected in 0.01s
"""


def counts(tool: bench.Ids) -> list[str]:
    """What the table would say."""
    return bench.counts(bench.pytest_ids(PYTEST), tool)


def test_the_same_ids_are_no_mistake() -> None:
    assert counts(bench.pytest_ids(PYTEST)) == ["0", "0", "0", "0", "0 / 0"]


def test_missing_and_invented() -> None:
    output = "collected 3 items\n\n  t.py::test_b\n  t.py::TestC::test_d[x::y]\n  t.py::test_z[1]\n"
    # test_a and the two cases of test_b are missing; test_z is not pytest's, a bare test_b is.
    assert counts(bench.rtest_ids(output)) == ["1", "1", "3", "1", "0 / 0"]


def test_what_is_said_to_be_dynamic_is_counted_apart() -> None:
    items = [
        {"id": "t.py", "kind": "file", "parent": None, "dynamic": False},
        {"id": "t.py::test_b", "kind": "function", "parent": "t.py", "dynamic": True},
        {"id": "t.py::TestC", "kind": "class", "parent": "t.py", "dynamic": True},
    ]
    ids = bench.our_ids(json.dumps({"items": items}))
    assert counts(ids) == ["1", "0", "1", "0", "1 / 3"]


def test_what_pytest_cannot_import_does_not_count() -> None:
    expected = bench.Ids(["t.py::test_a"], failed={"u.py"})
    found = bench.Ids(["t.py::test_a", "u.py::test_1", "v.py::test_2"])
    assert bench.counts(expected, found) == ["0", "1", "0", "1", "0 / 0"]


@pytest.mark.parametrize(
    ("output", "says"), [("    Starting 2 tests across 2 workers", 2), ("", 0)]
)
def test_karva_says_a_number(output: str, says: int) -> None:
    assert counts(bench.karva_count(output)) == [f"says {says} of 3", "", "", "", ""]
