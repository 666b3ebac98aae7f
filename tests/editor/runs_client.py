"""What tests of runs share: a real `fastcollect lsp`, and a run as its client sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from editor_client import ANNOUNCED, HANG, Client, Plain

from tests.support import SLOW, SmallBench

FILES = {
    "pytest.ini": "[pytest]\n",
    "test_states.py": f"""\
        import {SLOW}, sys
        import pytest

        def test_passes():
            print("said by a test")

        def test_fails():
            numbers = [1, 2]
            assert numbers == [1, 3]

        @pytest.mark.skip(reason="not today")
        def test_skipped(): ...

        @pytest.mark.xfail(reason="known", strict=False)
        def test_xfails():
            assert not 1

        @pytest.mark.xfail
        def test_xpasses(): ...

        @pytest.mark.xfail(strict=True)
        def test_xpasses_strictly(): ...

        @pytest.fixture
        def breaks_before():
            raise RuntimeError("setup")

        @pytest.fixture
        def breaks_after():
            yield
            raise RuntimeError("teardown")

        def test_setup_error(breaks_before): ...

        def test_teardown_error(breaks_after): ...

        @pytest.mark.parametrize("n", [1, 2])
        def test_cases(n):
            assert n == 1

        class TestGroup:
            def test_inside(self): ...
        """,
    "test_broken.py": "import does_not_exist\n",
}


@contextlib.asynccontextmanager
async def lsp(
    bench: SmallBench, option: str = "--stdio", capabilities: Plain | None = None
) -> AsyncIterator[Client]:
    """`fastcollect lsp` in a project, and a client that is ready."""
    async with started(bench, str(bench.project.python), option) as client:
        await client.initialize(ANNOUNCED if capabilities is None else capabilities)
        await client.tree()
        yield client


@contextlib.asynccontextmanager
async def started(bench: SmallBench, python: str, option: str = "--stdio") -> AsyncIterator[Client]:
    """`fastcollect lsp` of an interpreter, and a client that has not said anything yet."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-m",
        "fastcollect_lsp",
        "lsp",
        option,
        cwd=bench.root,
        env=bench.env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 << 20,
    )
    assert process.stdin is not None and process.stdout is not None
    client = Client(process.stdout, process.stdin)
    try:
        yield client
    finally:
        await client.close()
        await asyncio.wait_for(process.wait(), HANG)


class Seen:
    """One run, as a client has seen it."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.events: list[Plain] = []

    @property
    def states(self) -> dict[str, str]:
        """The last state of each test, by what follows the file in its id."""
        terminal = {"passed", "failed", "errored", "skipped", "xfailed", "xpassed"}
        return {
            event["id"].partition("::")[2] or event["id"]: event["event"]
            for event in self.events
            if event["event"] in terminal
        }

    def of(self, kind: str) -> list[Plain]:
        """The events of one kind."""
        return [event for event in self.events if event["event"] == kind]

    def failure(self, name: str) -> Plain:
        """The message of a test that failed."""
        found = [e for e in self.events if e.get("id", "").endswith(name) and "messages" in e]
        message: Plain = found[-1]["messages"][-1]
        return message


async def follow(client: Client, run_id: str, until: str = "ended") -> Seen:
    """All events of a run up to the first of a kind; they come numbered without a gap."""
    seen = Seen(run_id)
    number = 0
    while not seen.of(until):
        progress = await client.message(
            lambda m: m.get("method") == "fastcollect/runProgress"
            and m["params"]["runId"] == run_id
        )
        assert progress["params"]["seq"] == number
        number += 1
        seen.events += progress["params"]["events"]
    return seen


async def run(client: Client, run_id: str = "1", **params: Any) -> tuple[Plain, Seen]:
    """Have tests run, to the end."""
    params = {"runId": run_id, "kind": "run", **params}
    answer = await client.request("fastcollect/runTests", params)
    return answer, await follow(client, run_id)


Make = Callable[..., SmallBench]


class Mailbox:
    """A named pipe in a project's root, into which a test writes what it has to say."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def word(self) -> str:
        """What the next test writes."""
        loop = asyncio.get_running_loop()
        written = asyncio.Event()
        loop.add_reader(self._fd, written.set)
        try:
            await asyncio.wait_for(written.wait(), HANG)
            return os.read(self._fd, 4096).decode()
        finally:
            loop.remove_reader(self._fd)


@contextlib.asynccontextmanager
async def mailbox(bench: SmallBench, name: str) -> AsyncIterator[Mailbox]:
    """A mailbox of this name; whoever writes into it never waits."""
    path = bench.root / name
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield Mailbox(fd)
    finally:
        os.close(fd)
        path.unlink()
