"""Has texts of collected test modules read (`pytest_fastcollect.studying`), for cold runs."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from . import cache
from .rendezvous import Place

log = logging.getLogger("fastcollect.studying")


class Studying:
    """One process at a time, at low priority."""

    def __init__(self, place: Place) -> None:
        self._project = place.directory.name
        self._wanted = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing is being read and nothing is to be."""
        self.idle.set()

    def begin(self) -> None:
        """Something was collected."""
        self.idle.clear()
        self._wanted.set()

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            files = self._files()
            if files and not _are_studied(files):
                try:
                    await self._read(files)
                except OSError as error:
                    log.warning("test modules were not read: %s", error)
            if not self._wanted.is_set():
                self.idle.set()

    def _files(self) -> list[str]:
        directory = cache.directory()
        if directory is None:
            return []
        return sorted(map(str, Path(directory).glob(f"{self._project}-*.collected")))

    async def _read(self, files: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "pytest_fastcollect.studying", *files,
            stdin=asyncio.subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        log.info("test modules read, status %d", status)


def _are_studied(files: list[str]) -> bool:
    """Whether nothing was collected since they were read."""
    studies = Path(files[0].rpartition("-")[0] + ".studies")
    try:
        read_ns = studies.stat().st_mtime_ns
        return all(os.stat(file).st_mtime_ns < read_ns for file in files)
    except OSError:
        return False
