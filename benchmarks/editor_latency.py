"""How long an editor waits for small answers while the server has much to do.

    .venv/bin/python benchmarks/editor_latency.py [--tests 10000]

A project of that many tests in files of 20; a real `fastcollect lsp`, over its pipes. Requests for
the symbols and the lenses of one small file are sent one after another, while nothing happens;
while other editors come and are pushed the whole tree; and while the whole suite runs. Then
`discoverTests` of 30,000 cases, one level at a time. Times in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / "editor")]
from editor_client import ANNOUNCED, Client  # noqa: E402

CAPABILITIES = {
    **ANNOUNCED,
    "window": {"workDoneProgress": True},
    "workspace": {"codeLens": {"refreshSupport": True}},
}
IN_A_FILE = 20


def write_project(root: Path, tests: int) -> None:
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_small.py").write_text(
        "def test_one(): ...\n\nclass TestTwo:\n    def test_in(self): ...\n"
    )
    for number in range(tests // IN_A_FILE):
        folder = root / f"sub_{number % 10}"
        folder.mkdir(exist_ok=True)
        functions = "".join(f"def test_{n}(): pass\n" for n in range(IN_A_FILE))
        (folder / f"test_{number}.py").write_text(functions)


@contextlib.asynccontextmanager
async def editor(root: Path, env: dict[str, str]) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fastcollect_lsp", "lsp", cwd=root, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=256 << 20,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    client = Client(process.stdout, process.stdin)
    await client.initialize(CAPABILITIES)
    answering = asyncio.create_task(answer_requests(client))
    try:
        yield client
    finally:
        answering.cancel()
        await client.close()
        await process.wait()


async def answer_requests(client: Client) -> None:
    """Agree to whatever the server asks, as editors do."""
    while True:
        message = await client.message(lambda m: "id" in m)
        client.send({"jsonrpc": "2.0", "id": message["id"], "result": None})


async def latencies(client: Client, root: Path, until: Callable[[], bool]) -> list[float]:
    """Milliseconds of each request, one at a time, until something is over."""
    document = {"textDocument": {"uri": (root / "test_small.py").as_uri()}}
    found: list[float] = []
    while not until() or len(found) < 200:
        for method in ("textDocument/documentSymbol", "textDocument/codeLens"):
            began = time.perf_counter()
            answer = await client.request(method, document)
            found.append((time.perf_counter() - began) * 1000)
            assert answer, method
        client.received[:] = [m for m in client.received if "id" in m]
        await asyncio.sleep(0.005)
    return found


def show(what: str, found: list[float]) -> None:
    cuts = statistics.quantiles(found, n=100)
    print(
        f"| {what} | {len(found)} | {cuts[49]:.1f} | {cuts[94]:.1f} | {max(found):.1f} |",
        flush=True,
    )


async def during(client: Client, root: Path, work: Awaitable[Any]) -> list[float]:
    """Latencies while some work goes on."""
    task = asyncio.ensure_future(work)
    found = await latencies(client, root, task.done)
    await task
    return found


async def push_trees(root: Path, env: dict[str, str]) -> None:
    """Other editors come, and get the whole tree."""
    for _ in range(10):
        async with editor(root, env) as other:
            await other.changed()


async def run_everything(root: Path, env: dict[str, str]) -> None:
    """Another editor runs the whole suite."""
    async with editor(root, env) as client:
        params = {"runId": "all", "kind": "run"}
        await client.request("fastcollect/runTests", params)
        while True:
            progress = await client.notification("fastcollect/runProgress")
            if progress["events"][-1]["event"] == "ended":
                return


WORK = {"push": push_trees, "run": run_everything}


async def elsewhere(work: str, root: Path, env: dict[str, str]) -> None:
    """Do some of this in another process: what those editors parse must not hold up this one."""
    command = [sys.executable, __file__, "--work", work, "--root", str(root)]
    process = await asyncio.create_subprocess_exec(*command, env=env)
    assert await process.wait() == 0


async def responsiveness(tests: int, env: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        root = Path(directory).resolve()
        write_project(root, tests)
        async with editor(root, env) as client:
            await client.tree()
            print("| while | requests | p50 | p95 | max |\n|---|---|---|---|---|")
            show("nothing happens", await latencies(client, root, lambda: True))
            show(
                f"{tests:,} items are pushed",
                await during(client, root, elsewhere("push", root, env)),
            )
            show(f"{tests:,} tests run", await during(client, root, elsewhere("run", root, env)))
        await stop(root, env)


async def lazy_discovery(env: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        root = Path(directory).resolve()
        (root / "pytest.ini").write_text("[pytest]\n")
        for number in range(30):
            text = (
                "import pytest\n\n@pytest.mark.parametrize('n', range(1000))\ndef test_it(n): ...\n"
            )
            (root / f"test_{number}.py").write_text(text)
        async with editor(root, env) as client:
            everything = await client.tree()
            cases = sum(item["kind"] == "case" for item in everything)
            print(f"\n| discoverTests of {cases:,} cases | items | ms |\n|---|---|---|")
            for what, params in (
                ("depth 1", {"depth": 1}),
                ("depth 2", {"depth": 2}),
                ("of one file", {"parent": "test_7.py", "depth": 1}),
                ("everything", {}),
            ):
                took = []
                for _ in range(5):
                    began = time.perf_counter()
                    tests = (await client.request("fastcollect/discoverTests", params))["tests"]
                    took.append((time.perf_counter() - began) * 1000)
                print(f"| {what} | {len(tests):,} | {statistics.median(took):.1f} |")
        await stop(root, env)


async def stop(root: Path, env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "fastcollect_lsp", "stop"]
    process = await asyncio.create_subprocess_exec(*command, cwd=root, env=env)
    await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(WORK[options.work](options.root, dict(os.environ)))
        return
    tests = options.tests
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        env = {**os.environ, "FASTCOLLECT_DIR": directory, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
        asyncio.run(responsiveness(tests, env))
        asyncio.run(lazy_discovery(env))


if __name__ == "__main__":
    main()
