"""`fastcollect lsp` with pytest-lsp's client, as capable as editors that have no plugin."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from editor_client import HANG
from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from tests.support import SmallBench

T = TypeVar("T")


class PlainClient:
    """An editor that knows LSP and nothing of us."""

    def __init__(self, bench: SmallBench, client: LanguageClient) -> None:
        self.bench = bench
        self.lsp = client
        self.capabilities: types.ServerCapabilities
        self.lens_refreshes = 0
        self._told = asyncio.Event()
        """Set when the server sends anything but an answer."""
        self._listen()

    def _listen(self) -> None:
        protocol = self.lsp.protocol
        handle = protocol.handle_message

        def handle_and_tell(message: Any) -> None:
            handle(message)
            if hasattr(message, "method"):
                self._told.set()

        protocol.handle_message = handle_and_tell  # type: ignore[method-assign]

    async def _wait_until_told(self, deadline: float, what: str) -> None:
        try:
            await asyncio.wait_for(self._told.wait(), deadline - time.monotonic())
        except asyncio.TimeoutError:
            raise AssertionError(f"never happened: {what}") from None

    def path(self, name: str) -> Path:
        return self.bench.root / name

    def uri(self, name: str) -> str:
        return self.path(name).as_uri()

    def document(self, name: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri(name))

    def open(self, name: str) -> None:
        item = types.TextDocumentItem(self.uri(name), "python", 1, self.path(name).read_text())
        self.lsp.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def edit(self, name: str, line: int, text: str, until: int | None = None) -> None:
        """Replace whole lines, none by default, of an open document; not saved."""
        where = types.Range(
            types.Position(line, 0), types.Position(line if until is None else until, 0)
        )
        change = types.TextDocumentContentChangePartial(text=text, range=where)
        document = types.VersionedTextDocumentIdentifier(uri=self.uri(name), version=2)
        self.lsp.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def lenses(self, name: str) -> list[tuple[int, str, list[Any]]]:
        """Line, title, arguments."""
        params = types.CodeLensParams(self.document(name))
        found = await self.lsp.text_document_code_lens_async(params) or ()
        return [
            (lens.range.start.line, lens.command.title, list(lens.command.arguments or ()))
            for lens in found
            if lens.command is not None
        ]

    async def titles(self, name: str, line: int) -> list[str]:
        """Titles of the lenses at a line."""
        return [title for at, title, _ in await self.lenses(name) if at == line]

    async def actions(self, name: str, first: int, last: int | None = None) -> dict[str, Any]:
        """Commands by title, at some lines."""
        where = types.Range(
            types.Position(first, 0), types.Position(first if last is None else last, 0)
        )
        context = types.CodeActionContext(diagnostics=[])
        params = types.CodeActionParams(self.document(name), where, context)
        found = await self.lsp.text_document_code_action_async(params) or ()
        commands: dict[str, Any] = {}
        for one in found:
            command = one.command
            if isinstance(command, str) and command.startswith("{"):
                # lsprotocol takes every `CodeAction` for a `Command`, and its command for a text.
                command = types.Command(**ast.literal_eval(command))
            commands[one.title] = command if isinstance(command, types.Command) else one
        return commands

    async def do(self, command: str, *arguments: Any) -> Any:
        """`workspace/executeCommand`."""
        params = types.ExecuteCommandParams(command, list(arguments))
        return await self.lsp.workspace_execute_command_async(params)

    def diagnostics(self, name: str) -> list[types.Diagnostic]:
        """What has been published last."""
        return list(self.lsp.diagnostics.get(self.uri(name), ()))

    def messages(self, name: str) -> list[tuple[int, str]]:
        """Line and first line of each diagnostic."""
        found = self.diagnostics(name)
        return [(one.range.start.line, one.message.partition("\n")[0]) for one in found]

    async def until(self, condition: Callable[[], T], what: str = "") -> T:
        """The first true value of a condition on what the server sends."""
        deadline = time.monotonic() + HANG
        self._told.clear()
        while not (value := condition()):
            await self._wait_until_told(deadline, what or str(condition))
            self._told.clear()
        return value

    async def asking(self, question: Callable[[], Awaitable[T]], what: str) -> T:
        """The first true answer to a question that is asked again whenever the server speaks."""
        deadline = time.monotonic() + HANG
        self._told.clear()  # before asking: what is told meanwhile may be about it
        while not (answer := await question()):
            await self._wait_until_told(deadline, what)
            self._told.clear()
        return answer

    async def ran(self, name: str, line: int, starts: str) -> str:
        """Wait for an outcome that begins like this among the lenses of a line."""

        async def outcome() -> str:
            titles = await self.titles(name, line)
            return next((title for title in titles if title.startswith(starts)), "")

        return await self.asking(outcome, f"{starts} at line {line}")

    def progress(self) -> list[Any]:
        """All that was reported of work in progress."""
        return [one for reports in self.lsp.progress_reports.values() for one in reports]


@contextlib.asynccontextmanager
async def plain_client(
    bench: SmallBench,
    like: str = "neovim@v0.11",
    change: Callable[[types.ClientCapabilities], None] = lambda _: None,
    options: Mapping[str, Any] | None = None,
) -> AsyncIterator[PlainClient]:
    """An editor in a project. `change` changes what it can do."""
    client = make_test_lsp_client()
    plain = PlainClient(bench, client)

    def refresh(*_: Any) -> None:
        plain.lens_refreshes += 1

    client.feature(types.WORKSPACE_CODE_LENS_REFRESH)(refresh)
    command = [str(bench.project.python), "-m", "fastcollect_lsp", "lsp"]
    await client.start_io(*command, cwd=bench.root, env=bench.env, limit=64 << 20)
    capabilities = client_capabilities(like)
    change(capabilities)
    params = types.InitializeParams(
        capabilities, root_uri=bench.root.as_uri(), initialization_options=options
    )
    try:
        answer = await asyncio.wait_for(client.initialize_session(params), HANG)
        plain.capabilities = answer.capabilities
        yield plain
    finally:
        await asyncio.wait_for(client.shutdown_session(), HANG)
        await client.stop()  # type: ignore[no-untyped-call]
