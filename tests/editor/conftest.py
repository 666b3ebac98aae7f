"""Fixtures: a small project, and a server of editor connections for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from editor_client import Server, serving, write


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A directory with a short name: a Unix socket's path has 108 bytes."""
    with TemporaryDirectory(prefix="fc-") as directory:
        yield Path(directory)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three test files in two folders."""
    root = tmp_path / "project"
    write(root / "pytest.ini", "[pytest]\n")
    write(
        root / "test_one.py",
        """\
        def test_first():
            pass


        class TestGroup:
            def test_inside(self):
                pass
        """,
    )
    write(root / "sub" / "test_two.py", "def test_second():\n    pass\n")
    write(root / "sub" / "deep" / "test_three.py", "def test_third():\n    pass\n")
    return root


@pytest_asyncio.fixture
async def server(project: Path, sockets: Path) -> AsyncIterator[Server]:
    async with serving(project, sockets) as running:
        yield running
