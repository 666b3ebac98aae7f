"""Follows the disk: what is warm and what editors see, when files change by whomever.

Owns what is watched: the inputs of all warm processes and the directories of the test tree.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ._core import InputSet
from .checkpoint import Checkpoint
from .listing import SHARED
from .status import WatchStatus
from .warm import Warm
from .watch import Changes, FileWatch

if TYPE_CHECKING:
    from .tree import ProjectTree

log = logging.getLogger("fastcollect.freshness")

CONFIG_FILES = frozenset(
    "pytest.toml .pytest.toml pytest.ini .pytest.ini pyproject.toml tox.ini setup.cfg".split()
)
"""Files pytest reads its configuration from (`_pytest/config/findpaths.py`)."""


class Freshness:
    """Has made again what no longer holds, as soon as the file system says so."""

    def __init__(self, root: str, warm: Warm) -> None:
        self._root = root
        self._warm = warm
        self._tree: ProjectTree | None = None
        self._inputs: list[InputSet] = []
        self._directories: list[str] = []
        self._doubt = asyncio.Event()
        self._news = False
        """Whether something has changed because of which what has failed may succeed."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = ""
        self._watch: FileWatch | None = None
        try:
            self._watch = FileWatch(self._changed)
        except OSError as error:
            self._trouble = f"not watching: {error.strerror}"
            log.warning("%s", self._trouble)
        warm.listeners.append(self._warm_changed)
        self._aim()

    @property
    def status(self) -> WatchStatus:
        """What of the project is watched."""
        if self._watch is None:
            return WatchStatus(0, 0, self._trouble, self._trouble)
        return self._watch.status

    def follow(self, tree: ProjectTree) -> None:
        """Keep this tree up to date, too."""
        self._tree = tree
        tree.listen(lambda _: self._tree_changed(tree))
        self._spawn(self._aim_at_scanned(tree))

    async def work(self) -> None:
        """Prove what is warm whenever there is doubt, until cancelled."""
        while True:
            await self._doubt.wait()
            await self._warm.warming.idle.wait()
            self._doubt.clear()
            await self.look(again=self._news)

    async def look(self, again: bool = True) -> None:
        """Have made again what does not hold now, whether or not an event has told of it.

        `again`: also what has failed; its inputs are not known."""
        failed = self._warm.warming.failure is not None and again
        self._news = False
        if failed or await asyncio.to_thread(_is_stale, self._checkpoints()):
            log.info("files changed: warming again")
            self._warm.warming.refresh()
        self._warm.sessions.look()

    async def close(self) -> None:
        """Stop watching."""
        if self._warm_changed in self._warm.listeners:
            self._warm.listeners.remove(self._warm_changed)
        for task in self._tasks:
            task.cancel()
        if self._watch is not None:
            await self._watch.close()

    # ---------------------------------------------------------------- what happens

    def _changed(self, changes: Changes) -> None:
        """A burst of events has ended."""
        warming = self._warm.warming
        if warming.building and (changes.everything or not all(map(os.path.isdir, changes.paths))):
            # It knows whether to begin again. Directories may be named for being new to us alone.
            warming.refresh(None if changes.everything else changes.paths)
        self._news |= changes.everything or any(map(self._is_news, changes.paths))
        self._doubt.set()
        if self._tree is None:
            self._aim()
            return
        self._spawn(self._rescan(self._tree, changes))

    def _is_news(self, path: str) -> bool:
        directory = os.path.dirname(path)
        return directory not in SHARED or directory == self._root

    async def _rescan(self, tree: ProjectTree, changes: Changes) -> None:
        names = {os.path.basename(path) for path in changes.paths}
        if changes.everything or names & CONFIG_FILES:
            from .static import project_scan  # what it imports, only editors need

            scan = await asyncio.to_thread(project_scan, self._root)
            await tree.rescan_with(scan, self._root)
        else:
            await tree.changed_on_disk(changes.paths)
        self._aim()  # new directories, also those without tests so far, change no tree

    def _tree_changed(self, tree: ProjectTree) -> None:
        if tree.directories != self._directories:  # not with every key that is typed
            self._aim()

    async def _aim_at_scanned(self, tree: ProjectTree) -> None:
        await tree.scanned()
        self._aim()  # a tree without any test has directories, and changes for nobody

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what changed was not looked at", exc_info=error)

    def _warm_changed(self) -> None:
        if not self._warm.warming.building and self._inputs != self._input_sets():
            self._aim()

    # ---------------------------------------------------------------- what is watched

    def _aim(self) -> None:
        """Watch what matters now."""
        if self._watch is None:
            return
        self._inputs = self._input_sets()
        self._directories = self._tree.directories if self._tree is not None else []
        self._watch.aim([self._root, *self._directories], self._inputs)

    def _input_sets(self) -> list[InputSet]:
        sessions = self._warm.pool.sessions.values()
        return [checkpoint.inputs for checkpoint in (*self._checkpoints(), *sessions)]

    def _checkpoints(self) -> list[Checkpoint]:
        pool = self._warm.pool
        return [*pool.points, *([pool.zygote] if pool.zygote is not None else [])]


def _is_stale(checkpoints: list[Checkpoint]) -> bool:
    return any(checkpoint.inputs.changed(limit=1) for checkpoint in checkpoints)
