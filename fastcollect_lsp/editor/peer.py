"""The editor at the other end of one connection: what it can do, what it has open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lsprotocol import types

from fastcollect_lsp.editor.buffers import Buffers
from fastcollect_lsp.editor.clientside import ClientSide
from fastcollect_lsp.editor.host import EditorHost
from fastcollect_lsp.editor.results import Results
from fastcollect_lsp.editor.rpc import EditorProtocol

Changes = Sequence[types.TextDocumentContentChangeEvent]

logger = logging.getLogger(__name__)


class EditorPeer:
    """What the features of one connection share."""

    def __init__(self, name: str, host: EditorHost, protocol: EditorProtocol) -> None:
        self.name = name
        self.host = host
        self.tree = host.tree
        self.protocol = protocol
        self.buffers = Buffers(host.tree, owner=self)
        self.announced = False
        """It said `experimental.fastcollect`: it wants our notifications."""
        self.static_only = host.static_only
        """Nothing of the project may be imported on its behalf."""
        self.can = ClientSide()
        self.results = Results()
        """What became of the tests last, as this editor has been told."""
        self._edited: list[Callable[[str, Changes], None]] = []
        self._options: list[Callable[[object], None]] = []
        self._begin: list[Callable[[], None]] = []
        self._end: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def learn(self, params: types.InitializeParams) -> None:
        """Take what the client says of itself in `initialize`."""
        capabilities = params.capabilities
        self.can = ClientSide.of(capabilities)
        experimental = capabilities.experimental
        options = params.initialization_options
        if isinstance(options, dict) and options.get("staticOnly"):
            self.static_only = True
        self.announced = isinstance(experimental, dict) and "fastcollect" in experimental

    def at_options(self, work: Callable[[object], None]) -> None:
        """Have `work` called with the client's `initializationOptions`."""
        self._options.append(work)

    def options(self, given: object) -> None:
        """The client has sent its `initializationOptions`."""
        for work in self._options:
            work(given)

    def at_beginning(self, work: Callable[[], None]) -> None:
        """Have `work` called when the client has said `initialized`."""
        self._begin.append(work)

    def at_end(self, work: Callable[[], None]) -> None:
        """Have `work` called when the connection ends."""
        self._end.append(work)

    def at_edit(self, work: Callable[[str, Changes], None]) -> None:
        """Have `work` called with the URI of an open document and what has just changed in it."""
        self._edited.append(work)

    def edited(self, uri: str, changes: Changes) -> None:
        """An open document has changed; the connection's workspace has it as it is now."""
        for work in self._edited:
            work(uri, changes)

    def begin(self) -> None:
        """The client is ready. Only the first time counts."""
        works, self._begin = self._begin, []
        for work in works:
            work()

    def end(self) -> None:
        """The connection has ended: nothing of it may stay, in the tree or in the loop."""
        works, self._end = self._end, []
        for work in works:
            work()
        for task in tuple(self._tasks):
            task.cancel()
        self.buffers.end()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background until the connection ends; an error is logged."""
        task = asyncio.create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("%s: background work failed", self.name)
