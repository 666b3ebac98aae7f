"""rust-analyzer's runnables and test explorer, for clients that know those."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest
from editor_client import ANNOUNCED, Client, Plain, RefusedError
from runs_client import lsp, mailbox

from tests.support import Shared, SmallBench, small_bench

pytestmark = pytest.mark.asyncio

FILES = {
    "pytest.ini": "[pytest]\n",
    "sub/test_some.py": """\
        import pytest, time
        from pathlib import Path

        def test_passes(): ...

        def test_fails():
            assert 1 == 2

        @pytest.mark.xfail
        def test_xfails():
            assert 0

        class TestGroup:
            def test_sleeps(self):
                Path("begun").write_text("begun")
                time.sleep(1000)
        """,
}
SOME = "sub/test_some.py"


@pytest.fixture(scope="module")
def kept(shared: Shared) -> Iterator[SmallBench]:
    with small_bench(shared, FILES) as bench:
        yield bench


def explorer() -> Plain:
    return {"experimental": {"testExplorer": True}}


async def discover(client: Client, parent: str | None = None) -> list[Plain]:
    params = {} if parent is None else {"testId": parent}
    answer = await client.request("experimental/discoverTest", params)
    assert answer["scope"] == ([parent] if parent else None)
    tests: list[Plain] = answer["tests"]
    return tests


async def states(client: Client) -> tuple[dict[str, str], str]:
    """The last state of each test of a run, and what the run wrote."""
    found: dict[str, str] = {}
    output = ""
    while True:
        message = await client.message(lambda m: m.get("method", "").startswith("experimental/"))
        method, params = message["method"].partition("/")[2], message.get("params") or {}
        if method == "endRunTest":
            return found, output
        if method == "changeTestState":
            found[params["testId"].rpartition("::")[2]] = params["state"]["tag"]
        elif method == "appendOutputToRunTest":
            output += str(params)


async def test_tree_and_runs(kept: SmallBench) -> None:
    async with lsp(kept, capabilities=explorer()) as client:
        (folder,) = await discover(client)
        assert (folder["id"], folder["kind"], folder["canResolveChildren"]) == (
            "sub",
            "package",
            True,
        )
        (file,) = await discover(client, "sub")
        assert (file["kind"], file["parent"]) == ("module", "sub")
        uri = (kept.root / SOME).as_uri()
        assert file["textDocument"] == {"uri": uri}
        tests = await discover(client, SOME)
        assert [(test["label"], test["kind"]) for test in tests] == [
            ("test_passes", "test"),
            ("test_fails", "test"),
            ("test_xfails", "test"),
            ("TestGroup", "module"),
        ]
        params = {"include": [SOME], "exclude": [f"{SOME}::TestGroup"]}
        assert await client.request("experimental/runTest", params) is None
        found, output = await states(client)
        expected = {"test_passes": "passed", "test_fails": "failed", "test_xfails": "skipped"}
        assert found == expected
        assert "1 failed" in output


async def test_abort(kept: SmallBench) -> None:
    async with lsp(kept, capabilities=explorer()) as client, mailbox(kept, "begun") as begun:
        params = {"include": [f"{SOME}::TestGroup"]}
        await client.request("experimental/runTest", params)
        await begun.word()
        with pytest.raises(RefusedError, match="going on"):
            await client.request("experimental/runTest", params)
        client.notify("experimental/abortRunTest", None)
        found, _ = await states(client)
        assert found == {"test_sleeps": "started"}


async def test_changes_are_told(kept: SmallBench) -> None:
    async with lsp(kept, capabilities=explorer()) as client:
        await discover(client)
        path = kept.root / SOME
        client.open(path)
        client.change(path, "def test_only(): ...\n")
        while True:
            changed = await client.notification("experimental/discoveredTests")
            labels = [test["label"] for test in changed["tests"]]
            if "test_only" in labels:
                break
        assert {"uri": path.as_uri()} in changed["scopeFile"]


async def test_runnables_run(kept: SmallBench) -> None:
    async with lsp(kept, capabilities=ANNOUNCED) as client:
        document = {"uri": (kept.root / SOME).as_uri()}
        params: Plain = {"textDocument": document}
        found = await client.request("experimental/runnables", params)
        assert [one["label"].rpartition("::")[2] for one in found][1:] == [
            "test_passes",
            "test_fails",
            "test_xfails",
            "TestGroup",
            "test_sleeps",
        ]
        params["position"] = {"line": 6, "character": 4}
        innermost, file = await client.request("experimental/runnables", params)
        assert file["label"] == f"pytest {SOME}"
        assert innermost["location"]["targetRange"]["start"]["line"] == 5
        args = innermost["args"]
        command = [args["program"], *args["args"]]
        done = subprocess.run(command, cwd=args["cwd"], env=kept.env, capture_output=True)
        assert done.returncode == 1
        with contextlib.suppress(RefusedError):
            await client.request("experimental/runnables", {"textDocument": {"uri": "x:y"}})
        with pytest.raises(RefusedError, match="textDocument"):
            await client.request("experimental/runnables", {})
