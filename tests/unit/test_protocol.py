"""Frames on real sockets: what is one, and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcollect_lsp import protocol
from fastcollect_lsp.protocol import FrameReader, ProtocolError, TooLarge

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=4), st.data())
def test_frames_survive_any_cut(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b"".join(protocol.encode(message) for message in messages)
    ours, theirs = socket.socketpair()
    reader, found = FrameReader(), []
    with ours, theirs:
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            ours.sendall(stream[:size])
            stream = stream[size:]
            assert reader.receive(theirs)
            while (message := reader.next_frame()) is not None:
                found.append(message)
        ours.shutdown(socket.SHUT_WR)
        assert not reader.receive(theirs)
    assert found == messages
    assert reader.rest == b""


def test_end_of_file(pair: Pair) -> None:
    ours, theirs = pair
    ours.sendall(frame(b"{}")[:-1])
    ours.close()
    assert protocol.receive(theirs, FrameReader()) is None


def test_too_large(pair: Pair) -> None:
    with pytest.raises(TooLarge):
        protocol.encode("x" * protocol.MAX_FRAME)
    ours, theirs = pair
    ours.sendall(struct.pack(">I", protocol.MAX_FRAME + 1))
    with pytest.raises(TooLarge):  # by its header: the rest is not waited for
        protocol.receive(theirs, FrameReader())


def test_largest_frame_passes() -> None:
    body = "x" * (protocol.MAX_FRAME - 2)
    assert len(protocol.encode(body)) == protocol.MAX_FRAME + 4


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"[]", b"1", b"null", b'"text"', b'{"a": NaN}', b'{"a": -Infinity}',
        b'{"a": ' + b"[" * 50_000, b'{"a":' * 20_000, b'{"a": ' + b"9" * 20_000 + b"}",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_not_an_object(pair: Pair, body: bytes) -> None:
    ours, theirs = pair
    ours.sendall(frame(body))
    with pytest.raises(ProtocolError):
        protocol.receive(theirs, FrameReader())


def _open() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[tuple[int, ...]]:
    fds = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(count))
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def test_descriptors_arrive_in_order_and_are_not_inherited(pair: Pair) -> None:
    ours, theirs = pair
    reader = FrameReader()
    with descriptors(protocol.RUN_FDS) as fds:
        os.set_inheritable(fds[0], True)
        protocol.send(ours, {"a": 1}, fds)
        assert protocol.receive(theirs, reader) == {"a": 1}
        received = reader.take_fds()
        assert reader.take_fds() == []
        assert not any(os.get_inheritable(fd) for fd in received)
        assert [os.fstat(fd).st_rdev for fd in received] == [os.fstat(fd).st_rdev for fd in fds]
        for fd in received:
            os.close(fd)


@pytest.mark.parametrize("count", [protocol.RUN_FDS + 1, 50])
def test_too_many_descriptors(pair: Pair, count: int) -> None:
    ours, theirs = pair
    reader = FrameReader()
    with descriptors(count) as fds:
        protocol.send(ours, {}, fds)
        before = _open()
        with pytest.raises(ProtocolError, match="too many descriptors"):
            protocol.receive(theirs, reader)
    for fd in reader.take_fds():
        os.close(fd)
    assert len(_open()) == len(before) - count, "a descriptor of the refused frame leaked"


def test_too_many_descriptors_in_several_frames(pair: Pair) -> None:
    ours, theirs = pair
    reader = FrameReader(max_fds=1)
    with descriptors(1) as fds:
        protocol.send(ours, {}, fds)
        assert protocol.receive(theirs, reader) == {}
        protocol.send(ours, {}, fds)
        with pytest.raises(ProtocolError, match="too many descriptors"):
            protocol.receive(theirs, reader)
    for fd in reader.take_fds():
        os.close(fd)


HELLO = {"kind": "run", "version": "1", "pid": 1, "patience_s": 0.5}
KEY = {"base": "{}", "selection": "{}", "conftests": ["/c"], "dynamic": False}
STREAM = {
    "encoding": "utf-8", "errors": "strict", "line_buffering": True, "write_through": False,
    "kind": "tty", "size": [80, 24],
}  # fmt: skip
REQUEST = {
    "argv": ["pytest"], "orig_argv": ["pytest"], "cwd": "/", "env": {"A": "1"}, "sys_path": [],
    "executables": ["/python"], "inherited": [],
    "identity": "{}", "umask": 18, "ignored_signals": [13], "blocked_signals": [],
    "rlimits": {"RLIMIT_CORE": [0, -1]}, "nice": 0, "affinity": [0],
    "streams": [STREAM, None, STREAM], "key": KEY, "run": "",
    "captured": True,
}  # fmt: skip


END = {"kind": "tty", "size": [80, 24]}
NATIVE = {
    "argv": ["/bin/pytest"], "orig_argv": ["/bin/python", "/bin/pytest"], "python": "/bin/python",
    "cwd": "/", "env": {"A": "1"}, "umask": 18, "ignored_signals": [13], "blocked_signals": [],
    "rlimits": {"RLIMIT_CORE": [0, -1]}, "nice": 0, "affinity": [0], "streams": [END] * 3,
    "inherited": [3],
    "user": [[0, 0, 0], [0, 0, 0], [0]], "namespaces": ["mnt:[1]"],
}  # fmt: skip


def test_native_request_parsed_as_sent() -> None:
    request = protocol.parse_native_request(NATIVE)
    assert request.streams[0].size == [80, 24]
    assert json.loads(json.dumps(protocol.to_json(request))) == NATIVE


@pytest.mark.parametrize(
    "change",
    [
        {"argv": []}, {"argv": "pytest"}, {"orig_argv": [1]}, {"python": None}, {"env": {"A": 1}},
        {"streams": []}, {"streams": [END] * 4}, {"streams": [None] * 3}, {"streams": None},
        {"streams": [END, END, {**END, "size": ["80", 24]}]}, {"user": [[None]]}, {"user": 0},
        {"user": [0]}, {"namespaces": None}, {"unknown": 1},
    ],
    ids=str,
)  # fmt: skip
def test_native_request_of_wrong_types(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_native_request({**NATIVE, **change})


def test_parsed_as_sent() -> None:
    request = protocol.parse_run_request(REQUEST)
    assert request.key.conftests == ("/c",)
    assert protocol.parse_hello(HELLO).patience_s == 0.5
    assert json.loads(json.dumps(protocol.to_json(request))) == REQUEST
    assert dataclasses.is_dataclass(request.streams[0])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 1}, {"version": None}, {"pid": "1"}, {"pid": True}, {"patience_s": "long"},
        {"unknown": 1},
    ],
    ids=str,
)  # fmt: skip
def test_hello_of_wrong_types(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_hello({**HELLO, **change})


@pytest.mark.parametrize("missing", ["kind", "version"])
def test_incomplete_hello(missing: str) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_hello({name: value for name, value in HELLO.items() if name != missing})


@pytest.mark.parametrize(
    "change",
    [
        {"argv": "pytest"}, {"argv": [1]}, {"env": {"A": 1}}, {"env": []}, {"umask": 1.5},
        {"ignored_signals": ["INT"]}, {"rlimits": {"RLIMIT_CORE": 1}}, {"streams": []},
        {"streams": [STREAM] * 4}, {"streams": [STREAM, None, 1]}, {"streams": None},
        {"streams": [STREAM, None, {**STREAM, "encoding": 1}]}, {"key": None}, {"key": []},
        {"key": {**KEY, "dynamic": 0}}, {"key": {**KEY, "conftests": [1]}}, {"cwd": None},
    ],
    ids=str,
)  # fmt: skip
def test_request_of_wrong_types(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_run_request({**REQUEST, **change})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_nonsense_is_refused_as_such(nonsense: Any) -> None:
    for parse in (protocol.parse_hello, protocol.parse_run_request, protocol.parse_record):
        with pytest.raises(ProtocolError):
            parse(nonsense)


def test_descriptors_of_the_next_frame(pair: Pair) -> None:
    """They may arrive with the end of a frame that has some of its own."""
    ours, theirs = pair
    reader = FrameReader(max_fds=4)
    with descriptors(1) as first, open("/dev/zero") as second:
        data = protocol.encode({"a": 1})
        ours.sendmsg(
            [data[:3]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", first[0]))]
        )
        assert reader.receive(theirs)
        ours.sendall(data[3:])
        protocol.send(ours, {"b": 2}, (second.fileno(),))
        assert protocol.receive(theirs, reader) == {"a": 1}
        assert protocol.receive(theirs, reader) == {"b": 2}
        taken = [reader.take_fds(1), reader.take_fds(1), reader.take_fds()]
        assert [len(each) for each in taken] == [1, 1, 0]
        devices = [os.fstat(fd).st_rdev for each in taken for fd in each]
        assert devices == [os.stat(name).st_rdev for name in (os.devnull, "/dev/zero")]
        for fd in taken[0] + taken[1]:
            os.close(fd)


@pytest.mark.parametrize("size", [None, [80, 24], []])
def test_sizes_of_streams(size: list[int] | None) -> None:
    parsed = protocol.parse_native_request({**NATIVE, "streams": [{**END, "size": size}] * 3})
    assert [one.size for one in parsed.streams] == [size] * 3


@pytest.mark.parametrize("size", [0, 80, True, "80", {}, [None], [True], [80.0]])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_native_request({**NATIVE, "streams": [{**END, "size": size}] * 3})


def test_a_frame_of_just_the_limit(pair: Pair) -> None:
    ours, theirs = pair
    ours.sendall(frame(b'{"a":1}') + frame(b'{"a":12}'))
    reader = FrameReader(limit=7)
    assert protocol.receive(theirs, reader) == {"a": 1}
    with pytest.raises(TooLarge):
        protocol.receive(theirs, reader)


def test_messages_cannot_be_changed() -> None:
    for message in (protocol.parse_hello(HELLO), protocol.parse_run_request(REQUEST)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            message.__setattr__("pid", 2)
    assert protocol.parse_hello({"kind": "run", "version": "1"}).pid == 0
