"""The records that runs have left, and what has become of the files since."""

from __future__ import annotations

import contextlib
import json
import logging
import os

from . import protocol
from .protocol import Record

log = logging.getLogger("fastcollect.records")


def edited_since(record: Record) -> set[str]:
    """Files of a record's steps that are younger than the record."""
    found = set()
    for path in {segment.path for segment in record.segments}:
        if path is not None:
            with contextlib.suppress(OSError):
                if os.stat(path).st_ctime_ns >= record.began_ns:
                    found.add(path)
    return found


def read_records(directory: os.PathLike[str]) -> list[Record]:
    """Take the records that runs have left, oldest first; what cannot be read is dropped."""
    records: list[tuple[float, Record]] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(directory)):
            if entry.name.startswith("."):
                continue
            try:
                with open(entry.path, "rb") as file:
                    stat = os.fstat(file.fileno())
                    data = file.read(protocol.MAX_CONTROL_FRAME)
                records.append((stat.st_mtime, protocol.parse_record(json.loads(data))))
            except (OSError, ValueError, protocol.ProtocolError) as error:
                log.warning("record %s dropped: %s", entry.name, error)
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]
