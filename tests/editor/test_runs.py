"""Runs through the real server: `fastcollect lsp`, a real pytest, its events."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from editor_client import ANNOUNCED, HANG, Client, Plain, RefusedError

from fastcollect_lsp.editor.framing import frame, read_frame
from tests.support import SLOW, Shared, SmallBench, ended, small_bench

pytestmark = pytest.mark.asyncio

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

STATES = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_skipped": "skipped",
    "test_xfails": "xfailed",
    "test_xpasses": "xpassed",
    "test_xpasses_strictly": "failed",
    "test_setup_error": "errored",
    "test_teardown_error": "errored",
    "test_cases[1]": "passed",
    "test_cases[2]": "failed",
    "TestGroup::test_inside": "passed",
}


@contextlib.asynccontextmanager
async def lsp(
    bench: SmallBench, option: str = "--stdio", capabilities: Plain | None = None
) -> AsyncIterator[Client]:
    """`fastcollect lsp` in a project, and a client that is ready."""
    process = await asyncio.create_subprocess_exec(
        str(bench.project.python),
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
        await client.initialize(ANNOUNCED if capabilities is None else capabilities)
        await client.tree()
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


async def test_states_of_a_whole_run(bench: SmallBench) -> None:
    async with lsp(bench) as client:
        answer, seen = await run(client)
        assert answer == {"enqueued": "all", "served": "warm"}
        started = await client.notification("fastcollect/runStarted")
        assert (started["runId"], started["origin"]) == ("1", "editor")
        # A broken file ends the collection, as in a terminal.
        assert seen.states == {"test_broken.py": "errored"}
        assert seen.of("ended") == [{"event": "ended", "exit": 2}]
        _, seen = await run(client, "2", include=["test_states.py"])
        assert seen.states == STATES
        assert seen.of("ended") == [{"event": "ended", "exit": 1}]
        assert {e["id"] for e in seen.of("enqueued")} == {f"test_states.py::{n}" for n in STATES}
        outputs = {e.get("id"): e["value"] for e in seen.of("output")}
        assert outputs["test_states.py::test_passes"] == "said by a test\r\n"
        failure = seen.failure("test_fails")
        assert (failure["expected"], failure["actual"]) == ("[1, 3]", "[1, 2]")
        assert failure["location"]["uri"] == (bench.root / "test_states.py").as_uri()
        assert failure["location"]["range"]["start"]["line"] == 8
        assert [frame["label"] for frame in failure["stack"]] == ["test_fails"]


async def test_mixed_selection(bench: SmallBench) -> None:
    async with lsp(bench) as client:
        include = ["test_states.py::TestGroup", "test_states.py::test_cases"]
        answer, seen = await run(client, include=include, exclude=["test_states.py::test_cases[2]"])
        assert answer["enqueued"] == include
        assert seen.states == {"test_cases[1]": "passed", "TestGroup::test_inside": "passed"}
        assert seen.of("ended")[0]["exit"] == 0


async def test_terminal_runs_appear(bench: SmallBench) -> None:
    async with lsp(bench) as client:
        loop = asyncio.get_running_loop()
        terminal = loop.run_in_executor(None, bench.pytest, "test_states.py::test_fails", "-q")
        started = await client.notification("fastcollect/runStarted")
        assert started["origin"] == "terminal"
        assert started["args"][:2] == ["test_states.py::test_fails", "-q"]
        seen = await follow(client, started["runId"])
        assert seen.states == {"test_fails": "failed"}
        assert (await terminal).exit == 1


async def test_what_is_measured_is_seen_though_cold(bench: SmallBench) -> None:
    async with lsp(bench) as client:
        loop = asyncio.get_running_loop()
        args = ("test_states.py::test_passes", "--assert=plain")
        terminal = loop.run_in_executor(None, bench.pytest, *args)
        started = await client.notification("fastcollect/runStarted")
        seen = await follow(client, started["runId"])
        assert seen.states == {"test_passes": "passed"}
        assert (await terminal).exit == 0


SLEEPS = {
    "test_sleeps.py": f"""\
        import {SLOW}, os, signal, subprocess, sys, time
        from pathlib import Path
        import pytest

        @pytest.fixture
        def cleaned():
            yield
            Path("torn-down").touch()

        def test_sleeps(cleaned):
            Path("begun").touch()
            time.sleep(1000)

        def test_deaf():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
            Path("pids").write_text(f"{{os.getpid()}} {{child.pid}}")
            child.wait()

        def test_killed():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
}


async def appear(bench: SmallBench, name: str) -> str:
    """Wait for a file that a test writes."""
    path = bench.root / name
    while not path.exists() or (name == "pids" and not path.read_text()):
        await asyncio.sleep(0.02)
    return path.read_text()


async def test_cancel(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client:
        params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_sleeps"]}
        await client.request("fastcollect/runTests", params)
        await appear(bench, "begun")
        assert await client.request("fastcollect/cancelRun", {"runId": "a"}) is True
        seen = await follow(client, "a")
        assert seen.of("ended")[0]["exit"] == 2
        assert (bench.root / "torn-down").exists()
        assert await client.request("fastcollect/cancelRun", {"runId": "a"}) is False


async def test_cancel_of_what_does_not_listen(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client:
        params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_deaf"]}
        await client.request("fastcollect/runTests", params)
        pids = [int(pid) for pid in (await appear(bench, "pids")).split()]
        await client.request("fastcollect/cancelRun", {"runId": "a"})
        seen = await follow(client, "a")
        assert "killed" in seen.of("ended")[0]["reason"]
        assert all(ended(pid) for pid in pids)


async def test_run_that_is_killed(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client:
        _, seen = await run(client, include=["test_sleeps.py::test_killed"])
        assert seen.of("ended")[0]["exit"] == -9


async def test_editor_that_goes_takes_its_runs_along(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as other:
        async with lsp(bench) as client:
            params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_sleeps"]}
            await client.request("fastcollect/runTests", params)
            await appear(bench, "begun")
        seen = await follow(other, "a")
        assert seen.of("ended")[0]["exit"] == 2
        assert (bench.root / "torn-down").exists()


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


COVERED = {
    ".coveragerc": "[run]\nomit = */slow_to_import.py\n",
    "code.py": "",
    "covered.py": """\
        def sign(n):
            if n < 0:
                return -1
            return 1


        def unused():
            return 0
        """,
    "test_covered.py": """\
        import pytest
        from covered import sign

        def test_positive():
            assert sign(3) == 1

        @pytest.mark.parametrize("n", [-1])
        def test_negative(n):
            assert sign(n) == -1
        """,
}


@pytest.mark.parametrize("args", [[], ["-n2"]], ids=["alone", "xdist"])
async def test_coverage(make: Make, args: list[str]) -> None:
    pytest.importorskip("coverage")
    bench = make(COVERED, PYTEST_ADDOPTS="-p no:asyncio" if args else "-p no:xdist")
    async with lsp(bench) as client:
        answer, seen = await run(client, "v", kind="coverage", args=args)
        assert answer["served"] == "cold"
        assert seen.of("ended") == [{"event": "ended", "exit": 0}]
        result = await client.request("fastcollect/coverage", {"runId": "v"})
        files = {file["uri"].rpartition("/")[2]: file for file in result["files"]}
        assert set(files) == {"covered.py", "test_covered.py"}
        assert files["covered.py"]["statements"] == {"covered": 5, "total": 6}
        assert files["covered.py"]["branches"] == {"covered": 2, "total": 2}
        assert files["covered.py"]["declarations"] == {"covered": 1, "total": 2}
        negative = "test_covered.py::test_negative[-1]"
        assert files["covered.py"]["tests"] == [negative, "test_covered.py::test_positive"]
        uri = (bench.root / "covered.py").as_uri()
        params = {"runId": "v", "uri": uri, "testId": negative}
        (file,) = (await client.request("fastcollect/coverage", params))["files"]
        executed = {line["line"]: line["executed"] for line in file["lines"]}
        assert executed == {1: True, 2: True, 3: False, 7: False}  # not what importing executes
        with pytest.raises(RefusedError, match="no coverage of a run 'x'"):
            await client.request("fastcollect/coverage", {"runId": "x"})


class Debugger:
    """As much of a Debug Adapter Protocol client as it takes to stop at a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._seq = 0

    def send(self, command: str, **arguments: Any) -> None:
        self._seq += 1
        message = {
            "seq": self._seq, "type": "request", "command": command, "arguments": arguments
        }  # fmt: skip
        self._writer.write(frame(orjson.dumps(message)))

    async def wait_for(self, kind: str, name: str) -> Plain:
        """The next response to a command, or event of this name."""
        while True:
            body = await asyncio.wait_for(read_frame(self._reader), HANG)
            assert body is not None
            message: Plain = orjson.loads(body)
            if message["type"] == kind and name in (message.get("command"), message.get("event")):
                return message

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_debug_stops_at_a_breakpoint(bench: SmallBench) -> None:
    pytest.importorskip("debugpy")
    async with lsp(bench) as client:
        include = ["test_states.py::test_fails"]
        params = {"runId": "d", "kind": "debug", "include": include}
        answer = await client.request("fastcollect/runTests", params)
        address = answer["debug"]
        debugger = Debugger(*await asyncio.open_connection(address["host"], address["port"]))
        debugger.send("initialize", adapterID="test")
        await debugger.wait_for("response", "initialize")
        debugger.send("attach", justMyCode=False)
        await debugger.wait_for("event", "initialized")
        source = {"path": str(bench.root / "test_states.py")}
        debugger.send("setBreakpoints", source=source, breakpoints=[{"line": 9}])
        await debugger.wait_for("response", "setBreakpoints")
        debugger.send("configurationDone")
        stopped = await debugger.wait_for("event", "stopped")
        thread = stopped["body"]["threadId"]
        debugger.send("stackTrace", threadId=thread)
        frames = (await debugger.wait_for("response", "stackTrace"))["body"]["stackFrames"]
        assert (frames[0]["name"], frames[0]["line"]) == ("test_fails", 9)
        debugger.send("continue", threadId=thread)
        seen = await follow(client, "d")
        assert seen.states == {"test_fails": "failed"}
        await debugger.close()


PLUGINS = {
    "conftest.py": """\
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(report):
            assert not any("fastcollect" in name for name in vars(report))
        """,
    "test_plugins.py": f"""\
        import {SLOW}
        from pathlib import Path
        import pytest

        def test_subtests(subtests):
            with subtests.test("first"):
                assert 1 == 2
            with subtests.test("second", n=3):
                assert "a" == "b"
            with subtests.test("third"):
                pass

        @pytest.mark.flaky(reruns=2)
        def test_rerun():
            count = Path("count")
            count.write_text(count.read_text() + "x" if count.exists() else "x")
            assert len(count.read_text()) == 3

        def test_compared():
            assert {{"a": [1]}} == {{"a": [2]}}

        def test_compared_before():
            with pytest.raises(AssertionError):
                assert 1 == 2
            assert not "empty"
        """,
}


@pytest.mark.parametrize("distributed", [False, True], ids=["one process", "xdist"])
async def test_states_that_plugins_make(make: Make, distributed: bool) -> None:
    pytest.importorskip("pytest_rerunfailures")
    pytest.importorskip("xdist")
    bench = make(PLUGINS, PYTEST_ADDOPTS="-p no:asyncio -p no:pytest-lsp")
    bench.warm_up("--collect-only")
    async with lsp(bench) as client:
        args = ["-n2", "--dist=loadfile"] if distributed else []
        _, seen = await run(client, args=args)
        assert seen.states == {
            "test_subtests": "failed",
            "test_rerun": "passed",
            "test_compared": "failed",
            "test_compared_before": "failed",
        }
        rerun = [e["id"] for e in seen.of("started") if e["id"].endswith("test_rerun")]
        assert len(rerun) == 3
        failed = [e for e in seen.of("failed") if e["id"].endswith("test_subtests")][-1]
        texts = [message["text"].partition("\n")[0] for message in failed["messages"]]
        assert texts[0] == "[first]" and texts[1].startswith("[second] (n=")
        compared = seen.failure("test_compared")
        assert (compared["actual"], compared["expected"]) == ("{'a': [1]}", "{'a': [2]}")
        assert "expected" not in seen.failure("test_compared_before")


@pytest.mark.long
async def test_no_cancel_leaves_anything(make: Make) -> None:
    """At random moments, from before pytest is there until after the last test."""
    bench = make(
        {
            "test_many.py": f"""\
                import {SLOW}, os, subprocess, sys, time
                import pytest

                @pytest.mark.parametrize("n", range(8))
                def test_it(n):
                    with open("pids", "a") as file:
                        file.write(f"{{os.getpid()}}\\n")
                    subprocess.run([sys.executable, "-c", "import time; time.sleep(0.05)"])
                """,
        }
    )
    bench.warm_up()
    rng = random.Random(1)
    async with lsp(bench) as client:
        for number in range(200):
            run_id = f"run-{number}"
            await client.request("fastcollect/runTests", {"runId": run_id, "kind": "run"})
            await asyncio.sleep(rng.random() * 0.8)
            await client.request("fastcollect/cancelRun", {"runId": run_id})
            seen = await follow(client, run_id)
            assert seen.of("ended")[0]["exit"] in (0, 2, -2), seen.of("ended")
    pids = {int(line) for line in (bench.root / "pids").read_text().split()}
    assert all(ended(pid) for pid in pids)
