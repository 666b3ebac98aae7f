"""Files that change by nobody's editor: the real server, which watches them itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from editor_client import ANNOUNCED, HANG, Client, write

COMMAND = [sys.executable, "-m", "fastcollect_lsp"]


@pytest_asyncio.fixture
async def client(project: Path) -> AsyncIterator[Client]:
    """An editor that does not watch files, connected through `fastcollect lsp`."""
    env = {**os.environ, "FASTCOLLECT_DIR": tempfile.mkdtemp(prefix="fc-")}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "lsp",
        cwd=project,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    connected = Client(process.stdout, process.stdin)
    try:
        await connected.initialize(ANNOUNCED)
        yield connected
    finally:
        await connected.close()
        await asyncio.wait_for(process.wait(), HANG)
        subprocess.run([*COMMAND, "stop"], cwd=project, env=env, check=True)


async def until_shown(client: Client, wanted: str) -> list[str]:
    """The ids below the next change in which this one is."""
    while True:
        change = await client.changed()
        ids = [item["id"] for document in change["replaced"] for item in document["tests"]]
        if wanted in ids:
            return ids


async def until_gone(client: Client, path: Path) -> None:
    while path.as_uri() not in (await client.changed())["removed"]:
        pass


@pytest.mark.asyncio
async def test_tree_follows_the_disk(client: Client, project: Path) -> None:
    await until_shown(client, "test_one.py::test_first")
    added = write(project / "sub" / "test_added.py", "def test_added():\n    pass\n")
    await until_shown(client, "sub/test_added.py::test_added")
    write(added, "def test_edited():\n    pass\n")
    ids = await until_shown(client, "sub/test_added.py::test_edited")
    assert "sub/test_added.py::test_added" not in ids
    added.unlink()
    await until_gone(client, added)
    # A directory without tests changes no tree, and has to be watched all the same.
    (project / "fresh").mkdir()
    write(project / "sub" / "test_mark.py", "def test_mark():\n    pass\n")
    await until_shown(client, "sub/test_mark.py::test_mark")
    write(project / "fresh" / "test_fresh.py", "def test_fresh():\n    pass\n")
    await until_shown(client, "fresh/test_fresh.py::test_fresh")
    (project / "pytest.ini").write_text("[pytest]\npython_functions = check_*\n")
    write(project / "fresh" / "test_fresh.py", "def check_fresh():\n    pass\n")
    await until_shown(client, "fresh/test_fresh.py::check_fresh")
    status = await client.request("fastcollect/status", {})
    assert status["watch"]["trouble"] is None
    assert status["watch"]["directories"] == status["watch"]["wanted"] >= 4
