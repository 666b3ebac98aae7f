"""Unsaved buffers on their way into the tree, several key strokes at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastcollect_lsp.editor.documents import encode_source
from fastcollect_lsp.tree import ProjectTree

TEST_FILE_DELAY_S = 0.05
"""From the first of several edits of a test file to its scan."""

OTHER_FILE_DELAY_S = 0.5
"""The same for other modules: the whole project has to be looked at then."""


class Buffers:
    """Tells the tree about one editor's buffers."""

    def __init__(self, tree: ProjectTree, owner: object) -> None:
        """`owner` is who the tree takes the buffers to be of."""
        self._tree = tree
        self._owner = owner
        self._due: dict[str, tuple[asyncio.TimerHandle, Callable[[], str]]] = {}

    def opened(self, path: str, text: str) -> None:
        """A buffer was opened."""
        self._forget(path)
        self._tree.edit(self._owner, path, encode_source(text))

    def edited(self, path: str, text: Callable[[], str]) -> None:
        """A buffer changed; `text` is called once it is time to look at it."""
        if path not in self._due:
            delay = TEST_FILE_DELAY_S if self._tree.is_test_file(path) else OTHER_FILE_DELAY_S
            timer = asyncio.get_running_loop().call_later(delay, self._tell, path)
            self._due[path] = timer, text

    def saved(self, path: str) -> None:
        """A buffer was written to disk."""
        self._forget(path)
        self._tree.saved(self._owner, path)

    def closed(self, path: str) -> None:
        """A buffer was closed, saved or not."""
        self._forget(path)
        self._tree.closed(self._owner, path)

    async def settle(self) -> None:
        """Return when the tree is as the buffers are, without waiting for the delay."""
        for path in tuple(self._due):
            self._tell(path)
        await self._tree.settled()

    def end(self) -> None:
        """The editor is gone, and its unsaved buffers with it."""
        for path in tuple(self._due):
            self._forget(path)
        self._tree.left(self._owner)

    def _tell(self, path: str) -> None:
        _, text = self._forget(path) or (None, None)
        if text is not None:
            self._tree.edit(self._owner, path, encode_source(text()))

    def _forget(self, path: str) -> tuple[asyncio.TimerHandle, Callable[[], str]] | None:
        if (due := self._due.pop(path, None)) is not None:
            due[0].cancel()
        return due
