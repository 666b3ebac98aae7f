"""How long an editor waits for small answers while the server has much to do.

    .venv/bin/python benchmarks/editor_latency.py [--tests 10000]

A project of that many tests in files of 20; a real `fastcollect lsp`, over its pipes. Requests for
the symbols and the lenses of one small file are sent one after another, while nothing happens;
while other editors come and are pushed the whole tree; and while the whole suite runs. Then
`discoverTests` of 30,000 cases, one level at a time, and runs of one test in a project whose test
imports what takes its time: from `runTests` to the event `started`, and from the last outcome to
`ended`. Times in ms.

    .venv/bin/python benchmarks/editor_latency.py --runs-of DIR --test ID...

The runs alone, in a project that is there: of tests in turn, and of the first one again and again.
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
async def editor(
    root: Path, env: dict[str, str], capabilities: dict[str, Any] = CAPABILITIES
) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fastcollect_lsp", "lsp", cwd=root, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=256 << 20,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    client = Client(process.stdout, process.stdin)
    await client.initialize(capabilities)
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
    cells = [f"{cuts[at]:.1f}" for at in (49, 94, 98)] + [f"{max(found):.1f}"]
    print(f"| {what} | {len(found)} | {' | '.join(cells)} |", flush=True)


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
        # One that is pushed no trees: parsing them would hold up this process, not the server.
        quiet = {name: what for name, what in CAPABILITIES.items() if name != "experimental"}
        async with editor(root, env, quiet) as client:
            await client.request("fastcollect/discoverTests", {"depth": 1})
            print("\n| while | requests | p50 | p95 | p99 | max |\n|---|---|---|---|---|---|")
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


HEAVY = "asyncio, concurrent.futures, decimal, email.message, http.client, sqlite3, unittest.mock"
"""What stands for the libraries of a project, where none is named."""


async def timed_run(client: Client, number: int, test: str) -> tuple[str, float, float, float]:
    """How one run was served, and when it was started, had an outcome, had ended."""
    began = time.perf_counter()
    params = {"runId": f"run-{number}", "kind": "run", "include": [test]}
    answer = asyncio.ensure_future(client.request("fastcollect/runTests", params))
    times: dict[str, float] = {}
    while "ended" not in times:
        progress = await client.notification("fastcollect/runProgress")
        now = (time.perf_counter() - began) * 1000
        if progress["runId"] == f"run-{number}":
            for event in progress["events"]:
                times.setdefault(event["event"], now)
    outcomes = times.keys() & {"passed", "failed", "skipped"}
    if not outcomes:
        raise SystemExit(f"{test} was not run")
    outcome = min(times[name] for name in outcomes)
    return (await answer)["served"], times["started"], outcome, times["ended"] - outcome


async def runs(env: dict[str, str], root: Path, tests: list[str], rounds: int = 15) -> None:
    """Tests in turn, each for the first time in its session; then one of them again and again."""
    columns = "served | request to `started` | to its outcome | outcome to `ended`"
    print(f"\n| runs of one test | {columns} |")
    print("|---|---|---|---|---|")
    async with editor(root, env) as client:
        await client.tree()
        await timed_run(client, 0, tests[0])
        await warm(root, env)
        number = 0
        for what, again in (("in turn", False), ("repeated", True)):
            found: dict[str, list[tuple[float, float, float]]] = {}
            for round_ in range(rounds):
                number += 1
                test = tests[0] if again else tests[round_ % len(tests)]
                served, *times = await timed_run(client, number, test)
                found.setdefault(served, []).append((times[0], times[1], times[2]))
                await warm(root, env)
            for served, rows in sorted(found.items()):
                by_kind = [sorted(times) for times in zip(*rows, strict=True)]
                cells = [f"{statistics.median(c):.0f} ({c[0]:.0f} to {c[-1]:.0f})" for c in by_kind]
                print(f"| {what} ({len(rows)}) | {served} | {' | '.join(cells)} |", flush=True)


PLAIN = "asyncio pytest_lsp pytest-lsp hypothesispytest rerunfailures xdist xdist.looponfail"
"""Plugins of the environment for development, which most projects do not have all of."""


async def runs_of_our_own(env: dict[str, str]) -> None:
    env = {**env, "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in PLAIN.split())}
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        root = Path(directory).resolve()
        (root / "pytest.ini").write_text("[pytest]\n")
        functions = "".join(f"def test_{n}(): pass\n" for n in range(20))
        for name in ("a", "b", "c"):
            (root / f"test_{name}.py").write_text(f"import {HEAVY}\n\n{functions}")
        tests = [f"test_{name}.py::test_{n}" for n in range(20) for name in ("a", "b", "c")]
        await runs(env, root, tests)
        await stop(root, env)


async def warm(root: Path, env: dict[str, str]) -> None:
    """Wait until what has been run can be run again at once."""
    command = [sys.executable, "-m", "fastcollect_lsp", "status", "--wait", "30", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=root, env=env, stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()


async def stop(root: Path, env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "fastcollect_lsp", "stop"]
    process = await asyncio.create_subprocess_exec(*command, cwd=root, env=env)
    await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--runs-of", type=Path, help="a project that is there")
    parser.add_argument("--test", nargs="+", help="node ids of tests in it")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(WORK[options.work](options.root, dict(os.environ)))
        return
    tests = options.tests
    with tempfile.TemporaryDirectory(prefix="fc-") as directory:
        env = {**os.environ, "FASTCOLLECT_DIR": directory, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
        if options.runs_of is not None:
            asyncio.run(runs(env, options.runs_of.resolve(), options.test))
            asyncio.run(stop(options.runs_of.resolve(), env))
            return
        asyncio.run(runs_of_our_own(env))
        asyncio.run(responsiveness(tests, env))
        asyncio.run(lazy_discovery(env))


if __name__ == "__main__":
    main()
