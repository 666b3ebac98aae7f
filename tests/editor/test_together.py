"""Several editors and a terminal at one server see the same; bad clients harm nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from editor_client import ANNOUNCED, Client, Plain
from plain_clients import plain_client
from runs_client import follow, lsp

from tests.support import Shared, SmallBench, small_bench

pytestmark = pytest.mark.asyncio

NAME = "test_some.py"
FILES = {
    "pytest.ini": "[pytest]\n",
    NAME: """\
        import pytest

        def test_fails():
            assert 1 == 2

        def test_passes(): ...

        @pytest.mark.parametrize("n", range(600))
        def test_many(n):
            print("x" * 5000)
        """,
}


@pytest.fixture(scope="module")
def kept(shared: Shared) -> Iterator[SmallBench]:
    with small_bench(shared, FILES) as bench:
        yield bench


async def lenses(client: Client, bench: SmallBench, line: int) -> list[str]:
    params = {"textDocument": {"uri": (bench.root / NAME).as_uri()}}
    found = await client.request("textDocument/codeLens", params)
    return [one["command"]["title"] for one in found if one["range"]["start"]["line"] == line]


async def test_two_editors_and_a_terminal_agree(kept: SmallBench) -> None:
    async with plain_client(kept) as one, lsp(kept) as other:
        loop = asyncio.get_running_loop()
        terminal = loop.run_in_executor(None, kept.pytest, "-k", "not many")
        started = await other.notification("fastcollect/runStarted")
        assert started["origin"] == "terminal"
        seen = await follow(other, started["runId"])
        assert (await terminal).exit == 1
        assert seen.states == {"test_fails": "failed", "test_passes": "passed"}
        assert await one.ran(NAME, 2, "✗") == (await lenses(other, kept, 2))[-1]
        await one.until(lambda: one.messages(NAME) == [(3, "assert 1 == 2")])
        uri = (kept.root / NAME).as_uri()
        shown = await other.message(
            lambda m: m.get("method") == "textDocument/publishDiagnostics"
            and m["params"]["uri"] == uri
        )
        assert shown["params"]["diagnostics"][0]["message"] == "assert 1 == 2"
        # What one runs, the other sees, though it comes from a command.
        answer = await other.request(
            "workspace/executeCommand",
            {"command": "fastcollect.run", "arguments": [f"{NAME}::test_passes"]},
        )
        await follow(other, answer["runId"])
        assert (await one.ran(NAME, 5, "✓")) == (await lenses(other, kept, 5))[-1]
        # Who comes later knows what was.
        async with plain_client(kept) as third:
            assert await third.ran(NAME, 2, "✗") == "✗ assert 1 == 2"
            await third.until(lambda: third.messages(NAME) == [(3, "assert 1 == 2")])


def mute_capabilities() -> Plain:
    """Of a client that lets itself be asked and told everything."""
    return {
        **ANNOUNCED,
        "window": {"workDoneProgress": True},
        "workspace": {
            "codeLens": {"refreshSupport": True},
            "inlayHint": {"refreshSupport": True},
        },
    }


@pytest.mark.long
async def test_client_that_never_reads_while_a_run_floods(kept: SmallBench) -> None:
    """It does not hold up the run, nor the others; nor is it asked more and more."""
    async with lsp(kept) as client, lsp(kept, capabilities=mute_capabilities()) as mute:
        mute.ended.cancel()
        await asyncio.wait([mute.ended])
        mute.ended = asyncio.create_task(asyncio.sleep(0))
        params: Plain = {"runId": "flood", "kind": "run", "include": [f"{NAME}::test_many"]}
        await client.request("fastcollect/runTests", params)
        seen = await follow(client, "flood")
        assert seen.of("ended")[0]["exit"] == 0
        assert len(seen.of("passed")) == 600
        assert (await lenses(client, kept, 8))[-1].startswith("✓ 600 passed")


@pytest.mark.long
async def test_unanswered_requests_do_not_pile_up(kept: SmallBench) -> None:
    async with lsp(kept, capabilities=mute_capabilities()) as client:
        for number in range(3):
            params: Plain = {"runId": f"{number}", "kind": "run"}
            params["include"] = [f"{NAME}::test_passes"]
            await client.request("fastcollect/runTests", params)
            await follow(client, f"{number}")
        refreshes = [m for m in client.received if m.get("method") == "workspace/codeLens/refresh"]
        assert len(refreshes) == 1  # never answered
        await client.request("fastcollect/status")


async def test_disconnect_in_the_middle_of_a_command(kept: SmallBench) -> None:
    async with lsp(kept) as other:
        async with lsp(kept, capabilities=mute_capabilities()) as client:
            params = {"command": "fastcollect.run", "arguments": [f"{NAME}::test_many"]}
            run_id = (await client.request("workspace/executeCommand", params))["runId"]
        seen = await follow(other, run_id)
        assert seen.of("ended")[0]["exit"] in (2, -2)


async def test_workspace_without_tests(shared: Shared) -> None:
    with small_bench(shared, {"module.py": "x = 1\n"}) as bench:
        async with plain_client(bench) as client:
            assert await client.lenses("module.py") == []
            assert await client.actions("module.py", 0) == {}
            await client.do("fastcollect.run")
            await client.until(lambda: client.progress()[1:])
            await client.until(lambda: client.progress()[-1].message == "no tests ran")
            assert client.lsp.diagnostics == {}
