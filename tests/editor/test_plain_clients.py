"""What editors without any plugin have: lenses, actions, commands, diagnostics, progress, hints.

The client is pytest-lsp's, with real editors' capabilities; server and pytest are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from lsprotocol import types
from plain_clients import PlainClient, plain_client
from pygls.exceptions import JsonRpcException

from tests.support import Shared, SmallBench, eventually, small_bench

pytestmark = pytest.mark.asyncio

PLAIN = "test_plain.py"
FILES = {
    "pytest.ini": "[pytest]\n",
    PLAIN: """\
        import pytest
        from helper import check

        def test_passes():
            print("said")

        def test_fails():
            assert 1 == 2

        class TestGroup:
            def test_inside(self):
                check(3)

            def test_skipped(self):
                pytest.skip("not today")

        @pytest.mark.parametrize("n", [1, 2])
        def test_cases(n):
            assert n == 1
        """,
    "helper.py": "def check(n):\n    if n != 4:\n        raise ValueError(f'{n} is no 4')\n",
    "test_broken.py": "import os\nimport does_not_exist\n\ndef test_never(): ...\n",
    "test_sleeps.py": """\
        import time
        from pathlib import Path

        def test_sleeps():
            Path("begun").touch()
            time.sleep(1000)
        """,
    "test_empty.py": "x = 1\n",
}
PASSES, FAILS, GROUP, INSIDE, SKIPPED, CASES = 3, 6, 9, 10, 13, 17


@pytest.fixture(scope="module")
def kept(shared: Shared) -> Iterator[SmallBench]:
    """One project and server for all tests here that change no file."""
    with small_bench(shared, FILES) as bench:
        yield bench


async def test_what_is_announced(kept: SmallBench) -> None:
    async with plain_client(kept) as client:
        assert client.capabilities.execute_command_provider is not None
        assert set(client.capabilities.execute_command_provider.commands) == {
            f"fastcollect.{name}"
            for name in (
                "run",
                "runFile",
                "runLast",
                "runFailed",
                "cancel",
                "showOutput",
                "debug",
            )
        }
        assert client.capabilities.code_lens_provider
        assert client.capabilities.code_action_provider

    def has_its_own(capabilities: types.ClientCapabilities) -> None:
        capabilities.experimental = {"commands": {"commands": ["fastcollect.debug"]}}

    async with plain_client(kept, change=has_its_own) as client:
        assert client.capabilities.execute_command_provider is not None
        assert "fastcollect.debug" not in client.capabilities.execute_command_provider.commands
        assert "Debug test_fails" in await client.actions(PLAIN, FAILS)


def takes_refreshes(capabilities: types.ClientCapabilities) -> None:
    assert capabilities.workspace is not None
    capabilities.workspace.code_lens = types.CodeLensWorkspaceClientCapabilities(True)


async def test_lenses_of_a_run(kept: SmallBench) -> None:
    async with plain_client(kept, change=takes_refreshes) as client:
        client.open(PLAIN)
        lenses = await client.lenses(PLAIN)
        assert [one for one in lenses if one[0] == INSIDE][:2] == [
            (INSIDE, "Run", [f"{PLAIN}::TestGroup::test_inside"]),
            (INSIDE, "Debug", [f"{PLAIN}::TestGroup::test_inside"]),
        ]
        assert (0, "Run file", [PLAIN]) in lenses
        (ids,) = [arguments for at, title, arguments in lenses if (at, title) == (GROUP, "Run")]
        await client.do("fastcollect.run", *ids)
        assert await client.ran(PLAIN, INSIDE, "✗") == "✗ ValueError: 3 is no 4"
        assert await client.ran(PLAIN, SKIPPED, "○") == "○ skipped"
        assert (await client.ran(PLAIN, GROUP, "✗")).startswith("✗ 1 failed, 1 skipped, ")
        await client.do("fastcollect.run", f"{PLAIN}::test_passes", f"{PLAIN}::test_cases")
        assert (await client.ran(PLAIN, PASSES, "✓")).endswith("ms")
        assert (await client.ran(PLAIN, CASES, "✗")).startswith("✗ 1 failed, 1 passed, ")
        await client.until(lambda: client.lens_refreshes)
        # Further down while typing, without being saved.
        client.edit(PLAIN, 0, "# a comment\n\n")
        assert await client.titles(PLAIN, INSIDE + 2) == ["Run", "Debug", "✗ ValueError: 3 is no 4"]


async def test_actions_at_the_cursor(kept: SmallBench) -> None:
    # Who takes no refreshes is not told when pytest has said that a file has no tests.
    async with plain_client(kept, "emacs", change=takes_refreshes) as client:
        actions = await client.actions(PLAIN, INSIDE + 1)
        assert list(actions)[:3] == ["Run test_inside", "Run TestGroup", f"Run {PLAIN}"]
        assert "Debug test_inside" not in actions  # it does not say that it could
        both = await client.actions(PLAIN, PASSES, FAILS)
        arguments = [f"{PLAIN}::test_passes", f"{PLAIN}::test_fails"]
        assert both["Run 2 tests"].arguments == arguments
        command = both["Run 2 tests"]
        await client.do(command.command, *command.arguments)
        await client.ran(PLAIN, FAILS, "✗")
        later = await client.actions(PLAIN, FAILS)
        assert "Show output of test_fails" in later
        assert any(title.startswith("Run what failed (") for title in later)

        async def no_actions() -> bool:
            return await client.actions("test_empty.py", 0) == {}

        await client.asking(no_actions, "pytest's word that a file has no tests")


async def test_failures_are_diagnostics_until_they_pass(shared: Shared) -> None:
    with small_bench(shared, FILES) as bench:
        async with plain_client(bench, "visual-studio-code") as client:
            client.open(PLAIN)
            await client.do("fastcollect.runFile", client.uri(PLAIN))
            await client.until(lambda: len(client.messages(PLAIN)) == 3, "three failures")
            assert sorted(client.messages(PLAIN)) == [
                (FAILS + 1, "assert 1 == 2"),
                (INSIDE + 1, "ValueError: 3 is no 4"),
                (CASES + 1, "assert 2 == 1"),
            ]
            shown = {one.message.partition("\n")[0]: one for one in client.diagnostics(PLAIN)}
            one = shown["ValueError: 3 is no 4"]
            assert one.severity == types.DiagnosticSeverity.Error
            assert one.range == types.Range(
                types.Position(INSIDE + 1, 8), types.Position(INSIDE + 1, 16)
            )
            (helper,) = one.related_information or ()
            assert helper.location.uri == client.uri("helper.py")
            assert helper.location.range.start.line == 2
            # Edited above: moved. Edited itself: outdated.
            client.edit(PLAIN, 0, "# one\n# two\n")
            await client.until(lambda: (FAILS + 3, "assert 1 == 2") in client.messages(PLAIN))
            client.edit(PLAIN, FAILS + 3, "    assert 1 == 1\n", FAILS + 4)
            await client.until(lambda: len(client.messages(PLAIN)) == 2, "one is outdated")
            # Mended and saved by somebody else; run again: only what still fails.
            helper_text = bench.root.joinpath("helper.py").read_text().replace("!= 4", "!= 3")
            bench.write({"helper.py": helper_text})
            await client.do("fastcollect.runFailed")
            await client.until(
                lambda: [m for _, m in client.messages(PLAIN)]
                == ["assert 1 == 2", "assert 2 == 1"][-len(client.messages(PLAIN)) :]
                and (INSIDE + 3, "ValueError: 3 is no 4") not in client.messages(PLAIN),
                "what passes now is shown no more",
            )
            # Deleted: nothing is left of it.
            bench.write({PLAIN: None})
            client.lsp.text_document_did_close(
                types.DidCloseTextDocumentParams(client.document(PLAIN))
            )
            event = types.FileEvent(client.uri(PLAIN), types.FileChangeType.Deleted)
            client.lsp.workspace_did_change_watched_files(
                types.DidChangeWatchedFilesParams([event])
            )
            await client.until(lambda: not client.messages(PLAIN), "nothing of a deleted file")


async def test_failures_are_left_out_where_they_are_not_wanted(kept: SmallBench) -> None:
    async with plain_client(kept, options={"failures": False}) as client:
        client.open(PLAIN)
        await client.do("fastcollect.run", f"{PLAIN}::test_fails")
        await client.ran(PLAIN, FAILS, "✗")  # told later than diagnostics are
        assert client.messages(PLAIN) == []


async def test_collection_errors(shared: Shared) -> None:
    name = "test_broken.py"
    with small_bench(shared, {name: FILES[name]}) as bench:
        async with plain_client(bench) as client:
            await client.do("fastcollect.run", name)
            await client.until(lambda: client.messages(name), "the import that fails")
            ((line, message),) = client.messages(name)
            assert line == 1
            assert "does_not_exist" in message
            assert (await client.ran(name, 0, "✗")).startswith("✗")
            bench.write({"does_not_exist.py": ""})
            await client.do("fastcollect.runLast")
            await client.until(lambda: not client.messages(name), "it can be imported")


async def test_progress_of_runs(kept: SmallBench) -> None:
    async with plain_client(kept) as client:
        await client.do("fastcollect.run", f"{PLAIN}::test_cases", f"{PLAIN}::test_passes")
        await client.until(
            lambda: any(isinstance(p, types.WorkDoneProgressEnd) for p in client.progress())
        )
        begin, *_, end = client.progress()
        assert begin.cancellable
        assert end.message == "1 failed, 2 passed"
        # A terminal's as well; that one is not ours to cancel.
        count = len(client.progress())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, kept.pytest, f"{PLAIN}::test_fails")
        await client.until(
            lambda: len(client.progress()) > count
            and isinstance(client.progress()[-1], types.WorkDoneProgressEnd)
        )
        assert client.progress()[-1].message == "1 failed"
        assert not client.progress()[count].cancellable
        assert not client.lsp.messages  # nobody has asked


async def test_progress_is_cancelled(kept: SmallBench) -> None:
    (kept.root / "begun").unlink(missing_ok=True)
    async with plain_client(kept) as client:
        await client.do("fastcollect.run", "test_sleeps.py")
        await asyncio.to_thread(eventually, (kept.root / "begun").exists, "it has begun")
        await client.until(client.progress)
        (token,) = client.lsp.progress_reports
        client.lsp.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
        await client.until(lambda: isinstance(client.progress()[-1], types.WorkDoneProgressEnd))
        # And by command.
        (kept.root / "begun").unlink()
        started = await client.do("fastcollect.runLast")
        await asyncio.to_thread(eventually, (kept.root / "begun").exists, "it has begun")
        assert "Cancel runs" in await client.actions("test_sleeps.py", 4)
        assert await client.do("fastcollect.cancel", run_id(started))
        await client.until(lambda: len(client.lsp.progress_reports) == 2)
        await client.until(lambda: isinstance(client.progress()[-1], types.WorkDoneProgressEnd))


def run_id(answer: object) -> str:
    """Of a command's answer, which lsprotocol makes an object or a dict."""
    found = answer["runId"] if isinstance(answer, dict) else answer.runId  # type: ignore[attr-defined]
    assert isinstance(found, str)
    return found


def text_of(shown: types.ShowDocumentParams) -> str:
    return Path(unquote(urlsplit(shown.uri).path)).read_text()


async def test_output_is_shown(kept: SmallBench) -> None:
    async with plain_client(kept) as client:
        assert await client.do("fastcollect.showOutput") is None
        assert client.lsp.messages[-1].message == "Nothing has been run."
        await client.do("fastcollect.run", f"{PLAIN}::test_passes", f"{PLAIN}::test_fails")
        await client.until(
            lambda: any(isinstance(p, types.WorkDoneProgressEnd) for p in client.progress())
        )
        await client.do("fastcollect.showOutput", f"{PLAIN}::test_passes")
        assert "said" in text_of(client.lsp.shown_documents[-1])
        await client.do("fastcollect.showOutput", f"{PLAIN}::test_fails")
        assert "E       assert 1 == 2" in text_of(client.lsp.shown_documents[-1])
        await client.do("fastcollect.showOutput")
        shown = client.lsp.shown_documents[-1]
        assert "1 failed, 1 passed" in text_of(shown)
        path = Path(urlsplit(shown.uri).path)
        assert path.parent.stat().st_mode & 0o777 == 0o700
    await asyncio.to_thread(eventually, lambda: not path.exists(), "the file gone with the editor")


async def test_simple_client_is_told_by_messages(kept: SmallBench) -> None:
    def knows_little(capabilities: types.ClientCapabilities) -> None:
        capabilities.window = capabilities.workspace = None

    async with plain_client(kept, change=knows_little) as client:
        await client.do("fastcollect.run", f"{PLAIN}::test_fails")
        await client.until(lambda: client.lsp.messages)
        assert client.lsp.messages[-1].message == "1 failed"
        await client.do("fastcollect.showOutput", f"{PLAIN}::test_fails")
        await client.until(lambda: client.lsp.log_messages)
        assert "assert 1 == 2" in client.lsp.log_messages[-1].message
        assert not client.progress()


async def test_commands_refuse(shared: Shared) -> None:
    with small_bench(shared, {PLAIN: FILES[PLAIN]}) as bench:
        async with plain_client(bench) as client:
            for command, arguments, says in REFUSED:
                with pytest.raises(JsonRpcException, match=says):
                    await client.do(f"fastcollect.{command}", *arguments)
            assert not client.progress()


REFUSED: list[tuple[str, list[object], str]] = [
    ("run", ["test_gone.py::test_x"], "no such test"),
    ("run", [f"{PLAIN}::test_gone"], "no such test"),
    ("run", [f"{PLAIN}::TestGroup::test_gone"], "no such test"),
    ("run", ["--version"], "not a node id"),
    ("run", [{"include": 1}], "expected strings"),
    ("run", [""], "expected strings"),
    ("runFile", [], "which file"),
    ("runFile", ["file:///nowhere/test_a.py"], "no tests in"),
    ("runFile", ["a", "b"], "at most 1"),
    ("runLast", ["a"], "at most 0"),
    ("runLast", [], "nothing has been run"),
    ("cancel", ["nothing"], "no such run"),
    ("cancel", [1], "expected strings"),
    ("nonsense", [], "not defined"),
]


async def test_hints_where_they_are_wanted(kept: SmallBench) -> None:
    where = types.Range(types.Position(0, 0), types.Position(100, 0))

    async def hints(client: PlainClient) -> list[str]:
        params = types.InlayHintParams(client.document(PLAIN), where)
        found = await client.lsp.text_document_inlay_hint_async(params) or ()
        return [str(hint.label) for hint in found]

    async with plain_client(kept, options={"inlayHints": True}) as client:
        await client.do("fastcollect.run", f"{PLAIN}::test_passes")
        await client.ran(PLAIN, PASSES, "✓")
        assert any(label.endswith("ms") for label in await hints(client))
        off = types.DidChangeConfigurationParams({"fastcollect": {"inlayHints": False}})
        client.lsp.workspace_did_change_configuration(off)
        assert await hints(client) == []
        client.lsp.set_configuration({"inlayHints": True}, section="fastcollect")
        client.lsp.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
        await client.asking(lambda: hints(client), "hints again")
    async with plain_client(kept) as client:
        assert await hints(client) == []
