"""A plugin that writes down what pytest collected, for comparisons: `-p pytest_fastcollect.dump`.

The file is named by the environment variable `FASTCOLLECT_DUMP`.
"""

from __future__ import annotations

import json
import os

import pytest

failures: dict[str, str] = {}
"""The last line of what went wrong, by the node id of the collector."""


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note what fails, and modules that are skipped."""
    if report.passed:
        return
    text = report.longrepr
    lines = str(text[2] if isinstance(text, tuple) else text).strip().splitlines()
    failures[report.nodeid] = lines[-1].strip() if lines else report.outcome


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the dump."""
    content = {
        "ids": [item.nodeid for item in session.items],
        "failures": failures,
        "pytest": pytest.__version__,
    }
    with open(
        os.environ["FASTCOLLECT_DUMP"], "w", encoding="utf-8", errors="surrogatepass"
    ) as file:
        json.dump(content, file)
