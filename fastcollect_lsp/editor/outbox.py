"""What is on its way to one client, with an end to patience."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger(__name__)

MAX_UNREAD = 64 << 20
"""Bytes that may wait for a client that does not read, before one more message drops it."""


class Outbox:
    """The writer that pygls' protocol object gets. Never blocks; memory is bounded.

    Waiting for the client instead (`drain`) would keep its messages as pending tasks: the same
    memory, uncounted.
    """

    def __init__(self, transport: asyncio.WriteTransport, client: str) -> None:
        self._transport = transport
        self._client = client

    def write(self, data: bytes) -> None:
        """Send, or drop a client that has let too much wait."""
        if self._transport.is_closing():
            return
        if (waiting := self._transport.get_write_buffer_size()) > MAX_UNREAD:
            logger.warning("%s dropped: %d bytes unread", self._client, waiting)
            self._transport.abort()
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close once everything is sent."""
        self._transport.close()
