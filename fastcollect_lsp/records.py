"""The records that runs have left, and what has become of the files since."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

from . import protocol, rendezvous
from .protocol import Record

log = logging.getLogger("fastcollect.records")

ABANDONED_S = 60.0
"""Seconds that nobody takes to write a record."""


def edited_since(record: Record) -> set[str]:
    """Files of a record's steps that are younger than the record."""
    found = set()
    for path in {segment.path for segment in record.segments}:
        if path is not None:
            with contextlib.suppress(OSError):
                if os.stat(path).st_ctime_ns >= record.began_ns:
                    found.add(path)
    return found


def _remove_abandoned(entry: os.DirEntry[str]) -> None:
    """What a run was writing when it was killed."""
    with contextlib.suppress(OSError):
        if time.time() - entry.stat().st_mtime > ABANDONED_S:
            os.unlink(entry.path)


def read_records(directory: os.PathLike[str]) -> list[Record]:
    """Take the records that runs have left, oldest first; what cannot be read is dropped."""
    records: list[tuple[float, Record]] = []
    with contextlib.suppress(FileNotFoundError):
        try:
            rendezvous.check_owned(Path(directory), allowed=0o700)
        except rendezvous.Unsafe as error:  # a record has modules imported
            log.warning("records not read: %s", error)
            return []
        for entry in list(os.scandir(directory)):
            if entry.name.startswith("."):
                _remove_abandoned(entry)
                continue
            try:
                with open(entry.path, "rb") as file:
                    stat = os.fstat(file.fileno())
                    data = file.read(protocol.MAX_CONTROL_FRAME)
                records.append((stat.st_mtime, protocol.parse_record(protocol.decode(data))))
            except (OSError, protocol.ProtocolError) as error:
                log.warning("record %s dropped: %s", entry.name, error)
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]
