"""Real suites: a warm run is equal to cold pytest, also right after an edit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import WARM, Bench, bench
from suites import Suite, available

SUITES = available()
EDIT = "\n\ndef test_added_by_an_edit():\n    assert 1 + 1 == 3\n"

pytestmark = [
    pytest.mark.suites,
    pytest.mark.skipif(not SUITES, reason="FASTCOLLECT_SUITES names no directory with suites"),
]


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> Suite:
    chosen: Suite = request.param
    return chosen


@pytest.fixture(scope="module")
def running(suite: Suite) -> Iterator[Bench]:
    """The suite with a warm server, started by its first run."""
    directory = Path(tempfile.mkdtemp(prefix="fc-"))
    with bench(suite.project, directory) as made:
        first = made.pytest()
        assert "Daemon: starting" in first.output
        status = made.wait_until_warm()
        assert status["state"] == "warm", status["detail"]
        assert status["tests"] == suite.items
        yield made
    left = list(directory.iterdir()) if directory.exists() else []
    shutil.rmtree(directory, ignore_errors=True)
    assert not left, f"stop left {left}"


def test_second_run_is_equal_to_cold(running: Bench, suite: Suite) -> None:
    compared = running.compare()
    assert not compared.differences, "\n".join(compared.differences)
    # Where the imports are few, cold is sooner, and the server has to say so.
    if compared.served["served"] not in WARM:
        assert "cold is sooner" in compared.served["reason"]


def test_edit_is_seen_at_once(running: Bench, suite: Suite) -> None:
    with _edited(suite):
        compared = running.compare()
    assert not compared.differences, "\n".join(compared.differences)
    assert "test_added_by_an_edit" in compared.warm.output
    assert compared.warm.exit == 1


@pytest.mark.long
def test_edit_undone_is_seen_at_once(running: Bench) -> None:
    compared = running.compare()
    assert not compared.differences, "\n".join(compared.differences)
    assert "test_added_by_an_edit" not in compared.warm.output


@contextmanager
def _edited(suite: Suite) -> Iterator[None]:
    """A test file in the middle of the suite has a failing test more."""
    files = sorted(
        path
        for path in suite.project.root.rglob("test_*.py")
        if "import pytest" in path.read_text(errors="replace") or "unittest" in path.read_text()
    )
    chosen = files[len(files) // 2]
    before = chosen.read_bytes()
    chosen.write_bytes(before + EDIT.encode())
    try:
        yield
    finally:
        chosen.write_bytes(before)
