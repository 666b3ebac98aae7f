"""The server's end of the socket to the zygote or to one of its checkpoints."""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from . import protocol

log = logging.getLogger("fastcollect.link")

Listener = Callable[[dict[str, Any]], None]

SEND_TIMEOUT = 10.0
"""Seconds in which a process has to have taken a message; it waits for nothing else."""


class Link:
    """Messages in both directions; `on_message` is called for each that arrives, in order."""

    def __init__(self, sock: socket.socket, on_message: Listener) -> None:
        sock.setblocking(False)
        self.on_message = on_message
        self.closed = asyncio.Event()
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader = protocol.FrameReader(protocol.MAX_CONTROL_FRAME, protocol.CONTROL_FDS)
        self._expected: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._sending = asyncio.Lock()
        self._blocked: asyncio.Future[None] | None = None
        """Of a message that waits to be sent."""
        self._loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        try:
            alive = self._reader.receive(self._sock)
            while (message := self._reader.next_frame()) is not None:
                if message.get("event") == "grown":
                    self._grown(message, self._reader.take_fds(1))
                else:
                    self.on_message(message)
        except BlockingIOError:
            return
        except (OSError, protocol.ProtocolError) as error:
            log.warning("link lost: %s", error)
            alive = False
        if not alive:
            self.close()

    def expect(self, grow_id: str) -> asyncio.Future[dict[str, Any]]:
        """What the process will say of a fork that it is about to be asked for, with the
        descriptors that come with it as `fds`. Who does not want it any more cancels it."""
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._expected[grow_id] = answer
        answer.add_done_callback(lambda _: self._expected.pop(grow_id, None))
        return answer

    def _grown(self, message: dict[str, Any], fds: list[int]) -> None:
        answer = self._expected.get(str(message.get("id")))
        if answer is not None and not answer.done():
            answer.set_result({**message, "fds": fds})
            return
        for fd in fds:  # nobody waits any more: the new process sees its link closed, and ends
            os.close(fd)

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Raises OSError when the process at the other end is gone, or does not read; a link on
        which half a message was sent is closed."""
        data = protocol.encode(message, protocol.MAX_CONTROL_FRAME)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
        deadline = self._loop.time() + SEND_TIMEOUT
        async with self._sending:
            rest = memoryview(data)
            while rest:
                if self.closed.is_set():
                    raise BrokenPipeError(errno.EPIPE, "the link is closed")
                try:
                    sent = self._sock.sendmsg([rest], ancillary if fds else [])
                    rest, fds = rest[sent:], ()
                except BlockingIOError:
                    try:
                        await self._writable(deadline)
                    except BaseException:
                        if len(rest) < len(data):
                            self.close()
                        raise

    async def _writable(self, deadline: float) -> None:
        """Wait until something can be sent, or the link is closed. Raises OSError."""
        writable = self._loop.create_future()
        self._loop.add_writer(self._sock, _resolve, writable)
        self._blocked = writable
        try:
            await asyncio.wait_for(writable, deadline - self._loop.time())
        except asyncio.TimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, "it does not read") from None
        finally:
            self._blocked = None
            if not self.closed.is_set():
                self._loop.remove_writer(self._sock)

    def kill(self, pid: int) -> None:
        """End the process at the other end, which has this pid, and close.

        A number may be another process' as soon as its own has ended, which we may not have heard
        of: it is taken hold of first, and is still the one at the other end if that is open then.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except (OSError, AttributeError):
            pidfd = -1
        if not self.closed.is_set() and not self._hung_up():
            with contextlib.suppress(OSError):
                if pidfd >= 0:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                else:  # as good as it gets here
                    os.kill(pid, signal.SIGKILL)
        if pidfd >= 0:
            os.close(pidfd)
        self.close()

    def _hung_up(self) -> bool:
        """Whether nobody has the other end any more."""
        poll = select.poll()
        poll.register(self._sock, 0)
        return bool(poll.poll(0))

    def close(self) -> None:
        """The process at the other end sees this as the order to end."""
        if not self.closed.is_set():
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            if self._blocked is not None:
                _resolve(self._blocked)
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
