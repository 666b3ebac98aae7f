"""What happens by itself while an editor looks on: collecting, running again, nothing."""

from __future__ import annotations

import pytest
from editor_client import Client, RefusedError
from runs_client import Make, follow, lsp, run

from tests.support import SLOW

pytestmark = pytest.mark.asyncio


FOLLOWED = {
    "helper.py": "NUMBERS = [1, 2]\n",
    "test_follows.py": f"""\
        import {SLOW}, pytest
        from helper import NUMBERS

        @pytest.mark.parametrize("n", [n + 0 for n in NUMBERS])
        def test_it(n): ...
        """,
    "test_other.py": "def test_other(): ...\n",
}


async def cases(client: Client, *wanted: str) -> None:
    """Wait until the tree has just these cases."""
    while True:
        found = {item["label"] for item in await client.tree() if item["kind"] == "case"}
        if found == set(wanted):
            return
        await client.changed()


async def test_tree_becomes_exact_by_itself(make: Make) -> None:
    bench = make(FOLLOWED)
    async with lsp(bench) as client:
        await cases(client, "1", "2")
        tree = {item["id"]: item for item in await client.tree()}
        assert not any(item["dynamic"] for item in tree.values())
        case, function = tree["test_follows.py::test_it[1]"], tree["test_follows.py::test_it"]
        assert (case["parent"], case["range"]) == (function["id"], function["range"])
        # Nobody has begun a run, and nothing of all this is one for editors.
        bench.write({"helper.py": "NUMBERS = [1, 2, 3]\n"})
        await cases(client, "1", "2", "3")
        bench.write({"helper.py": "1 / 0\n"})
        while not (broken := [item for item in await client.tree() if "error" in item]):
            await client.changed()
        assert [item["id"] for item in broken] == ["test_follows.py"]
        assert "ZeroDivisionError" in broken[0]["error"]
        bench.write({"helper.py": "NUMBERS = [4]\n"})
        await cases(client, "4")
        methods = {message.get("method") for message in client.received}
        assert "fastcollect/runStarted" not in methods


async def test_continuous_run(make: Make) -> None:
    bench = make(FOLLOWED)
    async with lsp(bench) as client:
        _, seen = await run(client, "c", continuous=True)
        assert len(seen.states) == 3
        await client.notification("fastcollect/runStarted")
        bench.write({"helper.py": "NUMBERS = [7]\n"})
        started = await client.notification("fastcollect/runStarted")
        assert started["origin"] == "watch" and started["runId"].startswith("c/")
        seen = await follow(client, started["runId"])
        assert seen.states == {"test_it[7]": "passed"}
        assert await client.request("fastcollect/cancelRun", {"runId": "c"}) is True
        assert await client.request("fastcollect/cancelRun", {"runId": "c"}) is False


async def test_results_are_outdated_by_what_is_imported(make: Make) -> None:
    bench = make(FOLLOWED)
    async with lsp(bench) as client:
        bench.write({"helper.py": "NUMBERS = [7]\n"})
        outdated = await client.notification("fastcollect/outdated")
        assert outdated == {"uris": [(bench.root / "test_follows.py").as_uri()]}


async def test_nothing_is_imported_static_only(make: Make) -> None:
    bench = make({"test_marks.py": "open('imported', 'w').close()\ndef test_it(): ...\n"})
    async with lsp(bench, option="--static-only") as client:
        assert any(item["id"] == "test_marks.py::test_it" for item in await client.tree())
        with pytest.raises(RefusedError, match="static only"):
            await run(client)
        assert bench.status()["checkpoints"] == [] or not (bench.root / "imported").exists()
        assert not (bench.root / "imported").exists()
