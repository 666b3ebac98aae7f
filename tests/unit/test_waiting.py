"""A warm process that waits: what it does with messages that arrive together."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from typing import Any

from fastcollect_lsp import protocol
from fastcollect_lsp.checkpoint import START
from fastcollect_lsp.protocol import FrameReader, Record, RunKey, Segment

WAIT_S = 20
KEY = RunKey("{}", "{}", (), dynamic=False)
STEP = Segment("names", None, None, [], [], sys.path, [])
RECORD = Record(
    KEY, "", ["pytest"], "/", "/", "prepend", False, [], [], [], [], [], [STEP], [], 0, None, 30.0
)
PLAN = {
    "record": protocol.to_json(RECORD),
    "first": 0, "last": 1, "skip": [], "changed": [], "probe": False, "environ": {},
    "generators": {}, "careful": False, "pending": False, "libraries": 0,
}  # fmt: skip
REQUEST = {
    "argv": ["pytest"], "orig_argv": ["pytest"], "cwd": "/", "env": {}, "sys_path": [],
    "identity": "{}", "umask": 18, "ignored_signals": [], "blocked_signals": [], "rlimits": {},
    "nice": 0, "affinity": [], "streams": [None] * 3, "key": protocol.to_json(KEY),
    "executables": ["/p", "/p"],
}  # fmt: skip


def test_what_grows_keeps_no_caller_s_streams() -> None:
    """The order to grow and a run arrive at once: the streams have come with what is read first."""
    ours, theirs = socket.socketpair()
    with theirs:
        zygote = subprocess.Popen(
            [sys.executable, "-c", START.format(theirs.fileno(), None)], pass_fds=[theirs.fileno()]
        )
    reader = FrameReader(protocol.MAX_CONTROL_FRAME, 8)
    ours.settimeout(WAIT_S)
    reading, writing = os.pipe()
    channel, its_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        assert _event(ours, reader)["event"] == "started"
        os.kill(zygote.pid, signal.SIGSTOP)
        protocol.send(ours, {"do": "grow", "id": "1", "plan": PLAN})
        with channel, its_channel:
            socket.send_fds(channel, [b"descriptors"], [])
            fds = (writing, writing, writing, its_channel.fileno())
            protocol.send(ours, {"do": "run", "id": "2", "request": REQUEST}, fds)
            os.close(writing)
        os.kill(zygote.pid, signal.SIGCONT)
        events = {_event(ours, reader)["event"] for _ in range(3)}
        assert events == {"grown", "forked", "ended"}
        (checkpoint,) = reader.take_fds()
        with socket.socket(fileno=checkpoint) as grown:
            grown.settimeout(WAIT_S)
            its_reader = FrameReader(protocol.MAX_CONTROL_FRAME)
            while (said := _event(grown, its_reader))["event"] == "step":
                pass
            assert said["event"] == "ready", said
            poll = select.poll()
            poll.register(reading, select.POLLIN)
            assert poll.poll(WAIT_S * 1000), "somebody keeps the caller's streams open"
            assert os.read(reading, 1) == b""
    os.close(reading)
    assert zygote.wait(WAIT_S) == 0


def _event(sock: socket.socket, reader: FrameReader) -> dict[str, Any]:
    message = protocol.receive(sock, reader)
    assert message is not None
    return message
