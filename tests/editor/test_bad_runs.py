"""Bad requests about runs: a clear error to who asked; others, and what they run, go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from editor_client import ANNOUNCED, Client, Plain, RefusedError
from runs_client import Make, follow, lsp, mailbox, run, started

from tests.support import Shared, SmallBench, small_bench

pytestmark = pytest.mark.asyncio

INVALID_PARAMS, REQUEST_FAILED = -32602, -32803

NAME = "test_some.py"
FILES = {
    "pytest.ini": "[pytest]\n",
    NAME: """\
        from pathlib import Path
        import time

        def test_passes(): ...

        def test_sleeps():
            Path("begun").write_text("begun")
            time.sleep(1000)
        """,
}


@pytest.fixture(scope="module")
def kept(shared: Shared) -> Iterator[SmallBench]:
    with small_bench(shared, FILES) as bench:
        yield bench


async def refusal(client: Client, method: str, params: Plain) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        await client.request(method, params)
    return refused.value


WRONG: list[Plain] = [
    {"runId": "w", "kind": "nonsense"},
    {"runId": 5, "kind": "run"},
    {"kind": "run"},
    {"runId": "w", "kind": "run", "include": 3},
    {"runId": "w", "kind": "run", "include": [1]},
    {"runId": "w", "kind": "run", "include": ["--version"]},
    {"runId": "w", "kind": "run", "exclude": [""]},
    {"runId": "w", "kind": "run", "include": ["a\0b"]},
    {"runId": "w", "kind": "run", "args": "-x"},
    {"runId": "w", "kind": "run", "continuous": "yes"},
]


async def test_refused_while_another_editor_s_run_goes_on(kept: SmallBench) -> None:
    async with lsp(kept) as client, lsp(kept) as other, mailbox(kept, "begun") as begun:
        params: Plain = {"runId": "o", "kind": "run", "include": [f"{NAME}::test_sleeps"]}
        await other.request("fastcollect/runTests", params)
        await begun.word()
        for wrong in WRONG:
            assert (await refusal(client, "fastcollect/runTests", wrong)).code == INVALID_PARAMS
        again = await refusal(client, "fastcollect/runTests", params)
        assert (again.code, again.message) == (REQUEST_FAILED, "a run 'o' is going on already")
        assert await client.request("fastcollect/cancelRun", {"runId": "nothing"}) is False
        missing = await refusal(client, "fastcollect/coverage", {"runId": "nothing"})
        assert missing.code == REQUEST_FAILED
        assert "nothing" in missing.message
        wrong = {"include": ["-x"], "kind": "run"}
        assert (await refusal(client, "fastcollect/resolveRun", wrong)).code == INVALID_PARAMS
        # What is wrong with ids, pytest says.
        for run_id, gone in (("a", "test_gone.py::test_x"), ("b", f"{NAME}::test_gone")):
            _, seen = await run(client, run_id, include=[gone])
            assert seen.of("ended")[0]["exit"] == 4
            assert "not found" in "".join(event["value"] for event in seen.of("output"))
        assert await other.request("fastcollect/cancelRun", {"runId": "o"}) is True
        seen = await follow(other, "o")
        assert [event["id"] for event in seen.of("started")] == [f"{NAME}::test_sleeps"]
        assert seen.of("ended")[0]["exit"] == 2


async def test_test_that_was_deleted(make: Make) -> None:
    bench = make(FILES)
    async with lsp(bench) as client:
        nodeid = f"{NAME}::test_passes"
        assert nodeid in await client.ids()
        (bench.root / NAME).write_text("def test_other(): ...\n")
        _, seen = await run(client, "a", include=[nodeid])
        assert seen.of("ended")[0]["exit"] == 4
        params = {"command": "fastcollect.run", "arguments": [nodeid]}
        client.notify("workspace/didChangeWatchedFiles", {"changes": []})
        while nodeid in await client.ids():
            await client.changed()
        refused = await refusal(client, "workspace/executeCommand", params)
        assert refused.code == REQUEST_FAILED
        assert "no such test" in refused.message
        _, seen = await run(client, "c", include=[f"{NAME}::test_other"])
        assert seen.states == {"test_other": "passed"}


async def test_before_it_has_said_initialized(kept: SmallBench) -> None:
    async with started(kept, str(kept.project.python)) as client:
        params = {"processId": None, "rootUri": None, "capabilities": ANNOUNCED}
        await client.request("initialize", params)
        assert f"{NAME}::test_passes" in await client.ids()
        include = [f"{NAME}::test_passes"]
        answer = await client.request(
            "fastcollect/runTests", {"runId": "early", "kind": "run", "include": include}
        )
        assert answer["enqueued"] == include
        client.notify("initialized", {})
        _, seen = await run(client, "later", include=include)
        assert seen.states == {"test_passes": "passed"}


async def test_five_roots(kept: SmallBench, tmp_path: Path) -> None:
    """A server has one; it is asked about that, whatever else the client has open."""
    roots = [kept.root, *(tmp_path / f"root-{n}" for n in range(4))]
    for root in roots[1:]:
        root.mkdir()
        (root / "test_elsewhere.py").write_text("def test_elsewhere(): ...\n")
    folders = [{"uri": root.as_uri(), "name": root.name} for root in roots]
    async with started(kept, str(kept.project.python)) as client:
        params = {"processId": None, "rootUri": roots[1].as_uri(), "capabilities": ANNOUNCED}
        await client.request("initialize", {**params, "workspaceFolders": folders})
        client.notify("initialized", {})
        assert {item["uri"] for item in await client.tree()} == {(kept.root / NAME).as_uri()}
        change = {"added": [], "removed": folders[:1]}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": change})
        _, seen = await run(client, include=[f"{NAME}::test_passes"])
        assert seen.states == {"test_passes": "passed"}


async def test_workspace_without_python(make: Make) -> None:
    bench = make({"README.md": "nothing here\n"})
    async with lsp(bench) as client:
        assert await client.tree() == []
        _, seen = await run(client)
        assert seen.of("ended")[0]["exit"] == 5


@pytest.mark.parametrize("missing", ["pytest", "plugin"])
async def test_interpreter_without(missing: str, make: Make, tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("raise ImportError('No module named pytest')\n")
    without = {
        "pytest": ("PYTHONPATH", str(tmp_path)),
        "plugin": ("PYTEST_ADDOPTS", "-p no:fastcollect"),
    }
    name, value = without[missing]
    bench = make(FILES, **{name: value})
    async with lsp(bench) as client:
        assert f"{NAME}::test_passes" in await client.ids()
        _, seen = await run(client, include=[f"{NAME}::test_passes"])
        (end,) = seen.of("ended")
        assert end["reason"] == "pytest ran without the plugin fastcollect: see the run's output"
        said = "".join(event["value"] for event in seen.of("output") if "id" not in event)
        assert ("No module named pytest" if missing == "pytest" else "1 passed") in said
        assert (await client.request("fastcollect/status"))["tests"] == 2


@pytest.mark.long
async def test_two_interpreters(kept: SmallBench, tmp_path: Path) -> None:
    """Each has its own server of one root, at the same time."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    place = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    python = str(environment / "bin" / "python")
    theirs, ours = (
        subprocess.run([one, *place], check=True, capture_output=True, text=True).stdout.strip()
        for one in (sys.executable, python)
    )
    Path(ours, "all.pth").write_text(f"import site; site.addsitedir({theirs!r})\n")
    (environment / "bin" / "pytest").write_text(
        f"#!{python}\nimport sys\nfrom pytest import console_main\nsys.exit(console_main())\n"
    )
    (environment / "bin" / "pytest").chmod(0o755)
    async with started(kept, str(kept.project.python)) as one, started(kept, python) as other:
        pids = set()
        for client in (one, other):
            await client.initialize(ANNOUNCED)
            assert f"{NAME}::test_passes" in await client.ids()
            pids.add((await client.request("fastcollect/status"))["pid"])
            _, seen = await run(client, include=[f"{NAME}::test_passes"])
            assert seen.states == {"test_passes": "passed"}
        assert len(pids) == 2
    subprocess.run([python, "-m", "fastcollect_lsp", "stop"], cwd=kept.root, env=kept.env)


async def test_packages_that_are_missing(make: Make, tmp_path: Path) -> None:
    hide = 'import sys\nsys.modules.update({"coverage": None, "debugpy": None})\n'
    (tmp_path / "sitecustomize.py").write_text(hide)
    bench = make(FILES, PYTHONPATH=str(tmp_path))
    async with lsp(bench) as client:
        for kind, package in (("debug", "debugpy"), ("coverage", "coverage")):
            params: Plain = {"runId": kind, "kind": kind, "include": [f"{NAME}::test_passes"]}
            refused = await refusal(client, "fastcollect/runTests", params)
            said = f"{package} is not installed in this environment: pip install {package}"
            assert (refused.code, refused.message) == (REQUEST_FAILED, said)
        _, seen = await run(client, include=[f"{NAME}::test_passes"])
        assert seen.states == {"test_passes": "passed"}
