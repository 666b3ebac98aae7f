"""Connections: several at once, and what clients may do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import random

import orjson
import pytest
from editor_client import ANNOUNCED, HANG, Client, Plain, RefusedError, Server

from fastcollect_lsp.editor import framing, outbox
from fastcollect_lsp.editor.rpc import EditorProtocol

pytestmark = pytest.mark.asyncio

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
NOT_INITIALIZED = -32002

ALL = {
    "sub",
    "sub/deep",
    "test_one.py",
    "test_one.py::test_first",
    "test_one.py::TestGroup",
    "test_one.py::TestGroup::test_inside",
    "sub/test_two.py",
    "sub/test_two.py::test_second",
    "sub/deep/test_three.py",
    "sub/deep/test_three.py::test_third",
}


async def refusal(client: Client) -> Plain:
    """The next answer to something that had no id to answer to."""
    message = await client.message(lambda message: "error" in message)
    assert message["id"] is None
    error: Plain = message["error"]
    return error


async def test_announces_what_exists_and_no_more(server: Server) -> None:
    editor = await server.editor()
    assert editor.capabilities == {
        "positionEncoding": "utf-16",
        "textDocumentSync": {"openClose": True, "change": 2, "save": {"includeText": False}},
        "documentSymbolProvider": True,
        "workspaceSymbolProvider": {"resolveProvider": False},
        "codeLensProvider": {"resolveProvider": False},
        "codeActionProvider": {"codeActionKinds": ["source.test"]},
        "executeCommandProvider": {
            "commands": [
                f"fastcollect.{name}"
                for name in (
                    *("run", "runFile", "runLast", "runFailed"),
                    *("cancel", "showOutput", "debug"),
                )
            ]
        },
        "definitionProvider": True,
        "hoverProvider": True,
        "inlayHintProvider": {"resolveProvider": False},
        "experimental": {"fastcollect": {"version": 1}, "runnables": {"kinds": ["shell"]}},
    }


async def test_positions_are_utf16_whatever_the_client_prefers(server: Server) -> None:
    editor = await server.editor({"general": {"positionEncodings": ["utf-32", "utf-8"]}})
    assert editor.capabilities["positionEncoding"] == "utf-16"


async def test_two_clients_and_the_exit_of_one(server: Server) -> None:
    one, other = await server.editor(), await server.editor()
    assert set(await one.ids()) == ALL
    assert set(await other.ids()) == ALL
    assert await one.request("shutdown") is None
    one.notify("exit", None)
    await one.ended
    await server.connections[0]
    assert set(await other.ids()) == ALL


async def test_exit_without_shutdown_ends_that_connection_only(server: Server) -> None:
    one, other = await server.editor(), await server.connect()
    other.notify("exit", None)
    await other.ended
    assert set(await one.ids()) == ALL


async def test_server_that_stops(server: Server) -> None:
    editor = await server.editor()
    await editor.changed()
    connection = server.connections.pop()
    connection.cancel()
    await editor.ended
    with pytest.raises(asyncio.CancelledError):
        await connection
    assert not server.host.listeners


async def test_nothing_of_a_connection_stays(server: Server) -> None:
    editor = await server.editor()
    await editor.changed()
    assert server.host.listeners
    await editor.close()
    await server.connections[0]
    assert not server.host.listeners
    assert not server.host.tree._listeners


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"Content-Length: 500\r\n\r\n" + b'{"jsonrpc":"2.0","id":1,"me',
        b"Content-Le",
        b"Content-Length: 20\r\n",
        b"",
    ],
)
async def test_disconnect_in_the_midst_of_a_frame(server: Server, bytes_sent: bytes) -> None:
    editor, gone = await server.editor(), await server.connect()
    gone.writer.write(bytes_sent)
    await gone.close()
    await server.connections[1]
    assert set(await editor.ids()) == ALL


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"shutdown"',
        b"nonsense",
        b"[" * 200_000,
    ],
)
async def test_invalid_json_is_answered_and_the_connection_goes_on(
    server: Server, body: bytes
) -> None:
    editor = await server.editor()
    editor.writer.write(framing.frame(body))
    assert (await refusal(editor))["code"] == PARSE_ERROR
    assert set(await editor.ids()) == ALL


@pytest.mark.parametrize(
    "message",
    [
        [],
        3,
        None,
        {},
        {"id": 1, "method": "shutdown"},
        {"jsonrpc": "1.0", "method": "shutdown"},
        {"jsonrpc": "2.0", "id": {}, "method": "shutdown"},
        {"jsonrpc": "2.0", "id": None, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": 7},
    ],
)
async def test_json_that_is_no_message(server: Server, message: object) -> None:
    editor = await server.editor()
    editor.send(message)
    error = await editor.message(lambda message: "error" in message)
    assert error["error"]["code"] == INVALID_REQUEST
    assert set(await editor.ids()) == ALL


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("fastcollect/discoverTests", {"parent": 3}),
        ("fastcollect/discoverTests", {"depth": "1"}),
        ("fastcollect/discoverTests", {"depth": True}),
        ("fastcollect/discoverTests", [1]),
        ("textDocument/documentSymbol", {}),
        ("textDocument/documentSymbol", {"textDocument": 5}),
        ("textDocument/documentSymbol", None),
        ("workspace/symbol", {}),
    ],
)
async def test_params_of_wrong_types(server: Server, method: str, params: object) -> None:
    editor = await server.editor()
    with pytest.raises(RefusedError) as refused:
        await editor.request(method, params)
    assert refused.value.code == INVALID_PARAMS
    assert set(await editor.ids()) == ALL


async def test_notifications_of_wrong_types_are_ignored(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    editor = await server.editor()
    editor.notify("textDocument/didOpen", {"textDocument": "x"})
    editor.notify("textDocument/didChange", {"textDocument": {"uri": "file:///x.py", "version": 1}})
    editor.notify("workspace/didChangeWatchedFiles", 3)
    editor.notify("$/cancelRequest", {"id": []})
    editor.notify("no/such", {})
    assert set(await editor.ids()) == ALL
    assert not [message for message in editor.received if "error" in message]
    assert not [record for record in caplog.records if record.exc_info]


async def test_error_of_ours_ends_no_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    editor = await server.editor()
    failed = asyncio.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise RuntimeError("ours")

    with monkeypatch.context() as patch:
        patch.setattr(EditorProtocol, "_dispatch", fail)
        editor.notify("no/such", {})
        await asyncio.wait_for(failed.wait(), HANG)
    assert set(await editor.ids()) == ALL
    assert [record for record in caplog.records if record.exc_info]


async def test_one_editor_s_flood_does_not_keep_others_waiting(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    flooding, editor = await server.editor(), await server.editor()
    await flooding.changed()
    await editor.changed()
    asked: list[object] = []
    receive = EditorProtocol.receive

    def recorded(protocol: EditorProtocol, body: bytes) -> None:
        asked.append(orjson.loads(body)["id"])
        receive(protocol, body)

    monkeypatch.setattr(EditorProtocol, "receive", recorded)
    message = framing.frame(b'{"jsonrpc":"2.0","id":"flood","method":"fastcollect/status"}')
    flooding.writer.write(message * 1000)
    await editor.request("fastcollect/status")
    assert asked.index(2) < 10, "both were sent before the server read anything"
    await flooding.message(lambda message: message.get("id") == "flood")


async def test_answers_to_nothing_are_ignored(server: Server) -> None:
    editor = await server.editor()
    editor.send({"jsonrpc": "2.0", "id": "never sent", "result": None})
    editor.send({"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "x"}})
    editor.send({"jsonrpc": "2.0", "id": [], "error": 5})
    assert set(await editor.ids()) == ALL


async def test_unknown_method(server: Server) -> None:
    editor = await server.editor()
    for method in ("fastcollect/noSuchThing", "fastcollect/no", "textDocument/rename", "a/b"):
        with pytest.raises(RefusedError) as refused:
            await editor.request(method, {})
        assert refused.value.code == METHOD_NOT_FOUND


async def test_order_of_a_connection_s_life(server: Server) -> None:
    client = await server.connect()
    with pytest.raises(RefusedError) as refused:
        await client.request("fastcollect/discoverTests", {})
    assert refused.value.code == NOT_INITIALIZED
    await client.initialize(ANNOUNCED)
    with pytest.raises(RefusedError) as refused:
        await client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert refused.value.code == INVALID_REQUEST
    await client.request("shutdown")
    with pytest.raises(RefusedError) as refused:
        await client.request("fastcollect/discoverTests", {})
    assert refused.value.code == INVALID_REQUEST


async def test_cancelled_request(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = await server.editor()
    await editor.changed()
    asked, held = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await held.wait()

    monkeypatch.setattr(server.host.tree, "known", wait)
    answer = asyncio.create_task(editor.request("fastcollect/discoverTests", {}))
    await asyncio.wait_for(asked.wait(), HANG)
    editor.notify("$/cancelRequest", {"id": 2})
    with pytest.raises(RefusedError) as refused:
        await answer
    assert refused.value.code == -32800
    held.set()
    assert set(await editor.ids()) == ALL


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: %d\r\n\r\n" % (framing.MAX_FRAME + 1),
        b"Content-Length: 99999999999999999999999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Type: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n",
        b"x" * (1 << 20),
        b"a: b\r\n" * (framing.MAX_HEADERS + 1),
    ],
)
async def test_broken_framing_closes_that_connection_only(
    server: Server, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    editor, broken = await server.editor(), await server.connect()
    with caplog.at_level("INFO", "fastcollect_lsp.editor.connection"):
        broken.writer.write(header)
        assert (await refusal(broken))["code"] == INVALID_REQUEST
        await broken.ended
        await server.connections[1]
    assert len([record for record in caplog.records if "ended" in record.message]) == 1
    assert set(await editor.ids()) == ALL


async def test_frame_of_a_hundred_megabytes(server: Server) -> None:
    """It is refused by its header; who goes on sending it all the same harms nobody."""
    editor, huge = await server.editor(), await server.connect()
    huge.writer.write(b"Content-Length: %d\r\n\r\n" % (100 << 20))
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            huge.writer.write(bytes(1 << 20))
            await huge.writer.drain()
    await asyncio.wait_for(server.connections[1], HANG)
    assert set(await editor.ids()) == ALL


async def test_headers_other_than_the_length(server: Server) -> None:
    client = await server.connect()
    body = b'{"jsonrpc":"2.0","id":"x","method":"no"}'
    client.writer.write(
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    message = await client.message(lambda message: message.get("id") == "x")
    assert message["error"]["code"] == NOT_INITIALIZED


async def test_frames_in_many_pieces_and_many_frames_in_one(server: Server) -> None:
    editor = await server.editor()
    message = framing.frame(b'{"jsonrpc":"2.0","id":"a","method":"fastcollect/status"}')
    for index in range(len(message)):
        editor.writer.write(message[index : index + 1])
        await editor.writer.drain()
        await asyncio.sleep(0)
    await editor.message(lambda message: message.get("id") == "a")
    editor.writer.write(message * 50)
    for _ in range(50):
        await editor.message(lambda message: message.get("id") == "a")


async def test_client_that_never_reads_is_dropped(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MAX_UNREAD", 1 << 20)
    editor = await server.editor()
    reader, writer = await asyncio.open_unix_connection(server.path, limit=1)
    writer.write(
        framing.frame(
            b'{"jsonrpc":"2.0","id":1,"method":"initialize",'
            b'"params":{"processId":null,"rootUri":null,"capabilities":{}}}'
        )
    )
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    question = framing.frame(b'{"jsonrpc":"2.0","id":2,"method":"fastcollect/discoverTests"}')
    for _ in range(20_000):
        if server.connections[-1].done():
            break
        writer.write(question)
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    await asyncio.wait_for(server.connections[-1], HANG)
    writer.transport.abort()
    assert [record for record in caplog.records if "unread" in record.message]
    assert set(await editor.ids()) == ALL
    del reader


@pytest.mark.parametrize("seed", range(20))
async def test_garbage_disturbs_nobody(server: Server, seed: int) -> None:
    """Valid messages with bytes flipped, cut and repeated: the server answers others as before."""
    chance = random.Random(seed)
    editor, wild = await server.editor(), await server.connect()
    messages = [
        b'{"jsonrpc":"2.0","id":1,"method":"initialize",'
        b'"params":{"processId":null,"rootUri":null,"capabilities":{}}}',
        b'{"jsonrpc":"2.0","method":"initialized","params":{}}',
        b'{"jsonrpc":"2.0","id":"2","method":"fastcollect/discoverTests","params":{"depth":1}}',
        b'{"jsonrpc":"2.0","id":3,"method":"workspace/symbol","params":{"query":"t"}}',
        b'{"jsonrpc":"2.0","id":3,"result":[{"jsonrpc":"2.0","id":9,"method":"exit"}]}',
    ]
    try:
        for message in chance.choices(messages, k=30):
            body = bytearray(message)
            for _ in range(chance.randrange(3)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            wild.writer.write(framing.frame(bytes(body)))
            await wild.writer.drain()
        wild.writer.write(chance.randbytes(1000))
        await wild.writer.drain()
    except ConnectionError:
        pass
    await wild.close()
    await server.connections[1]
    assert set(await editor.ids()) == ALL
