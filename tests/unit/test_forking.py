"""A warm process whose forks fail, stand still or are not needed: nothing hangs, nobody's streams
are kept, and what waits goes on waiting."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcollect_lsp import protocol
from fastcollect_lsp.checkpoint import START
from fastcollect_lsp.protocol import FrameReader
from tests.support import ended, eventually
from tests.unit.test_waiting import PLAN, REQUEST, WAIT_S


class Zygote:
    """One, with the test in the place of its server."""

    def __init__(self, before: str = "") -> None:
        """`before`: what its interpreter executes first of all."""
        self.control, theirs = socket.socketpair()
        with theirs:
            code = f"{before}\n{START.format(theirs.fileno(), None)}"
            command = [sys.executable, "-c", code]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self.control.settimeout(WAIT_S)
        self.reader = FrameReader(protocol.MAX_CONTROL_FRAME, protocol.CONTROL_FDS)
        assert self.event()["event"] == "started"

    def event(self) -> dict[str, Any]:
        """What it says next."""
        message = protocol.receive(self.control, self.reader)
        assert message is not None, "it has ended"
        return message

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        protocol.send(self.control, message, fds, protocol.MAX_CONTROL_FRAME)

    def children(self) -> list[int]:
        """Its processes, the latest last."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]

    def new_child(self) -> int:
        """The one child that it has, or comes to have."""
        children = eventually(self.children, "a child")
        return int(children[-1])


@contextlib.contextmanager
def zygote(before: str = "") -> Iterator[Zygote]:
    made = Zygote(before)
    try:
        yield made
    finally:
        made.control.close()
        try:
            assert made.process.wait(WAIT_S) == 0
        finally:
            made.process.kill()
            made.process.wait()


@contextlib.contextmanager
def asked(to: Zygote, run_id: str, **more: Any) -> Iterator[tuple[socket.socket, int]]:
    """A run: its caller's end of the channel, and of the pipe that it writes to."""
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(WAIT_S)
    try:
        with ours:
            with theirs:
                socket.send_fds(ours, [b"descriptors"], [])
                fds = (writing, writing, writing, theirs.fileno())
                to.send({"do": "run", "id": run_id, "request": {**REQUEST, **more}}, fds)
                os.close(writing)
            yield ours, reading
    finally:
        os.close(reading)


def closes(reading: int) -> bool:
    """Whether nobody keeps the other end of a pipe."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    return bool(poll.poll(WAIT_S * 1000)) and os.read(reading, 1) == b""


def expect_run(of: Zygote, run_id: str) -> None:
    """A run is forked up to where its caller would say `go`, and ends when that goes away."""
    with asked(of, run_id) as (channel, reading):
        assert of.event()["event"] == "forked"
        assert channel.recv(4096).startswith(b"ready ")
        channel.close()
        assert closes(reading)
    assert of.event() | {"wall_ms": 0.0} == {
        "event": "ended", "id": run_id, "status": 0, "wall_ms": 0.0,
    }  # fmt: skip


NO_PIDFD = """
import errno, os
def pidfd_open(pid, flags=0): raise OSError(errno.ENOSYS, "not here")
os.pidfd_open = pidfd_open
"""


def test_a_kernel_that_has_no_descriptors_of_processes() -> None:
    """As some sandboxes."""
    with zygote(NO_PIDFD) as made:
        for number in "12":
            made.send({"do": "standby"})
            expect_run(made, number)


def no_forks(flag: Path) -> str:
    """No process can be made while a file is there."""
    return f"""
import errno, os
_fork = os.fork
def fork():
    if os.path.exists({str(flag)!r}): raise BlockingIOError(errno.EAGAIN, "no more")
    return _fork()
os.fork = fork
"""


def _last_word(channel: socket.socket) -> bytes:
    """What was said before the end: that something of ours was not read may be told first."""
    with contextlib.suppress(ConnectionResetError):
        return channel.recv(4096)
    return channel.recv(4096)


def test_no_process_can_be_made(tmp_path: Path) -> None:
    """Its runs are refused, and it goes on: others of its may be in the middle of their tests."""
    flag = tmp_path / "none"
    with zygote(no_forks(flag)) as made, asked(made, "1") as (first, _):
        assert made.event()["event"] == "forked"
        assert first.recv(4096).startswith(b"ready ")
        flag.touch()
        with asked(made, "2") as (channel, reading):
            assert _last_word(channel) == b"refuse no process can be made (no more)"
            assert closes(reading)
        assert made.event()["event"] == "unforked"
        made.send({"do": "grow", "id": "3", "plan": PLAN})
        assert made.event() == {"event": "grown", "id": "3", "pid": 0, "failure": "no more"}
        made.send({"do": "standby"})
        flag.unlink()
        expect_run(made, "4")
        first.close()
        assert made.event()["id"] == "1"


def test_a_standby_that_stands_still() -> None:
    """More than its socket holds at once cannot be handed to it: what it has got of a caller's
    streams goes with it."""
    with zygote() as made:
        made.send({"do": "standby"})
        standby = made.new_child()
        os.kill(standby, signal.SIGSTOP)
        with asked(made, "1", env={"LARGE": "x" * 2_000_000}) as (channel, reading):
            assert made.event()["event"] == "forked"
            assert channel.recv(4096).startswith(b"ready ")
            channel.close()
            assert closes(reading), "somebody keeps the caller's streams open"
        assert made.event()["event"] == "ended"
        assert ended(standby)


def test_a_standby_is_not_kept_for_runs_that_go_on() -> None:
    """Without a server nobody would ever have it run anything."""
    with zygote() as made, asked(made, "1") as (channel, _):
        assert made.event()["event"] == "forked"
        assert channel.recv(4096).startswith(b"ready ")
        (child,) = made.children()
        made.send({"do": "standby"})
        standby = eventually(lambda: set(made.children()) - {child}, "a standby").pop()
        made.control.close()
        assert ended(standby, WAIT_S)
        assert made.process.poll() is None, "it sees its run to the end"
        channel.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_standby_that_is_killed(number: signal.Signals) -> None:
    with zygote() as made:
        made.send({"do": "standby"})
        standby = made.new_child()
        os.kill(standby, number)
        assert ended(standby)
        expect_run(made, "1")
        made.send({"do": "standby"})
        expect_run(made, "2")
