"""Which test executed what: tells coverage.py, which measures this run, where tests begin."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest


class Contexts:
    """Plugin object: a context of coverage.py for each test, named by its node id."""

    def __init__(self, coverage: Any) -> None:
        self._coverage = coverage

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Setup, call and teardown of one test."""
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")


def measuring() -> Contexts | None:
    """The plugin, if coverage.py measures this process and leaves contexts to others."""
    try:
        import coverage
    except ImportError:
        return None
    current = coverage.Coverage.current()
    if current is None or current.get_option("run:dynamic_context"):
        return None
    return Contexts(current)
