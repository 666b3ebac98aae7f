"""Fixtures: a small project, and a server of editor connections for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from editor_client import Server, serving, write
from runs_client import FILES, Make

from tests.support import Shared, SmallBench, small_bench


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


@pytest.fixture
def make(shared: Shared) -> Iterator[Make]:
    """Make a project of these files, with a server of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda files, **env: stack.enter_context(small_bench(shared, files, **env))


@pytest.fixture
def bench(make: Make) -> SmallBench:
    made = make(FILES)
    made.warm_up("--collect-only")
    return made
