"""Debugging a run, by the project's own debugpy."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from editor_client import HANG, Plain
from runs_client import follow, lsp

from fastcollect_lsp.editor.framing import frame, read_frame
from tests.support import SmallBench

pytestmark = pytest.mark.asyncio


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
    include = ["test_states.py::test_fails"]
    await asyncio.to_thread(bench.warm_up, *include)
    async with lsp(bench) as client:
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
        assert answer["served"] == "warm"
        seen = await follow(client, "d")
        assert seen.states == {"test_fails": "failed"}
        await debugger.close()


@pytest.mark.long
async def test_debug_by_command(bench: SmallBench) -> None:
    """For clients that are no debuggers: they are told where one can be attached."""
    pytest.importorskip("debugpy")
    async with lsp(bench) as client:
        params = {"command": "fastcollect.debug", "arguments": ["test_states.py::test_passes"]}
        found = await client.request("workspace/executeCommand", params)
        shown = await client.notification("window/showMessage")
        assert f"{found['host']}:{found['port']}" in shown["message"]
        debugger = Debugger(*await asyncio.open_connection(found["host"], found["port"]))
        debugger.send("initialize", adapterID="test")
        await debugger.wait_for("response", "initialize")
        debugger.send("attach", justMyCode=True)
        await debugger.wait_for("event", "initialized")
        debugger.send("configurationDone")
        seen = await follow(client, found["runId"])
        assert seen.states == {"test_passes": "passed"}
        await debugger.close()
