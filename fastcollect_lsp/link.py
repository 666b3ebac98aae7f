"""The server's end of the socket to the zygote or to one of its checkpoints."""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from . import protocol

log = logging.getLogger("fastcollect.link")

Listener = Callable[[dict[str, Any]], None]


class Link:
    """Messages in both directions; `on_message` is called for each that arrives, in order."""

    def __init__(self, sock: socket.socket, on_message: Listener) -> None:
        sock.setblocking(False)
        self.on_message = on_message
        self.closed = asyncio.Event()
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader = protocol.FrameReader(protocol.MAX_CONTROL_FRAME, max_fds=1)
        self._sending = asyncio.Lock()
        self._loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        try:
            alive = self._reader.receive(self._sock)
            while (message := self._reader.next_frame()) is not None:
                if message.get("event") == "grown":
                    message["fds"] = self._reader.take_fds()
                self.on_message(message)
        except BlockingIOError:
            return
        except (OSError, protocol.ProtocolError) as error:
            log.warning("link lost: %s", error)
            alive = False
        if not alive:
            self.close()

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Raises OSError when the process at the other end is gone."""
        data = protocol.encode(message, protocol.MAX_CONTROL_FRAME)
        async with self._sending:
            if fds:
                data = data[await self._send_fds(data, fds) :]
            await self._loop.sock_sendall(self._sock, data)

    async def _send_fds(self, data: bytes, fds: Sequence[int]) -> int:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
        while True:
            try:
                return self._sock.sendmsg([data], ancillary)
            except BlockingIOError:
                writable = self._loop.create_future()
                self._loop.add_writer(self._sock, writable.set_result, None)
                try:
                    await writable
                finally:
                    self._loop.remove_writer(self._sock)

    def close(self) -> None:
        """The process at the other end sees this as the order to end."""
        if not self.closed.is_set():
            self._loop.remove_reader(self._sock)
            self._sock.close()
            for fd in self._reader.take_fds():
                with contextlib.suppress(OSError):
                    os.close(fd)
            self.closed.set()


async def next_frame(sock: socket.socket, reader: protocol.FrameReader) -> dict[str, Any] | None:
    """The next frame of a non-blocking socket, None at its end. Raises OSError, ProtocolError."""
    loop = asyncio.get_running_loop()
    while (message := reader.next_frame()) is None:
        try:
            if not reader.receive(sock):
                return None
        except BlockingIOError:
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(sock, _resolve, readable)
            try:
                await readable
            finally:
                loop.remove_reader(sock)
    return message


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
