"""The messages in frames: each field of each of them, what it may hold and what it may not."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from fastcollect_lsp import protocol
from fastcollect_lsp.protocol import FrameReader, ProtocolError
from tests.unit.test_protocol import HELLO, KEY, NATIVE, REQUEST, STREAM

SEGMENT = {
    "kind": "module", "path": "/p/test_a.py", "unit": "test_a", "modules": ["a", "b"],
    "influenced": ["a"], "sys_path": ["/p"], "environ": ["HOME"],
}  # fmt: skip
RECORD = {
    "key": KEY, "identity": "{}", "argv": ["pytest"], "cwd": "/p", "root": "/p",
    "import_mode": "prepend", "consider_namespace_packages": False, "python_files": ["test_*.py"],
    "rewrite_marks": [], "rewritten": ["a"], "warning_filters": [], "warning_options": [],
    "segments": [SEGMENT, {**SEGMENT, "path": None, "unit": None}], "directories": ["/p"],
    "tests": 3, "hooks": None, "idle_timeout_min": 30.0,
}  # fmt: skip
MESSAGES: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "Hello": (protocol.parse_hello, HELLO),
    "RunKey": (protocol.parse_key, KEY),
    "Stream": (lambda data: protocol.build(protocol.Stream, data), STREAM),
    "RunRequest": (protocol.parse_run_request, REQUEST),
    "NativeRequest": (protocol.parse_native_request, NATIVE),
    "Segment": (lambda data: protocol.build(protocol.Segment, data), SEGMENT),
    "Record": (protocol.parse_record, RECORD),
}
RIGHT: dict[str, list[Any]] = {
    "str": ["", "a"],
    "str | None": [None, "", "a"],
    "int": [0, -1, 1 << 70],
    "float": [0, 1.5, -2],
    "bool": [True, False],
    "list[str]": [[], ["a"], ["a", "b"]],
    "list[int]": [[], [1], [1, -1]],
    "list[int] | None": [None, [], [80, 24]],
    "tuple[str, ...]": [[], ["a"], ("a", "b")],
    "dict[str, str]": [{}, {"a": "b"}],
    "dict[str, list[int]]": [{}, {"a": []}, {"a": [1, 2]}],
}
ANYTHING: list[Any] = [
    None, True, 0, 1.5, "a", b"a", [], ["a"], [1], [True], [1.5], [None], ["a", 1], [1, "a"],
    ("a",), ("a", 1), {}, {"a": "b"}, {"a": 1}, {"a": [1]},
    {"a": ["b"]}, {"a": [True]}, {"a": None},
]  # fmt: skip
NESTED = {"key": None, "streams": None, "segments": None, "user": None}
"""Fields that are checked beyond their own types; see the tests of each message."""


def fields() -> list[tuple[str, str, str]]:
    """Message, field and the type that it says."""
    return [
        (name, field.name, str(field.type))
        for name in MESSAGES
        for field in dataclasses.fields(getattr(protocol, name))
        if field.name not in NESTED
    ]


def is_right(kind: str, value: Any) -> bool:
    """What the annotation means, said once more: bool is no number, and nothing is converted."""

    def holds(what: type) -> Callable[[Any], bool]:
        return lambda one: type(one) is what

    def sequence(of: type, *kinds: type) -> bool:
        return type(value) in kinds and all(map(holds(of), value))

    optional = kind.endswith(" | None")
    if optional and value is None:
        return True
    match kind.removesuffix(" | None"):
        case "str" | "int" | "bool" as plain:
            return type(value).__name__ == plain
        case "float":
            return type(value) in (int, float)
        case "list[str]":
            return sequence(str, list)
        case "list[int]":
            return sequence(int, list)
        case "tuple[str, ...]":
            return sequence(str, list, tuple)
        case "dict[str, str]":
            return type(value) is dict and all(map(holds(str), value.values()))
        case "dict[str, list[int]]":
            lists = type(value) is dict and all(map(holds(list), value.values()))
            return lists and all(all(map(holds(int), one)) for one in value.values())
    raise AssertionError(f"what is {kind}?")


@pytest.mark.parametrize(("name", "field", "kind"), fields())
def test_a_field_holds_its_type_alone(name: str, field: str, kind: str) -> None:
    parse, message = MESSAGES[name]
    for value in RIGHT[kind]:
        if (name, field, value) == ("NativeRequest", "argv", []):
            continue  # a command is expected
        parsed = getattr(parse({**message, field: value}), field)
        assert list(parsed) == list(value) if kind.startswith("tuple") else parsed == value
    for value in ANYTHING:
        if is_right(kind, value):
            continue
        with pytest.raises(ProtocolError, match=f"{name}: '{field}' has the wrong type"):
            parse({**message, field: value})


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_not_of_a_message(name: str) -> None:
    parse, message = MESSAGES[name]
    for nonsense in (None, [], "text", [message]):
        with pytest.raises(ProtocolError, match=f"{name}: an object was expected"):
            parse(nonsense)
    with pytest.raises(ProtocolError, match=f"{name}: unknown 'b'"):
        parse({**message, "c": 1, "b": 1, "d": 1})
    for field in dataclasses.fields(getattr(protocol, name)):
        given = {key: value for key, value in message.items() if key != field.name}
        has_default = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if has_default:
            parse(given)
        else:
            with pytest.raises(ProtocolError, match=f"{name}: .*{field.name}"):
                parse(given)


def test_no_message_can_be_changed() -> None:
    kinds = [kind for kind in vars(protocol).values() if dataclasses.is_dataclass(kind)]
    assert len(kinds) >= len(MESSAGES)
    for name, (parse, message) in MESSAGES.items():
        parsed = parse(message)
        assert type(parsed).__name__ == name
        first = dataclasses.fields(parsed)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(parsed, first, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        protocol.Endpoint("tty").__setattr__("kind", "file")


def test_what_is_not_said() -> None:
    """Is nothing: each default."""
    hello = protocol.Hello("run", "1")
    assert (hello.pid, hello.patience_s, hello.run) == (0, 0.0, "")
    assert (hello.environ, hello.static_only) == ({}, False)
    stream = protocol.Stream("utf-8", "strict", True, False)
    assert (stream.kind, stream.size) == ("", None)
    assert protocol.Endpoint("tty").size is None
    plain = {key: REQUEST[key] for key in REQUEST if key not in ("inherited", "run", "captured")}
    request = protocol.parse_run_request(plain)
    assert (request.inherited, request.run, request.captured) == ([], "", False)
    record = protocol.parse_record(RECORD)
    assert (record.began_ns, record.listings, record.markers) == (0, {}, [])
    assert record.captured is False


def test_a_record_is_parsed_as_sent() -> None:
    record = protocol.parse_record(RECORD)
    assert record.key.conftests == ("/c",) and record.segments[1].path is None
    plain = json.loads(json.dumps(protocol.to_json(record)))
    assert plain == {**RECORD, "began_ns": 0, "listings": {}, "markers": [], "captured": False}
    assert protocol.parse_record(plain) == record


@pytest.mark.parametrize("segments", [None, {}, "text", [None], [[]], [{}], [SEGMENT, 1]], ids=str)
def test_segments_that_are_none(segments: Any) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_record({**RECORD, "segments": segments})


@pytest.mark.parametrize(
    ("parse", "message", "one"),
    [
        (protocol.parse_run_request, REQUEST, STREAM),
        (protocol.parse_native_request, NATIVE, {"kind": "tty"}),
    ],
    ids=["run", "native"],
)
def test_three_streams(
    parse: Callable[[Any], Any], message: dict[str, Any], one: dict[str, Any]
) -> None:
    assert len(parse({**message, "streams": [one] * 3}).streams) == 3
    for streams in ([], [one] * 2, [one] * 4, (one,) * 3, None, {"a": one, "b": one, "c": one}):
        with pytest.raises(ProtocolError, match="three streams were expected"):
            parse({**message, "streams": streams})


@pytest.mark.parametrize("user", [None, 0, {}, [0], [[0], None], [["0"]], [[True]], [[0], [0.0]]])
def test_ids_of_users(user: Any) -> None:
    assert protocol.parse_native_request({**NATIVE, "user": [[0], [], [1, 2]]}).user[2] == [1, 2]
    with pytest.raises(ProtocolError, match="lists of ids were expected"):
        protocol.parse_native_request({**NATIVE, "user": user})
    with pytest.raises(ProtocolError, match="a command was expected"):
        protocol.parse_native_request({**NATIVE, "argv": []})


# ------------------------------------------------------------------- on the wire


def test_limits_as_they_are_documented() -> None:
    """SECURITY.md: 1 MiB, four descriptors, five seconds; and as the native command has them."""
    assert protocol.MAX_FRAME == 1024 * 1024
    assert protocol.MAX_CONTROL_FRAME == 64 * 1024 * 1024
    assert protocol.RUN_FDS == 4 and protocol.CONTROL_FDS == 8
    assert protocol.HANDSHAKE_TIMEOUT == 5.0
    assert protocol.MAX_INHERITED <= 253 - 1  # of Linux in one message, less one of our own
    assert FrameReader()._limit == protocol.MAX_FRAME
    assert FrameReader()._max_fds == protocol.RUN_FDS


def test_the_bytes_of_a_frame() -> None:
    """As the native command and the extension write and read them."""
    body = b'{"a":[1,null],"b":"\\u00e9"}'
    assert protocol.encode({"a": [1, None], "b": "é"}) == struct.pack(">I", len(body)) + body
    assert protocol.encode({}, limit=2) == b"\0\0\0\2{}"
    with pytest.raises(protocol.TooLarge, match="a message of 2 bytes is over the limit of 1"):
        protocol.encode({}, limit=1)


def test_credentials_are_no_descriptors() -> None:
    """Whoever asks for them gets them beside what was sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        reader = FrameReader()
        protocol.send(ours, {"a": 1})
        assert protocol.receive(theirs, reader) == {"a": 1}
        assert reader.take_fds() == []


class Dribbling(socket.socket):
    """The kernel takes three bytes of what comes with descriptors, and then the rest."""

    def sendmsg(self, buffers: Any, *rest: Any) -> int:
        return super().sendmsg([bytes(next(iter(buffers)))[:3]], *rest)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_frame_that_is_not_taken_at_once(count: int) -> None:
    ours, theirs = socket.socketpair()
    with Dribbling(fileno=ours.detach()) as slow, theirs, open(os.devnull) as file:
        reader = FrameReader()
        protocol.send(slow, {"text": "x" * 1000}, (file.fileno(),) * count)
        assert protocol.receive(theirs, reader) == {"text": "x" * 1000}
        fds = reader.take_fds()
        assert len(fds) == count
        for fd in fds:
            os.close(fd)


def test_of_descriptors_those_that_are_asked_for() -> None:
    ours, theirs = socket.socketpair()
    files: Sequence[str] = (os.devnull, "/dev/zero", "/dev/full")
    with ours, theirs:
        opened = [os.open(name, os.O_RDONLY) for name in files]
        reader = FrameReader()
        protocol.send(ours, {}, tuple(opened))
        protocol.receive(theirs, reader)
        taken = [*reader.take_fds(0), *reader.take_fds(2), *reader.take_fds(5)]
        assert [os.fstat(fd).st_rdev for fd in taken] == [os.stat(name).st_rdev for name in files]
        for fd in (*opened, *taken):
            os.close(fd)


def test_received_in_pieces() -> None:
    """Never more than is asked for at once; what has begun with another reader goes on."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        data = protocol.encode({"a": 1}) + protocol.encode({"b": 2})
        ours.sendall(data)
        reader = FrameReader()
        assert reader.receive(theirs, size=3) and reader.rest == data[:3]
        assert reader.next_frame() is None
        assert reader.receive(theirs, size=1) and reader.next_frame() is None
        assert reader.receive(theirs) and reader.next_frame() == {"a": 1}
        following = FrameReader(begun=reader.rest)
        assert following.next_frame() == {"b": 2} and following.rest == b""
        assert following.next_frame() is None


def test_of_a_frame_too_large_it_says_how_large() -> None:
    reader = FrameReader(limit=10, begun=struct.pack(">I", 11))
    with pytest.raises(protocol.TooLarge, match="a frame of 11 bytes is over the limit of 10"):
        reader.next_frame()
    assert FrameReader(limit=10, begun=struct.pack(">I", 10) + b'{"a": "b"}').next_frame()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "a frame that is not a JSON object"),
        (b"{", "a frame that is not JSON: Expecting property name"),
        (b'{"a": NaN}', "a frame that is not JSON: NaN is no JSON"),
        (b'{"a": Infinity}', "Infinity is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
    ],
)
def test_why_a_frame_is_none(body: bytes, reason: str) -> None:
    reader = FrameReader(begun=struct.pack(">I", len(body)) + body)
    with pytest.raises(ProtocolError, match=reason):
        reader.next_frame()
    assert reader.rest == b"", "a frame that was refused is not looked at again"
