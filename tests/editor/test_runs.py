"""Runs through the real server: `fastcollect lsp`, a real pytest, its events."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from editor_client import HANG
from runs_client import Make, follow, lsp, mailbox, run

from tests.sampling import sampled
from tests.support import SLOW, SmallBench, ended

pytestmark = pytest.mark.asyncio


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


async def test_a_repeated_native_run_appears(bench: SmallBench) -> None:
    """Also where a session was collected ahead of time for it, before anybody looked on."""
    native = str(Path(sys.executable).parent / "fastcollect")
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}

    async def repeat() -> int:
        process = await asyncio.create_subprocess_exec(
            native, "run", "test_states.py::test_passes", cwd=bench.root, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return await asyncio.wait_for(process.wait(), HANG)

    for _ in range(3):
        assert await repeat() == 0
        await asyncio.to_thread(bench.wait_until_warm)
    assert bench.status()["last_run"]["served"] == "collected"
    async with lsp(bench) as client:
        terminal = asyncio.ensure_future(repeat())
        started = await client.notification("fastcollect/runStarted")
        seen = await follow(client, started["runId"])
        assert seen.states == {"test_passes": "passed"}
        assert await terminal == 0


async def test_repeated_runs_go_on_with_a_session(bench: SmallBench) -> None:
    """It was collected before anybody could report; all is told as by the first run."""
    include = ["test_states.py"]
    async with lsp(bench) as client:
        _, first = await run(client, "first", include=include)
        await asyncio.to_thread(bench.wait_until_warm)
        answer, again = await run(client, "again", include=include)
        assert answer["served"] == "collected"
        assert again.states == first.states
        assert again.of("ended") == first.of("ended")
        assert len(again.of("enqueued")) == len(first.of("enqueued")) > 10
        message = again.failure("test_fails")
        assert (message["expected"], message["actual"]) == ("[1, 3]", "[1, 2]")
        assert message == first.failure("test_fails")
        said = [event["value"] for event in again.of("output") if event.get("id")]
        assert said == ["said by a test\r\n"]
        excluded = "test_states.py::test_cases"
        answer, seen = await run(client, "less", include=include, exclude=[excluded])
        assert answer["served"] == "warm"
        assert seen.states.items() < first.states.items()
        # A terminal's repeated run is one as well, though an editor looks on.
        loop = asyncio.get_running_loop()
        for _ in range(2):
            terminal = loop.run_in_executor(None, bench.pytest, "test_states.py::test_fails", "-q")
            started = await client.notification("fastcollect/runStarted")
            while started["origin"] != "terminal":
                started = await client.notification("fastcollect/runStarted")
            seen = await follow(client, started["runId"])
            assert seen.states == {"test_fails": "failed"}
            assert "assert [1, 2] == [1, 3]" in (await terminal).output
            await asyncio.to_thread(bench.wait_until_warm)
        assert bench.status()["last_run"]["served"] == "collected"


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
            Path("begun").write_text("begun")
            time.sleep(1000)

        def test_deaf():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
            Path("begun").write_text(f"{{os.getpid()}} {{child.pid}}")
            child.wait()

        def test_killed():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
}


async def test_cancel(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client, mailbox(bench, "begun") as begun:
        params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_sleeps"]}
        await client.request("fastcollect/runTests", params)
        await begun.word()
        assert await client.request("fastcollect/cancelRun", {"runId": "a"}) is True
        seen = await follow(client, "a")
        assert seen.of("ended")[0]["exit"] == 2
        assert (bench.root / "torn-down").exists()
        assert await client.request("fastcollect/cancelRun", {"runId": "a"}) is False


async def test_cancel_of_what_does_not_listen(make: Make) -> None:
    bench = make(SLEEPS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client, mailbox(bench, "begun") as begun:
        params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_deaf"]}
        await client.request("fastcollect/runTests", params)
        pids = [int(pid) for pid in (await begun.word()).split()]
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
        async with lsp(bench) as client, mailbox(bench, "begun") as begun:
            params = {"runId": "a", "kind": "run", "include": ["test_sleeps.py::test_sleeps"]}
            await client.request("fastcollect/runTests", params)
            await begun.word()
        seen = await follow(other, "a")
        assert seen.of("ended")[0]["exit"] == 2
        assert (bench.root / "torn-down").exists()


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


@pytest.mark.parametrize("distributed", sampled([False, True], 1), ids=["one process", "xdist"])
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


ENDS = {
    "test_ends.py": f"""\
        import {SLOW}
        from dataclasses import dataclass
        import pytest

        @dataclass
        class Point:
            x: int
            y: int

        def test_texts():
            assert "one\\ntwo" == "one\\nthree"

        def test_objects():
            assert Point(1, 2) == Point(1, 3)

        def test_exits():
            pytest.exit("enough", returncode=7)

        def test_never(): ...
        """,
}


async def test_exit_and_both_sides(make: Make) -> None:
    bench = make(ENDS)
    bench.warm_up("--collect-only")
    async with lsp(bench) as client:
        answer, seen = await run(client)
        assert answer["served"] == "warm"
        assert seen.states == {"test_texts": "failed", "test_objects": "failed"}
        assert seen.of("ended")[0]["exit"] == bench.cold().exit == 7
        texts, objects = seen.failure("test_texts"), seen.failure("test_objects")
        assert (texts["actual"], texts["expected"]) == ("one\ntwo", "one\nthree")
        assert (objects["actual"], objects["expected"]) == ("Point(x=1, y=2)", "Point(x=1, y=3)")
        assert [frame["label"] for frame in objects["stack"]] == ["test_objects"]


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
