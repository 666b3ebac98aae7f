"""`ProjectTree`: the one owner of the project's tests as editors see them.

Each file's items are static (the Rust scan's) until pytest has collected the file and its exact
items are set; whatever changes the file drops them back to static. An unsaved buffer (*overlay*)
hides a file's exact items as long as it differs from what is on disk.

All state belongs to the event loop's thread; only the scan runs in a worker thread, one call at a
time. Readers get immutable snapshots, listeners get what changed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
    Set,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastcollect_lsp.editor import scanning, wire
from fastcollect_lsp.editor.snapshot import Entry, Snapshot, TreeChange

if TYPE_CHECKING:
    from fastcollect_lsp._core import Scan

logger = logging.getLogger(__name__)

GATHER_S = 0.1
"""Seconds for which files that a run has collected are gathered: each change costs an editor a look
at the whole tree."""

Listener = Callable[[TreeChange], None]

Signature = tuple[int, int, int]
"""Of a file: mtime and ctime in ns, and size."""


@dataclass(frozen=True)
class FoundFixture:
    """The definition of a fixture."""

    path: str
    """Absolute."""
    start: tuple[int, int]
    """Line and column of its `def`, as LSP counts them."""
    end: tuple[int, int]
    scope: str | None
    """As `scope=` says it, where that is plain."""


class ProjectTree:
    """The project's tests. Its methods are called in the event loop's thread."""

    def __init__(self, scan: Scan, root: str) -> None:
        """`root` is pytest's rootdir, absolute. Nothing is scanned before the first `refresh`."""
        self.root = root
        self._scan = scan
        self._snapshot = Snapshot.empty()
        self._counts = (0, 0)
        self._paths: Sequence[str] = ()
        self._directories: Mapping[str, Entry] = {}
        self._static: dict[str, Entry] = {}
        self._exact: dict[str, Entry | None] = {}
        self._buffers: dict[str, dict[Hashable, bytes]] = {}
        self._scanned_overlays: Set[str] = set()  # files whose static items are a buffer's
        self._listeners: list[Listener] = []
        self._followers: list[Callable[[Set[str]], None]] = []
        self._changed: set[str] = set()  # paths that the next scan has to follow up
        self._signatures: dict[str, Signature | None] = {}
        self._scanning = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._showing: asyncio.TimerHandle | None = None
        self._begun = False
        self._known = asyncio.Event()

    # ---- reading ----

    @property
    def snapshot(self) -> Snapshot:
        """The tree as it is now."""
        return self._snapshot

    @property
    def counts(self) -> tuple[int, int]:
        """(files, tests) of the static scan."""
        return self._counts

    @property
    def directories(self) -> list[str]:
        """All directories that the last scan looked into, absolute, with and without tests."""
        return self._scan.directories

    def is_test_file(self, path: str) -> bool:
        """Whether the static scan counts this file (absolute path) among the project's tests."""
        return path in self._static or path in self._paths

    async def scanned(self) -> None:
        """Wait for the end of the first scan, which somebody else starts."""
        await self._known.wait()

    async def known(self) -> None:
        """Wait for the end of the first scan; starts it if nobody has."""
        if not self._begun:
            await self.refresh()
        await self._known.wait()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every change, right after it; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def follow(self, follower: Callable[[Set[str]], None]) -> Callable[[], None]:
        """Call `follower` with the test files (absolute paths) that changes on disk concern: those
        that changed and those that import, directly or not, what did. Returns what ends that."""
        self._followers.append(follower)
        return lambda: self._followers.remove(follower)

    async def fixture(self, path: str, line: int, name: str, named: bool) -> FoundFixture | None:
        """The fixture that a name in a line of a file means (`Scan.fixture`)."""
        found = await asyncio.to_thread(self._scan.fixture, path, line, name, named)
        if found is None:
            return None
        file, (first, column, last, end), scope = found
        return FoundFixture(file, (first, column), (last, end), scope)

    async def settled(self) -> None:
        """Wait until everything that has been asked for by now is done."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    # ---- what happens to files ----
    # Each takes effect at once; what it returns may be awaited for the scan that follows.

    def refresh(self) -> Awaitable[None]:
        """Scan what changed on disk. Calls that come while one is waiting to begin share it."""
        self._begun = True
        if self._waiting is None or self._waiting.done():
            self._waiting = self._start(self._refresh())
        # Shielded: a caller that is cancelled must not take the others' scan with it, nor lose
        # what the worker thread, which cannot be cancelled, has found out.
        return asyncio.shield(self._waiting)

    def changed_on_disk(self, paths: Iterable[str]) -> Awaitable[None]:
        """Files (absolute paths) were written, created or deleted: forget their exact items."""
        for path in paths:
            # An editor's save and the file system's event are one change.
            signature = _signature(path)
            if path not in self._signatures or self._signatures[path] != signature:
                self._signatures[path] = signature
                self._exact.pop(path, None)
                self._changed.add(path)
        return self.refresh()

    def edit(self, owner: Hashable, path: str, text: bytes) -> Awaitable[None]:
        """An editor's buffer of a file changed, or was opened: it counts until closed or saved.

        `owner` tells several editors apart; the buffer that was edited last is the one that counts.
        """
        buffers = self._buffers.setdefault(path, {})
        buffers.pop(owner, None)
        buffers[owner] = text
        return asyncio.shield(self._start(self._scan_buffer(path, owner, text)))

    def saved(self, owner: Hashable, path: str) -> Awaitable[None]:
        """An editor wrote its buffer to disk."""
        self._drop_buffer(owner, path)
        return self.changed_on_disk([path])

    def closed(self, owner: Hashable, path: str) -> Awaitable[None]:
        """An editor closed a buffer: what is on disk counts again."""
        return self._refresh_if(self._drop_buffer(owner, path))

    def left(self, owner: Hashable) -> Awaitable[None]:
        """An editor is gone with all its buffers."""
        dropped = [path for path in tuple(self._buffers) if self._drop_buffer(owner, path)]
        return self._refresh_if(bool(dropped))

    async def rescan_with(self, scan: Scan, root: str) -> None:
        """The project's configuration changed: everything is as this new scan finds it."""
        async with self._scanning:
            self._scan, self.root = scan, root
            self._paths, self._directories = (), {}
            self._static.clear()
            self._exact.clear()
            self._scanned_overlays = set()
        await self.refresh()

    # ---- what pytest found ----

    def set_exact(self, path: str, items: Sequence[wire.TestItem]) -> None:
        """pytest has collected a file as it is on disk: these are its items, the file's item first.

        None at all: pytest finds nothing there. The file's item has its `uri`; an item without a
        `range` keeps the one that the static scan has for it, or for its function.
        """
        self.set_exact_files({path: items})

    def set_exact_soon(self, path: str, items: Sequence[wire.TestItem]) -> None:
        """`set_exact`, shown together with others that come within `GATHER_S`."""
        self._exact[path] = scanning.exact_entry(items, self._static.get(path))
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_later(GATHER_S, self._show)

    def show_gathered(self) -> None:
        """Show now what was to be shown soon."""
        if self._showing is not None:
            self._show()

    def set_exact_files(self, files: Mapping[str, Sequence[wire.TestItem]]) -> None:
        """`set_exact` for several files, as one change."""
        for path, items in files.items():
            self._exact[path] = scanning.exact_entry(items, self._static.get(path))
        self._show()

    def set_error(self, path: str, error: str, line: int | None) -> None:
        """pytest cannot collect a file as it is on disk: its items stay, and say why."""
        if (static := self._static.get(path)) is not None:
            self._exact[path] = scanning.entry_with_error(static, error, line)
            self._show()

    def drop_exact(self, paths: Iterable[str] | None = None) -> None:
        """Exact items of these files (None: of all) do not hold any more."""
        for path in list(self._exact) if paths is None else paths:
            self._exact.pop(path, None)
        self._show()

    # ---- inside ----

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work` as a task of the tree's own; an error is logged, the tree stays as it was."""

        async def guarded() -> None:
            try:
                await work
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a panic in Rust is no Exception
                logger.exception("scan failed")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
        return task

    def _refresh_if(self, needed: bool) -> Awaitable[None]:
        """`refresh`, or nothing."""
        if needed:
            return self.refresh()
        nothing = asyncio.get_running_loop().create_future()
        nothing.set_result(None)
        return nothing

    async def _refresh(self) -> None:
        try:
            async with self._scanning:
                if self._waiting is asyncio.current_task():
                    self._waiting = None
                overlays = {path: text for path in self._buffers if (text := self._overlay(path))}
                scan, root = self._scan, self.root
                changed, self._changed = self._changed, set()
                scanned, concerned = await asyncio.to_thread(
                    scanning.scan_all, scan, overlays, root, changed
                )
                reverted = self._scanned_overlays - overlays.keys()
                self._scanned_overlays = set(overlays)
                for path in concerned:
                    self._exact.pop(path, None)
                self._take(scanned, reverted)
            if concerned:
                for follower in tuple(self._followers):
                    follower(concerned)
        finally:
            self._known.set()

    async def _scan_buffer(self, path: str, owner: Hashable, text: bytes) -> None:
        async with self._scanning:
            if self._buffers.get(path, {}).get(owner) is not text:
                return  # closed, saved or edited again while this was waiting
            unchanged = await asyncio.to_thread(scanning.same_as_disk, path, text)
            if unchanged and self._buffers.get(path, {}).get(owner) is text:
                self._drop_buffer(owner, path)
            overlay = self._overlay(path)
            if overlay is None and path not in self._scanned_overlays:
                return  # opened, and not edited yet: what is known of the file holds
            if self.is_test_file(path):
                scanned = await asyncio.to_thread(scanning.scan_one, self._scan, path, overlay)
                reverted = {path} if overlay is None else set()
                self._scanned_overlays = (self._scanned_overlays | {path}) - reverted
                self._take(scanned, reverted)
                return
        # Not a test file, as far as is known: it may have become one, and others may import it.
        await self.refresh()

    def _overlay(self, path: str) -> bytes | None:
        """The unsaved buffer that counts for a file."""
        buffers = self._buffers.get(path)
        return next(reversed(buffers.values())) if buffers else None

    def _drop_buffer(self, owner: Hashable, path: str) -> bool:
        """Forget an editor's buffer; returns whether there was one."""
        buffers = self._buffers.get(path, {})
        had = buffers.pop(owner, None) is not None
        if had and not buffers:
            del self._buffers[path]
        return had

    def _take(self, scanned: scanning.Scanned, reverted: Set[str]) -> None:
        """Make what a scan found out the tree's state.

        `reverted` files differ from the scan before only because a buffer of theirs is gone: what
        pytest has found in them holds.
        """
        self._counts = scanned.counts
        if scanned.tree is not None:
            self._paths, self._directories = scanned.tree
        for path, entry in scanned.files.items():
            if path not in self._scanned_overlays and path not in reverted:
                self._exact.pop(path, None)
            if entry is None:
                self._static.pop(path, None)
            else:
                self._static[path] = entry
        self._show()

    def _show(self) -> None:
        """Put the snapshot together anew and tell listeners what differs."""
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None
        # Files only pytest knows (a plugin's, a doctest) come after those of the scan.
        others = sorted(self._exact.keys() - set(self._paths))
        directories = dict(self._directories)
        for path in others:
            if entry := self._exact[path]:
                directories |= scanning.directories_of(entry, self.root) | directories
        entries = dict(directories)
        for path in (*self._paths, *others):
            if (entry := self._entry(path)) is not None:
                entries[path] = entry
        self._snapshot, change = self._snapshot.successor(entries, len(directories))
        if change:
            logger.debug(
                "tree %d: %d replaced, %d removed",
                change.generation,
                len(change.replaced),
                len(change.removed),
            )
            for listener in tuple(self._listeners):
                listener(change)

    def _entry(self, path: str) -> Entry | None:
        """What counts for a file: exact items, unless a buffer hides them; else static ones."""
        if path in self._exact and path not in self._scanned_overlays:
            return self._exact[path]
        return self._static.get(path)


def _signature(path: str) -> Signature | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size
