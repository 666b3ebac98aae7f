"""Symbols, diagnostics, status and watched files over a real connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from editor_client import ANNOUNCED, Client, Plain, Server, write

pytestmark = pytest.mark.asyncio

HIERARCHICAL = {
    **ANNOUNCED,
    "textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}},
}
CLASS, METHOD, FUNCTION = 5, 6, 12


async def symbols(editor: Client, path: Path) -> list[Plain]:
    params = {"textDocument": {"uri": path.as_uri()}}
    found: list[Plain] = await editor.request("textDocument/documentSymbol", params)
    return found


def outline(found: list[Plain]) -> list[Any]:
    return [[one["name"], one["kind"], *outline(one["children"])] for one in found]


async def test_document_symbols(server: Server, project: Path) -> None:
    editor = await server.editor(HIERARCHICAL)
    found = await symbols(editor, project / "test_one.py")
    assert outline(found) == [
        ["test_first", FUNCTION],
        ["TestGroup", CLASS, ["test_inside", METHOD]],
    ]
    function, group = found
    assert function["range"]["start"] == {"line": 0, "character": 0}
    assert group["range"]["start"]["line"] == 4
    assert group["children"][0]["selectionRange"]["start"] == {"line": 5, "character": 4}


async def test_document_symbols_for_simple_clients(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor({})
    found = await symbols(editor, path)
    assert [(one["name"], one["kind"], one.get("containerName")) for one in found] == [
        ("test_first", FUNCTION, None),
        ("TestGroup", CLASS, None),
        ("test_inside", METHOD, "TestGroup"),
    ]
    assert {one["location"]["uri"] for one in found} == {path.as_uri()}


async def test_symbols_of_what_was_typed_right_before(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor(HIERARCHICAL)
    editor.open(path)
    editor.change(path, "\n\ndef test_typed():\n    pass\n")
    (found,) = await symbols(editor, path)
    assert found["name"] == "test_typed"
    assert found["range"]["start"]["line"] == 2


async def test_symbols_of_other_documents(server: Server, project: Path) -> None:
    editor = await server.editor(HIERARCHICAL)
    assert await symbols(editor, project / "pytest.ini") == []
    assert await symbols(editor, project / "missing.py") == []
    params = {"textDocument": {"uri": "untitled:Untitled-1"}}
    assert await editor.request("textDocument/documentSymbol", params) == []


async def test_parameter_sets_are_no_symbols(server: Server, project: Path) -> None:
    path = write(
        project / "test_cases.py",
        """\
        import pytest

        @pytest.mark.parametrize("x", [1, 2])
        def test_case(x):
            pass
        """,
    )
    editor = await server.editor(HIERARCHICAL)
    assert "test_cases.py::test_case[1]" in await editor.ids()
    assert outline(await symbols(editor, path)) == [["test_case", FUNCTION]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"test_first", "TestGroup", "test_inside", "test_second", "test_third"}),
        ("econ", {"test_second"}),
        ("tst_nsd", {"test_inside"}),
        ("TSIDE", {"test_inside"}),
        ("nothing", set()),
    ],
)
async def test_workspace_symbols(server: Server, query: str, names: set[str]) -> None:
    editor = await server.editor()
    found = await editor.request("workspace/symbol", {"query": query})
    assert {one["name"] for one in found} == names


async def test_syntax_error_is_a_diagnostic_until_it_is_mended(
    server: Server, project: Path
) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    await editor.changed()
    editor.open(path, "def test_fine():\n    pass\n\ndef test_broken(:\n    pass\n")
    shown = await editor.notification("textDocument/publishDiagnostics")
    assert shown["uri"] == path.as_uri()
    (diagnostic,) = shown["diagnostics"]
    assert diagnostic["severity"] == 1
    assert diagnostic["source"] == "fastcollect"
    assert diagnostic["message"]
    assert diagnostic["range"]["start"]["line"] == 3
    editor.change(path, "def test_mended():\n    pass\n")
    shown = await editor.notification("textDocument/publishDiagnostics")
    assert shown == {"uri": path.as_uri(), "diagnostics": []}


async def test_error_that_was_there_before_the_editor(server: Server, project: Path) -> None:
    path = write(project / "test_broken.py", "def test_broken(:\n")
    mute, editor = await server.editor({}), await server.editor()
    for one in (mute, editor):
        shown = await one.notification("textDocument/publishDiagnostics")
        assert shown["uri"] == path.as_uri()
        assert len(shown["diagnostics"]) == 1
    await editor.changed()  # no scan is going on that could find the file, and then not read it
    path.unlink()
    editor.notify(
        "workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": 3}]}
    )
    shown = await editor.notification("textDocument/publishDiagnostics")
    assert shown == {"uri": path.as_uri(), "diagnostics": []}


async def test_status(server: Server) -> None:
    editor, mute = await server.editor(), await server.editor({})
    await editor.changed()
    told = await editor.notification("fastcollect/status")
    assert told["tests"] == server.host.tree.counts[1] > 0, "the scan is over"
    assert await editor.request("fastcollect/status") == server.host.status()
    assert await mute.request("fastcollect/status", {}) == server.host.status()
    server.host.become("warming")
    server.host.become("degraded")
    assert (await editor.notification("fastcollect/status"))["state"] == "degraded"
    await mute.request("fastcollect/status")
    assert not mute.received
    assert not [m for m in editor.received if m["method"] == "fastcollect/status"]


async def test_client_is_asked_to_watch_where_it_can(server: Server) -> None:
    capabilities = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    editor = await server.editor({**ANNOUNCED, **capabilities})
    asked = await editor.message(lambda one: one.get("method") == "client/registerCapability")
    (registration,) = asked["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    patterns = [one["globPattern"] for one in registration["registerOptions"]["watchers"]]
    assert "**/*.py" in patterns
    editor.send({"jsonrpc": "2.0", "id": asked["id"], "result": None})
    other = await server.editor()
    await other.changed()
    assert not [m for m in other.received if m.get("method") == "client/registerCapability"]


async def test_client_that_refuses_to_watch(server: Server) -> None:
    capabilities = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    editor = await server.editor({**ANNOUNCED, **capabilities})
    asked = await editor.message(lambda one: one.get("method") == "client/registerCapability")
    error = {"code": -32601, "message": "no"}
    editor.send({"jsonrpc": "2.0", "id": asked["id"], "error": error})
    assert (await editor.request("fastcollect/status"))["state"] == "warm"


async def test_half_a_surrogate_pair_in_a_document(server: Server, project: Path) -> None:
    path = project / "test_one.py"
    editor = await server.editor()
    editor.open(path)
    body = (
        r'{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":'
        r'{"uri":"URI","version":2},"contentChanges":[{"text":'
        r'"# \ud83d \\ud800 \ud83d\ude0b\ndef test_kept(): ...\n"}]}}'
    ).replace("URI", path.as_uri()).encode()  # fmt: skip
    editor.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert "test_one.py::test_kept" in await editor.ids()
