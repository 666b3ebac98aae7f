"""`fastcollect lsp`'s relay: every byte, both half-closes, either side's end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Literal

import pytest
from editor_client import ANNOUNCED, HANG, Client, Server

MEGABYTES = 8 << 20

RELAY = """
import socket, sys
from fastcollect_lsp.editor.relay import relay
sock = socket.socket(fileno=int(sys.argv[1]))
sock.setblocking(sys.argv[2] == "blocking")
assert "pygls" not in sys.modules and "asyncio" not in sys.modules
sys.exit(relay(sock, 0, 1))
"""


def _stream(kind: str, mode: Literal["rb", "wb"]) -> tuple[int, IO[bytes]]:
    """The relay's end and ours, to read from or to write to."""
    if kind == "sockets":
        ours, theirs = socket.socketpair()
        with ours:
            return theirs.detach(), ours.makefile(mode)
    read_end, write_end = os.pipe()
    if mode == "rb":
        return write_end, os.fdopen(read_end, "rb")
    return read_end, os.fdopen(write_end, "wb")


class Relay:
    """The relay as its own process, between pipes (or sockets, as Node uses) and a socket."""

    def __init__(self, blocking: str, streams: str) -> None:
        self.server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.settimeout(30)
        stdin, self.stdin = _stream(streams, "wb")
        stdout, self.stdout = _stream(streams, "rb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", RELAY, str(theirs.fileno()), blocking],
            stdin=stdin,
            stdout=stdout,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        os.close(stdin)
        os.close(stdout)

    def received(self) -> bytes:
        """What the server gets until the end of the editor's side."""
        chunks = []
        while chunk := self.server.recv(1 << 16):
            chunks.append(chunk)
        return b"".join(chunks)

    def exit_status(self) -> int:
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.stdin, self.stdout, self.server):
            try:
                stream.close()
            except OSError:
                pass


@pytest.fixture(params=["blocking pipes", "nonblocking sockets"])
def relay(request: pytest.FixtureRequest) -> Iterator[Relay]:
    with closing(Relay(*request.param.split())) as running:
        yield running


def test_both_ways_at_once_and_half_closes(relay: Relay) -> None:
    """More than fits into any buffer, in both directions; answers after the question's end."""
    upward = random.Random(1).randbytes(MEGABYTES)
    downward = random.Random(2).randbytes(MEGABYTES)

    def ask() -> None:
        relay.stdin.write(upward)
        relay.stdin.close()

    asking = threading.Thread(target=ask)
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(relay.stdout.read()))
    asking.start()
    reading.start()
    relay.server.sendall(downward[: MEGABYTES // 2])
    assert relay.received() == upward
    relay.server.sendall(downward[MEGABYTES // 2 :])
    relay.server.close()
    reading.join(30)
    asking.join(30)
    assert got == [downward]
    assert relay.exit_status() == 0


def test_server_closes_first(relay: Relay) -> None:
    relay.server.sendall(b"last words")
    relay.server.close()
    assert relay.stdout.read() == b"last words"
    assert relay.exit_status() == 0


def test_server_reads_no_more_but_answers(relay: Relay) -> None:
    relay.server.shutdown(socket.SHUT_RD)
    relay.stdin.write(b"not wanted")
    relay.stdin.flush()
    relay.server.sendall(b"answer")
    relay.server.close()
    assert relay.stdout.read() == b"answer"
    assert relay.exit_status() in (0, 1)


def test_editor_is_gone_while_the_server_is_silent(relay: Relay) -> None:
    relay.stdout.close()
    relay.stdin.close()
    assert relay.received() == b""
    relay.server.close()
    assert relay.exit_status() == 0


def test_reader_is_gone_though_stdin_is_open() -> None:
    """A pipe without a reader ends the relay at once: there is nobody to work for."""
    with closing(Relay("blocking", "pipes")) as relay:
        relay.stdin.write(b"x")
        relay.stdin.flush()
        assert relay.server.recv(1) == b"x"
        relay.stdout.close()
        assert relay.exit_status() == 0
        assert relay.received() == b""


def test_reader_is_gone_in_the_midst_of_an_answer(relay: Relay) -> None:
    relay.stdout.close()
    try:
        while True:
            relay.server.sendall(bytes(1 << 16))
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert relay.exit_status() == 0


def test_server_is_killed() -> None:
    """What it had sent is delivered, and the exit status tells that it did not end by itself."""
    ours, theirs = socket.socketpair()
    script = "import socket,sys,time; s = socket.socket(fileno=int(sys.argv[1]));"
    script += "s.sendall(b'partial'); print('sent', flush=True); time.sleep(60)"
    server = subprocess.Popen(
        [sys.executable, "-c", script, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
    )
    theirs.close()
    read_end, write_end = os.pipe()
    ours.sendall(b"never read")
    process = subprocess.Popen(
        [sys.executable, "-c", RELAY, str(ours.fileno()), "blocking"],
        stdin=read_end,
        stdout=subprocess.PIPE,
        pass_fds=[ours.fileno()],
    )
    ours.close()
    assert server.stdout and process.stdout
    assert server.stdout.read(5) == b"sent\n"
    server.send_signal(signal.SIGKILL)
    server.wait(30)
    assert process.stdout.read() == b"partial"
    assert process.wait(30) == 1
    for end in (read_end, write_end):
        os.close(end)
    server.stdout.close()
    process.stdout.close()


@pytest.mark.asyncio
async def test_an_editor_behind_the_relay(server: Server) -> None:
    """The real server at the other end: an editor's whole conversation."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(server.path)
    stdin, to_relay = os.pipe()
    from_relay, stdout = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", RELAY, str(sock.fileno()), "blocking"],
        stdin=stdin,
        stdout=stdout,
        pass_fds=[sock.fileno()],
    )
    sock.close()
    os.close(stdin)
    os.close(stdout)
    editor = await piped_client(from_relay, to_relay)
    await editor.initialize(ANNOUNCED)
    assert "sub/test_two.py::test_second" in await editor.ids()
    await editor.request("shutdown")
    editor.notify("exit", None)
    await editor.ended
    assert await asyncio.wait_for(process.wait(), HANG) == 0
    await editor.close()


async def piped_client(from_relay: int, to_relay: int) -> Client:
    """A client on two pipes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    source = os.fdopen(from_relay, "rb")
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    sink = os.fdopen(to_relay, "wb")
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), sink
    )
    return Client(reader, asyncio.StreamWriter(transport, protocol, None, loop))


def test_flags_of_shared_descriptors_stay(relay: Relay) -> None:
    relay.stdin.write(b"ping")
    relay.stdin.flush()
    assert relay.server.recv(4) == b"ping"
    relay.server.sendall(b"pong")
    assert relay.stdout.read(4) == b"pong"
    for number in (0, 1):
        with open(f"/proc/{relay.process.pid}/fdinfo/{number}") as info:
            flags = int(info.read().split("flags:")[1].split()[0], 8)
        assert not flags & os.O_NONBLOCK
