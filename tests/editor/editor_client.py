"""A real server of editor connections on a real project, and a small raw LSP client for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from fastcollect_lsp._core import Scan, project_config
from fastcollect_lsp.cli import pytest_command
from fastcollect_lsp.editor.connection import serve_connection
from fastcollect_lsp.editor.framing import frame, read_frame
from fastcollect_lsp.following import Following
from fastcollect_lsp.rendezvous import place
from fastcollect_lsp.runs import Runs
from fastcollect_lsp.tree import ProjectTree
from fastcollect_lsp.warm import Warm

HANG = 30.0
"""Seconds after which a test that waits for an event is taken to hang."""

ANNOUNCED = {"experimental": {"fastcollect": {"version": 1}}}

Plain = dict[str, Any]


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, error: Plain) -> None:
        super().__init__(error)
        self.code: int = error["code"]
        self.message: str = error["message"]


class ProjectHost:
    """A server reduced to what editor connections need of it: the real tree of a real project."""

    def __init__(self, root: Path) -> None:
        config = project_config(str(root))
        self.root = config.root
        self.interpreter = "/usr/bin/python3"
        self.version = "0.0.test"
        self.tree = ProjectTree(Scan(config), config.root)
        self.state = "warm"
        self.saves: list[str] = []
        self.listeners: list[Callable[[], None]] = []
        self.environ: Mapping[str, str] = dict(os.environ)
        self.static_only = True  # what begins runs is tested with the real server
        self.runs = Runs(place(config.root), self.tree)
        self.following = Following(self.runs, self.tree, Warm(dict(os.environ)), pytest_command())

    def status(self) -> Mapping[str, object]:
        return {"state": self.state, "root": self.root, "tests": self.tree.counts[1]}

    def saved(self, path: str) -> None:
        self.saves.append(path)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def become(self, state: str) -> None:
        """Change the state and tell everybody."""
        self.state = state
        for listener in tuple(self.listeners):
            listener()


class Server:
    """Accepts editors on a Unix socket, several at once, in this event loop."""

    def __init__(self, host: ProjectHost, directory: Path) -> None:
        self.host = host
        self.path = str(directory / "editor.sock")
        self.listening = asyncio.Event()
        self.connections: list[asyncio.Task[None]] = []
        self._clients: list[Client] = []

    async def accept(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.setblocking(False)
            listener.bind(self.path)
            listener.listen()
            self.listening.set()
            loop = asyncio.get_running_loop()
            while True:
                accepted, _ = await loop.sock_accept(listener)
                accepted.setblocking(False)
                self.connections.append(asyncio.create_task(self._serve(accepted)))

    async def _serve(self, accepted: socket.socket) -> None:
        with accepted:  # as the server does: nothing may be left to send when the call returns
            await serve_connection(accepted, self.host)

    async def connect(self) -> Client:
        """A client that has not said anything yet."""
        client = Client(*await asyncio.open_unix_connection(self.path))
        self._clients.append(client)
        return client

    async def editor(self, capabilities: Plain | None = None) -> Client:
        """A client that is ready, and wants our notifications unless told otherwise."""
        client = await self.connect()
        await client.initialize(ANNOUNCED if capabilities is None else capabilities)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        await asyncio.wait_for(asyncio.gather(*self.connections), HANG)


@contextlib.asynccontextmanager
async def serving(root: Path, sockets: Path) -> AsyncIterator[Server]:
    """A server for a project, ended with all its clients; every connection must end cleanly."""
    server = Server(ProjectHost(root), sockets)
    accepting = asyncio.create_task(server.accept())
    await server.listening.wait()
    try:
        yield server
        await server.close()
        await server.host.tree.settled()
    finally:
        accepting.cancel()


class Client:
    """An LSP client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._ids = itertools.count(1)
        self._answers: dict[object, asyncio.Future[Plain]] = {}
        self.received: list[Plain] = []
        """Notifications and requests of the server, so far not asked for."""
        self._arrived = asyncio.Condition()
        self.capabilities: Plain = {}
        self.ended = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while (body := await read_frame(reader)) is not None:
                message = orjson.loads(body)
                if "method" not in message and (answer := self._answers.pop(message["id"], None)):
                    answer.set_result(message)
                    continue
                async with self._arrived:
                    self.received.append(message)
                    self._arrived.notify_all()
        for answer in self._answers.values():
            answer.set_exception(EOFError("connection closed"))

    async def initialize(self, capabilities: Plain) -> None:
        params = {"processId": None, "rootUri": None, "capabilities": capabilities}
        self.capabilities = (await self.request("initialize", params))["capabilities"]
        self.notify("initialized", {})

    async def request(self, method: str, params: object = None) -> Any:
        """The result; raises RefusedError."""
        identity = next(self._ids)
        answer: asyncio.Future[Plain] = asyncio.get_running_loop().create_future()
        self._answers[identity] = answer
        self.send({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        message = await asyncio.wait_for(answer, HANG)
        if "error" in message:
            raise RefusedError(message["error"])
        return message["result"]

    def notify(self, method: str, params: object) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: object) -> None:
        self.writer.write(frame(orjson.dumps(message)))

    async def message(self, matches: Callable[[Plain], bool]) -> Plain:
        """The first message of the server, asked for or not, that matches."""

        async def wait() -> Plain:
            async with self._arrived:
                while True:
                    for message in self.received:
                        if matches(message):
                            self.received.remove(message)
                            return message
                    await self._arrived.wait()

        return await asyncio.wait_for(wait(), HANG)

    async def notification(self, method: str) -> Any:
        """The params of the next notification (or request) with this method."""
        return (await self.message(lambda message: message.get("method") == method))["params"]

    async def changed(self) -> Plain:
        """The next `fastcollect/testsChanged`."""
        params: Plain = await self.notification("fastcollect/testsChanged")
        return params

    async def tree(self) -> list[Plain]:
        """All test items."""
        tests: list[Plain] = (await self.request("fastcollect/discoverTests", {}))["tests"]
        return tests

    async def ids(self) -> list[str]:
        """The node ids of all test items."""
        return [item["id"] for item in await self.tree()]

    def open(self, path: Path, text: str | None = None) -> None:
        text = path.read_text() if text is None else text
        document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, path: Path, *changes: Plain | str, version: int = 2) -> None:
        """Change an open document; a string is its whole new text."""
        document = {"uri": path.as_uri(), "version": version}
        events = [{"text": one} if isinstance(one, str) else one for one in changes]
        params = {"textDocument": document, "contentChanges": events}
        self.notify("textDocument/didChange", params)

    def save(self, path: Path) -> None:
        self.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})

    def shut(self, path: Path) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
        await self.ended


def write(path: Path, source: str) -> Path:
    """Write a module, its folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return path
