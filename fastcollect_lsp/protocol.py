"""The wire between caller, server and checkpoints: length-prefixed JSON frames, typed at the edge.

Standard library only and cheap to import: the pytest plugin, the zygote and the server share it.

Frame: 4 bytes big-endian length, then that many bytes of JSON. A frame may carry file descriptors
(`SCM_RIGHTS`), attached to its first byte. No pickle, ever.
"""

from __future__ import annotations

import array
import dataclasses
import json
import socket
import struct
from typing import Any, TypeVar

from .frozen import dataclass

MAX_FRAME = 1 << 20
"""Largest frame accepted from the public socket, in bytes."""
MAX_CONTROL_FRAME = 64 << 20
"""Largest frame on the private pipes between server and checkpoints, in bytes."""
HANDSHAKE_TIMEOUT = 5.0
"""Seconds within which a peer of the public socket has to have said what it wants."""
MAX_INHERITED = 250
"""Descriptors beyond the standard ones that a run can take over (Linux: 253 in one message)."""
RUN_FDS = 4
"""Descriptors that travel with a run request: stdin, stdout, stderr, run channel."""
CONTROL_FDS = 2 * RUN_FDS
"""Descriptors that may have arrived on a private pipe: of one frame, and of the next."""

_HEADER = struct.Struct(">I")
_T = TypeVar("_T")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
"""JSON as it is defined: Python's NaN is smaller and larger than nothing, which confuses timers."""


class ProtocolError(Exception):
    """The peer sent something that is not a frame of this protocol."""


class TooLarge(ProtocolError):
    """A frame is over the limit."""


# --------------------------------------------------------------------------- frames


def encode(message: object, limit: int = MAX_FRAME) -> bytes:
    """The frame for `message`. Raises TooLarge over `limit` bytes."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > limit:
        raise TooLarge(f"a message of {len(body)} bytes is over the limit of {limit}")
    return _HEADER.pack(len(body)) + body


def decode(body: bytes) -> dict[str, Any]:
    """The message in the body of a frame. Raises ProtocolError."""
    try:
        message = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame that is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise ProtocolError("a frame that is not a JSON object")
    return message


def send(
    sock: socket.socket, message: object, fds: tuple[int, ...] = (), limit: int = MAX_FRAME
) -> None:
    """Send one frame on a blocking socket. Raises OSError, TooLarge."""
    data = encode(message, limit)
    if fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
        sent = sock.sendmsg([data], ancillary)
        data = data[sent:]
    if data:
        sock.sendall(data)


class FrameReader:
    """Cuts a byte stream into frames. Feed it what the socket gave; take frames out.

    Descriptors received are kept in arrival order and are owned by the reader until taken.
    """

    def __init__(self, limit: int = MAX_FRAME, max_fds: int = RUN_FDS, begun: bytes = b"") -> None:
        """`begun`: what another reader has received of this stream and not taken."""
        self._limit = limit
        self._max_fds = max_fds
        self._buffer = bytearray(begun)
        self._fds: list[int] = []

    def receive(self, sock: socket.socket, size: int = 65536) -> bool:
        """One `recvmsg`; False at end of file. Raises OSError, ProtocolError."""
        room = socket.CMSG_SPACE((self._max_fds + 1) * array.array("i").itemsize)
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        data, ancillary, message_flags, _ = sock.recvmsg(size, room, flags)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
                self._fds.extend(fds)
        if message_flags & socket.MSG_CTRUNC or len(self._fds) > self._max_fds:
            raise ProtocolError("too many descriptors")
        self._buffer += data
        return bool(data)

    def next_frame(self) -> dict[str, Any] | None:
        """The next whole frame, or None when more bytes are needed. Raises ProtocolError."""
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        if length > self._limit:
            raise TooLarge(f"a frame of {length} bytes is over the limit of {self._limit}")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return decode(body)

    def take_fds(self, count: int | None = None) -> list[int]:
        """The first `count` descriptors received so far, or all; the caller owns them now.

        With a frame come its own, but those of the next one may have arrived already.
        """
        count = len(self._fds) if count is None else count
        fds, self._fds = self._fds[:count], self._fds[count:]
        return fds

    @property
    def rest(self) -> bytes:
        """Bytes received after the last frame taken."""
        return bytes(self._buffer)


def receive(sock: socket.socket, reader: FrameReader) -> dict[str, Any] | None:
    """The next frame from a blocking socket; None at end of file. Raises OSError, ProtocolError."""
    while (message := reader.next_frame()) is None:
        if not reader.receive(sock):
            return None
    return message


# --------------------------------------------------------------------------- messages


@dataclass(frozen=True)
class Hello:
    """First frame on the public socket: who calls, and for what."""

    kind: str
    """run | native | recall | report | editor | status | stop | warm | recorded"""
    version: str
    """Version of the caller's distribution; a server of another version steps aside."""
    pid: int = 0
    patience_s: float = 0.0
    """`warm` only: how long the caller is willing to wait for the answer."""
    run: str = ""
    """`report` only: the run, where the server has given it an id."""
    environ: dict[str, str] = dataclasses.field(default_factory=dict)
    """`editor` only: in which environment it wants runs to be."""
    static_only: bool = False
    """`editor` only: nothing of the project may be imported on its behalf."""


@dataclass(frozen=True)
class Stream:
    """How the caller's interpreter set up one of its standard streams."""

    encoding: str
    errors: str
    line_buffering: bool
    write_through: bool
    kind: str = ""
    """What is at its other end: tty | file | pipe (or a socket) | null | other."""
    size: list[int] | None = None
    """Columns and lines, of a terminal."""


@dataclass(frozen=True)
class RunKey:
    """What of a command line decides which modules a run imports, and how.

    Two runs with equal keys import the same modules in the same order, as long as no input changed.
    """

    base: str
    """Everything that plugin and conftest imports depend on (canonical JSON)."""
    selection: str
    """The rest: paths to collect and options that narrow or widen them (canonical JSON)."""
    conftests: tuple[str, ...]
    """Conftest files that pytest loads before collection, in order."""
    dynamic: bool
    """Whether which files are collected depends on more than the key (`--lf`, `--ff`)."""


@dataclass(frozen=True)
class RunRequest:
    """All that a run child needs to be the process its caller would have been."""

    argv: list[str]
    orig_argv: list[str]
    cwd: str
    env: dict[str, str]
    sys_path: list[str]
    identity: str
    """What cannot change after start: interpreter, flags, pytest, namespaces (canonical JSON)."""
    umask: int
    ignored_signals: list[int]
    blocked_signals: list[int]
    rlimits: dict[str, list[int]]
    nice: int
    affinity: list[int]
    streams: list[Stream | None]
    key: RunKey
    executables: list[str]
    """`sys.executable` and `sys._base_executable`: an environment's interpreter has many names."""
    inherited: list[int] = dataclasses.field(default_factory=list)
    """Descriptors beyond the standard streams that its parent has left open for it."""
    run: str = ""
    """The id that the server has given this run, if it was the server that began it."""
    captured: bool = False
    """Whether it finds files in the place of its streams from its first conftest on
    (`--capture=fd`): none of them is a terminal then, wherever it was started."""


@dataclass(frozen=True)
class Endpoint:
    """What a standard descriptor of the native command leads to; as in `Stream`."""

    kind: str
    size: list[int] | None = None


@dataclass(frozen=True)
class NativeRequest:
    """A run as the native command knows it, which is no Python (`rust_scanner/native`); and pytest,
    before it has read its options (`pytest_fastcollect.early`)."""

    argv: list[str]
    """As `sys.argv` would be: pytest's console script first."""
    orig_argv: list[str]
    """As `sys.orig_argv` would be."""
    python: str
    """The interpreter by the name that the script is for."""
    cwd: str
    env: dict[str, str]
    umask: int
    ignored_signals: list[int]
    blocked_signals: list[int]
    rlimits: dict[str, list[int]]
    nice: int
    affinity: list[int]
    streams: list[Endpoint]
    inherited: list[int]
    """As in `RunRequest`."""
    user: list[list[int]]
    """User and group ids, and all groups (`identity`)."""
    namespaces: list[str]


@dataclass(frozen=True)
class Segment:
    """One step of a run's natural import path: what was imported, and by what."""

    kind: str
    """names (plugins and hooks) | conftest | module | doctest | broken | opaque"""
    path: str | None
    unit: str | None
    """Name of the module that `path` was imported as."""
    modules: list[str]
    """Names imported in this step, in order of completion; neutral ones left out."""
    influenced: list[str]
    """Those of the modules that hooks which ran before them may have had an influence on."""
    sys_path: list[str]
    """sys.path when the step began."""
    environ: list[str]
    """Names of environment variables that the run itself had changed by then."""


@dataclass(frozen=True)
class Record:
    """The natural import path of one run, as it was seen in that run."""

    key: RunKey
    identity: str
    argv: list[str]
    cwd: str
    root: str
    import_mode: str
    consider_namespace_packages: bool
    python_files: list[str]
    rewrite_marks: list[str]
    rewritten: list[str]
    warning_filters: list[str]
    warning_options: list[str]
    segments: list[Segment]
    directories: list[str]
    """Directories that the collection listed."""
    tests: int
    """Items collected, before deselection."""
    hooks: str | None
    """The hook because of which modules are counted as influenced."""
    idle_timeout_min: float
    """Minutes without use after which the project wants its server to end."""
    began_ns: int = 0
    """When the recorded run began, in ns since the epoch: it may not know of later edits."""
    listings: dict[str, str] = dataclasses.field(default_factory=dict)
    """What each of the directories held when it was listed (`listing.digest`)."""
    markers: list[str] = dataclasses.field(default_factory=list)
    """Names of the marks that were registered."""
    captured: bool = False
    """As in `RunRequest`."""


def to_json(message: Any) -> dict[str, Any]:
    """A dataclass of this module as plain data."""
    return dataclasses.asdict(message)


def build(kind: type[_T], data: Any) -> _T:
    """A dataclass from plain data. What `_PLAIN` does not name is the caller's to check.

    Raises ProtocolError.
    """
    if not isinstance(data, dict):
        raise ProtocolError(f"{kind.__name__}: an object was expected")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = data.keys() - fields.keys()
    if unknown:
        raise ProtocolError(f"{kind.__name__}: unknown {sorted(unknown)[0]!r}")
    for name, value in data.items():
        expected = _PLAIN.get(str(fields[name].type))
        if expected is not None and not expected(value):
            raise ProtocolError(f"{kind.__name__}: {name!r} has the wrong type")
    try:
        return kind(**data)
    except TypeError as error:
        raise ProtocolError(f"{kind.__name__}: {error}") from None


def _is_list_of(kind: type) -> Any:
    return lambda value: isinstance(value, list) and all(type(x) is kind for x in value)


_PLAIN: dict[str, Any] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "bool": lambda value: isinstance(value, bool),
    "list[str]": _is_list_of(str),
    "list[int]": _is_list_of(int),
    "list[int] | None": lambda value: value is None or _is_list_of(int)(value),
    "tuple[str, ...]": lambda value: (
        isinstance(value, (list, tuple)) and all(isinstance(x, str) for x in value)
    ),
    "dict[str, str]": lambda value: (
        isinstance(value, dict) and all(isinstance(x, str) for x in value.values())
    ),
    "dict[str, list[int]]": lambda value: (
        isinstance(value, dict) and all(_is_list_of(int)(x) for x in value.values())
    ),
}


def parse_hello(data: Any) -> Hello:
    """Raises ProtocolError."""
    return build(Hello, data)


def parse_key(data: Any) -> RunKey:
    """Raises ProtocolError."""
    key = build(RunKey, data)
    return dataclasses.replace(key, conftests=tuple(key.conftests))


def parse_run_request(data: Any) -> RunRequest:
    """Raises ProtocolError."""
    request = build(RunRequest, data)
    if not isinstance(request.streams, list) or len(request.streams) != 3:
        raise ProtocolError("RunRequest: three streams were expected")
    streams = [None if s is None else build(Stream, s) for s in request.streams]
    return dataclasses.replace(request, key=parse_key(request.key), streams=streams)


def parse_native_request(data: Any) -> NativeRequest:
    """Raises ProtocolError."""
    request = build(NativeRequest, data)
    if not isinstance(request.streams, list) or len(request.streams) != 3:
        raise ProtocolError("NativeRequest: three streams were expected")
    if not request.argv:
        raise ProtocolError("NativeRequest: a command was expected")
    if not isinstance(request.user, list) or not all(map(_is_list_of(int), request.user)):
        raise ProtocolError("NativeRequest: lists of ids were expected")
    return dataclasses.replace(request, streams=[build(Endpoint, one) for one in request.streams])


def parse_record(data: Any) -> Record:
    """Raises ProtocolError."""
    record = build(Record, data)
    if not isinstance(record.segments, list):
        raise ProtocolError("Record: a list of segments was expected")
    segments = [build(Segment, segment) for segment in record.segments]
    return dataclasses.replace(record, key=parse_key(record.key), segments=segments)
