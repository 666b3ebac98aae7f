"""The server, as one of its editors sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastcollect_lsp import __version__
from fastcollect_lsp.protocol import Hello
from fastcollect_lsp.status import to_json

if TYPE_CHECKING:
    from fastcollect_lsp.following import Following
    from fastcollect_lsp.runs import Runs
    from fastcollect_lsp.serving import Server
    from fastcollect_lsp.tree import ProjectTree


class Editor:
    """The server as one editor connection sees it (`editor.host.EditorHost`)."""

    def __init__(self, server: Server, hello: Hello) -> None:
        self._server = server
        self.environ: Mapping[str, str] = hello.environ or server.warm.environ
        self.static_only = hello.static_only
        self._ends: list[Callable[[], None]] = []
        self.root = server.place.root
        self.interpreter = sys.executable
        self.version = __version__

    @property
    def tree(self) -> ProjectTree:
        """The project's tests, shared by all editors."""
        return self._server.tree

    @property
    def runs(self) -> Runs:
        """The project's runs, shared by all editors."""
        return self._server.runs

    @property
    def following(self) -> Following:
        """What is collected and run when files change, shared by all editors."""
        return self._server.following

    def status(self) -> dict[str, Any]:
        """The object that `fastcollect status --json` prints."""
        return to_json(self._server.status())

    def saved(self, path: str) -> None:
        """A file was written: what is warm may have to be made again before the next run."""
        self._server.warm.warming.refresh([path])

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change of `status()`; returns what ends that."""
        listeners = self._server.warm.listeners
        listeners.append(listener)

        def end() -> None:
            if listener in listeners:
                listeners.remove(listener)

        self._ends.append(end)
        return end

    def close(self) -> None:
        """The connection has ended."""
        for end in self._ends:
            end()
