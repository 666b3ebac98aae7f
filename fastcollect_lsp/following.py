"""What happens by itself while an editor looks on: collecting what changed, and running it again.

Everything here is a run like any other (`runs`), served by what is warm; a change begins one, never
decides what its result is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Coroutine, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from .run import Refused, Run, Wanted
from .runs import Runs
from .tree import ProjectTree
from .warm import Warm

log = logging.getLogger("fastcollect.following")

GATHER_S = 0.15
"""Seconds after a change for which others are gathered: saving everything is one change."""
WARM_TIMEOUT = 20.0
"""Seconds for which a background collection waits for what is being warmed."""
MOST_FILES = 200
"""More changed files than this are collected as everything: the command line has an end."""

_numbers = itertools.count(1)


class Following:
    """Collects what changed, and keeps continuous runs going."""

    def __init__(self, runs: Runs, tree: ProjectTree, warm: Warm, command: Sequence[str]) -> None:
        self._runs = runs
        self._tree = tree
        self._warm = warm
        self._command = command
        self._environ: Mapping[str, str] = {}
        self._begun = False
        self._continuous: dict[str, Wanted] = {}
        self._concerned: set[str] = set()
        self._everything = False
        self._due = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, environ: Mapping[str, str]) -> None:
        """An editor is there for which the project may be imported. Only the first one counts."""
        if self._begun:
            return
        self._begun = True
        self._environ = environ
        self._tree.follow(self._changed)
        self._everything = True
        self._due.set()
        self._spawn(self._collect_what_changed())

    def keep_running(self, wanted: Wanted) -> None:
        """Run again, whenever a change concerns it, until `forget`."""
        self._continuous[wanted.id] = wanted

    def forget(self, run_id: str) -> bool:
        """End a continuous run; what of it is going on goes on. Whether there was one."""
        return self._continuous.pop(run_id, None) is not None

    def generation(self, run_id: str) -> list[str]:
        """Ids of the runs going on that a continuous run has begun."""
        return [run for run in self._runs.going if run.startswith(f"{run_id}/")]

    # ---------------------------------------------------------------- changes

    def _changed(self, files: Set[str]) -> None:
        self._concerned |= files
        self._due.set()
        for wanted in tuple(self._continuous.values()):
            self._spawn(self._run_again(wanted, files))

    async def _run_again(self, wanted: Wanted, files: Set[str]) -> None:
        await asyncio.sleep(GATHER_S)
        include = concerned(wanted.include, files, self._tree.root)
        if not include:
            return
        for run_id in self.generation(wanted.id):  # overtaken
            self._runs.cancel(run_id)
            while run_id in self._runs.going:
                await asyncio.sleep(0.02)
        if wanted.id not in self._continuous:
            return
        again = replace(wanted, id=f"{wanted.id}/{next(_numbers)}", include=include)
        with contextlib.suppress(Refused):
            self._runs.begin(again, self._command, origin="watch")

    # ---------------------------------------------------------------- collecting

    async def _collect_what_changed(self) -> None:
        while True:
            await self._due.wait()
            await asyncio.sleep(GATHER_S)
            self._due.clear()
            files, self._concerned = self._concerned, set()
            everything = self._everything or len(files) > MOST_FILES
            self._everything = False
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._warm.warming.idle.wait(), WARM_TIMEOUT)
            await self._runs.none_watched()
            try:
                await self._collect(None if everything else sorted(files))
            except Refused as refused:
                log.warning("nothing is collected: %s", refused)

    async def _collect(self, files: Sequence[str] | None) -> None:
        """Collect these files, or everything, in the background. Raises Refused."""
        args = ("--collect-only", "-q")
        wanted = Wanted(f"collect-{next(_numbers)}", "collect", files, (), args, self._environ)
        command = ["nice", "-n", "5", *self._command]
        run = self._runs.begin(wanted, command, hidden=True)
        await run.ended.wait()
        if run.connected and run.exit in (0, 2, 5):
            self._forget_what_vanished(run, files)

    def _forget_what_vanished(self, run: Run, files: Sequence[str] | None) -> None:
        """Files in which pytest has found nothing, and no error either."""
        if files is None:
            files = [path for path, _ in self._tree.snapshot.files()]
        for path in files:
            if path not in run.collected and not changed_since(path, run.began_ns):
                self._tree.set_exact(path, [])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a change was not followed", exc_info=error)

    def end(self) -> None:
        """The server ends."""
        for task in tuple(self._tasks):
            task.cancel()


def concerned(include: Sequence[str] | None, files: Set[str], root: str) -> list[str]:
    """Of a selection of node ids (None: everything), what lies in these test files (absolute).

    A directory that was selected becomes those of the files that are in it.
    """
    paths = {path: Path(path).relative_to(root).as_posix() for path in files if _below(path, root)}
    names = sorted(paths.values())
    if include is None:
        return names
    found: dict[str, None] = {}
    for nodeid in include:
        path = nodeid.partition("::")[0].rstrip("/")
        if path in names:
            found.setdefault(nodeid)
        else:
            inside = path in ("", ".")
            for name in names:
                if inside or name.startswith(f"{path}/"):
                    found.setdefault(name)
    return list(found)


def _below(path: str, root: str) -> bool:
    return Path(path).is_relative_to(root)


def changed_since(path: str, began_ns: int) -> bool:
    """Whether a file has been written since, or is gone."""
    try:
        return Path(path).stat().st_mtime_ns >= began_ns
    except OSError:
        return True
