"""Fixtures of the scanner's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.scanner.scanner_support import Oracle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty directory for a project, no configuration file above it."""
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A directory beside the project."""
    made = tmp_path / "scratch"
    made.mkdir()
    return made


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """The pytest that is installed here."""
    made = Oracle(Path(sys.executable))
    yield made
    made.close()
