"""The server's end of the socket to a warm process: what it sends, and whom an answer is for."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fastcollect_lsp import link, protocol
from fastcollect_lsp.link import Link

Test = Callable[[Link, socket.socket, list[dict[str, Any]]], Awaitable[None]]


def linked(test: Test) -> None:
    """Run a test with a link, the process' end of its socket, and what arrives unexpectedly."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        heard: list[dict[str, Any]] = []
        made = Link(ours, heard.append)
        with theirs:
            try:
                await test(made, theirs, heard)
            finally:
                made.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def grown(sock: socket.socket, number: str) -> None:
    """The process says that it has forked."""
    reading, writing = os.pipe()
    protocol.send(sock, {"event": "grown", "id": number, "pid": 1}, (reading,))
    os.close(reading)
    os.close(writing)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_answers_go_to_those_who_asked() -> None:
    """Two ask for a fork at the same time, and are answered in whatever order."""

    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        first, second, third = (made.expect(number) for number in "123")
        for number in "312":
            grown(theirs, number)
        protocol.send(theirs, {"event": "ended"})
        for number, answer in zip("123", (first, second, third), strict=True):
            message = await answer
            assert message["id"] == number
            (fd,) = message["fds"]
            os.close(fd)
        while not heard:
            await asyncio.sleep(0)
        assert heard == [{"event": "ended"}]

    linked(test)


def test_an_answer_that_nobody_wants_any_more_leaves_no_descriptor() -> None:
    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        answer = made.expect("1")
        answer.cancel()
        await asyncio.sleep(0)
        before = descriptors()
        for number in ("1", "never asked"):
            grown(theirs, number)
        protocol.send(theirs, {"event": "ended"})
        while not heard:
            await asyncio.sleep(0)
        assert descriptors() == before
        assert heard == [{"event": "ended"}]

    linked(test)


def test_a_large_message_arrives_whole() -> None:
    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        message = {"text": "x" * 3_000_000}
        with open(os.devnull) as file:
            sending = asyncio.ensure_future(made.send(message, [file.fileno()]))
            reader = protocol.FrameReader(protocol.MAX_CONTROL_FRAME)
            received = await asyncio.to_thread(protocol.receive, theirs, reader)
            await sending
        assert received == message
        (fd,) = reader.take_fds()
        os.close(fd)

    linked(test)


def test_a_process_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a message cannot be taken back: the link is of no use any more."""
    monkeypatch.setattr(link, "SEND_TIMEOUT", 0.2)

    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        with pytest.raises(TimeoutError):
            await made.send({"text": "x" * 3_000_000})
        assert made.closed.is_set()
        with pytest.raises(BrokenPipeError):
            await made.send({})

    linked(test)


def test_closed_while_a_message_waits() -> None:
    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        sending = asyncio.ensure_future(made.send({"text": "x" * 3_000_000}))
        waiting = asyncio.ensure_future(made.send({"text": "next"}))
        await asyncio.sleep(0.05)
        assert not sending.done()
        made.close()
        for each in (sending, waiting):
            with pytest.raises(BrokenPipeError):
                await each

    linked(test)


def test_the_process_ends_while_a_message_waits() -> None:
    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        sending = asyncio.ensure_future(made.send({"text": "x" * 3_000_000}))
        await asyncio.sleep(0.05)
        theirs.close()
        with pytest.raises(OSError):
            await sending

    linked(test)


@pytest.mark.parametrize("pidfd", [True, False])
def test_nobody_else_is_killed(pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has ended, its number is another's by now, and we have not heard of it yet."""
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")

    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            theirs.close()
            made.kill(bystander.pid)
            assert made.closed.is_set()
            made.kill(bystander.pid)
            assert bystander.poll() is None
        finally:
            bystander.kill()
            assert bystander.wait() == -signal.SIGKILL

    linked(test)


def test_who_is_at_the_other_end_is_killed() -> None:
    async def test(made: Link, theirs: socket.socket, heard: list[dict[str, Any]]) -> None:
        process = subprocess.Popen(["sleep", "60"], pass_fds=[theirs.fileno()])
        theirs.close()
        os.kill(process.pid, signal.SIGSTOP)
        made.kill(process.pid)
        assert process.wait() == -signal.SIGKILL

    linked(test)
