"""Nonsense on the socket, in both directions, and peers that say too little or too much.

`FASTCOLLECT_TRIALS` and `FASTCOLLECT_SEED` for the long form.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcollect_lsp import __version__, client, protocol, rendezvous
from fastcollect_lsp.protocol import FrameReader, ProtocolError
from fastcollect_lsp.rendezvous import Place
from tests.faults.killing import KillBench, kill_bench, seed
from tests.sampling import trials
from tests.support import HANG, Shared, eventually

FILES = {
    "conftest.py": "import slow_to_import\n",
    "test_a.py": "def test_a(): pass\n",
}
QUICK = settings(
    max_examples=trials(60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# --------------------------------------------------------------------------- frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
BYTES = st.binary(max_size=300) | st.lists(
    st.binary(max_size=40).map(lambda body: struct.pack(">I", len(body)) + body)
    | JSON.map(lambda value: json.dumps({"kind": value}).encode()).map(
        lambda body: struct.pack(">I", len(body)) + body
    ),
    max_size=5,
).map(b"".join)


@QUICK
@given(BYTES, st.integers(0, 8))
def test_any_bytes_are_frames_or_an_error(data: bytes, descriptors: int) -> None:
    """And no descriptor that came with them is lost."""
    ours, theirs = socket.socketpair()
    before = len(os.listdir("/proc/self/fd"))
    reader = FrameReader()
    with ours, theirs, open(os.devnull) as file:
        rights = array.array("i", [file.fileno()] * descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
        ours.sendmsg([data or b"\0"], ancillary)
        ours.close()
        with contextlib.suppress(ProtocolError):
            while (message := protocol.receive(theirs, reader)) is not None:
                assert isinstance(message, dict)
                for parse in (protocol.parse_hello, protocol.parse_run_request):
                    with contextlib.suppress(ProtocolError):
                        parse(message)
        for fd in reader.take_fds():
            os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before - 2


# --------------------------------------------------------------------------- the server


@pytest.fixture(scope="module")
def warm(shared: Shared) -> Iterator[KillBench]:
    with kill_bench(shared, FILES) as bench:
        bench.warm()
        yield bench


def connected(bench: KillBench) -> socket.socket:
    place = bench.place
    assert place is not None
    sock = rendezvous.connect(place, HANG)
    assert sock is not None
    sock.settimeout(HANG)
    return sock


def memory(pid: int) -> int:
    """Unique set size in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        lines = [line.split() for line in file]
    return 1024 * sum(int(words[1]) for words in lines if words[0].startswith("Private_"))


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def expect_well(bench: KillBench, pid: int, before: int) -> None:
    """The server is the same, has kept nothing, and serves."""
    status = bench.status()
    assert status is not None and status["pid"] == pid, bench.log()
    eventually(lambda: descriptors(pid) <= before, "that all descriptors are closed")
    done = bench.bench.pytest()
    assert done.exit == 0, done.output
    assert "a task of the server failed" not in bench.log()


KINDS = "run native recall report editor status warm recorded nonsense".split()
ODD: list[Any] = [
    None, True, 0, -1, 1 << 70, 1e308, "", "\ud800", "\0", "/", "x" * 3000, [], {}, [[]], {"a": 1},
    ["\0"], {"\ud800": "\0"}, [1 << 40], [-1],
]  # fmt: skip


def mutated(value: Any, choose: random.Random, rate: float = 0.05) -> Any:
    """JSON with some of its values replaced, left out or doubled."""
    if choose.random() < rate:
        return choose.choice(ODD)
    if isinstance(value, dict):
        items = [(name, mutated(each, choose, rate)) for name, each in value.items()]
        return dict(item for item in items if choose.random() > rate / 3)
    if isinstance(value, list):
        return [mutated(each, choose, rate) for each in value]
    return value


def requests() -> dict[str, Any]:
    """A run request and a native one, of types that are right."""
    key = {"base": "{}", "selection": "{}", "conftests": [], "dynamic": False}
    stream = {
        "encoding": "utf-8", "errors": "strict", "line_buffering": True, "write_through": False,
        "kind": "pipe", "size": None,
    }  # fmt: skip
    process = {
        "argv": ["/bin/pytest"], "orig_argv": ["/bin/python", "/bin/pytest"], "cwd": "/",
        "umask": 18, "env": dict(os.environ), "nice": 0, "ignored_signals": [],
        "rlimits": {"RLIMIT_CORE": [0, -1]}, "affinity": [0], "blocked_signals": [],
        "inherited": [],
    }  # fmt: skip
    run = {
        **process, "sys_path": [], "identity": "{}", "streams": [stream] * 3, "key": key,
        "executables": ["/p", "/p"], "run": "",
    }  # fmt: skip
    native = {
        **process, "python": "/bin/python", "streams": [{"kind": "pipe", "size": None}] * 3,
        "user": [[0, 0, 0], [0, 0, 0], [0]], "namespaces": [],
    }  # fmt: skip
    return {"run": run, "native": native, "recall": native}


def test_nonsense_for_the_server(warm: KillBench) -> None:
    choose = random.Random(seed())
    status = warm.warm()
    pid, before, used = status["pid"], descriptors(status["pid"]), memory(status["pid"])
    bodies = requests()
    began = time.monotonic()
    number = trials(100)
    for _ in range(number):
        kind = choose.choice(KINDS)
        hello = mutated({"kind": kind, "version": __version__, "pid": 1, "patience_s": 0.1}, choose)
        if isinstance(hello, dict) and isinstance(hello.get("version"), str):
            hello["version"] = __version__  # the server would step aside
        frames = [hello, mutated(bodies.get(kind, {"Begun": {}}), choose, choose.choice([0, 0.02]))]
        data = b"".join(frame(json.dumps(each).encode()) for each in frames)
        if choose.random() < 0.3:
            place = choose.randrange(len(data))
            data = data[:place] + choose.randbytes(choose.randrange(9)) + data[place:]
        if choose.random() < 0.2:
            data = data[: choose.randrange(len(data))]
        with connected(warm) as sock, open(os.devnull) as null:
            count = choose.choice([0, 1, 3, 4, 4, 4, 5, 9])
            rights = array.array("i", [null.fileno()] * count)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                if choose.random() < 0.7:
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
    expect_well(warm, pid, before + 8)
    grown = memory(pid) - used
    print(f"{number} connections in {time.monotonic() - began:.0f} s, seed {seed()}: {grown} bytes")
    assert grown < 30 << 20


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@pytest.mark.long
def test_descriptors_without_end(warm: KillBench) -> None:
    """In every message as many as the kernel lets through, with no frame that wants any."""
    status = warm.warm()
    pid, before = status["pid"], descriptors(status["pid"])
    for count in (5, 250):
        with connected(warm) as sock, open(os.devnull) as null:
            rights = array.array("i", [null.fileno()] * count)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(50):
                    sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    expect_well(warm, pid, before + 8)


@pytest.mark.long
def test_peers_that_say_too_little(warm: KillBench) -> None:
    """Byte by byte, half a frame, nothing at all: they are hung up on, and hold up nobody."""
    status = warm.warm()
    pid, before = status["pid"], descriptors(status["pid"])
    begun = frame(json.dumps({"kind": "status", "version": __version__}).encode())
    run = frame(json.dumps({"kind": "run", "version": __version__}).encode())
    waiting = [connected(warm) for _ in range(100)]
    for number, sock in enumerate(waiting):
        sock.sendall((b"", begun[:-1], struct.pack(">I", 1000), run)[number % 4])
    slow = connected(warm)
    deadline = time.monotonic() + HANG
    for byte in (begun[number : number + 1] for number in range(len(begun))):
        try:
            slow.sendall(byte)
        except OSError:
            break
        assert time.monotonic() < deadline
        assert warm.bench.pytest().exit == 0
        if select.select([slow], [], [], 0.5)[0]:
            break
    assert slow.recv(10) == b""
    for sock in (*waiting, slow):
        assert sock.recv(10) == b""
        sock.close()
    expect_well(warm, pid, before + 8)


# --------------------------------------------------------------------------- the caller


class FakeServer:
    """Answers every connection with what it is given to send; a thread."""

    def __init__(self, directory: Path) -> None:
        self.place = Place("/", "", directory)
        self.script: Callable[[socket.socket, list[int]], None] = lambda sock, fds: None
        self._listener = rendezvous.listen(self.place)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            reader = FrameReader()
            sock.settimeout(HANG)
            with sock, contextlib.suppress(OSError, ProtocolError):
                message = protocol.receive(sock, reader)
                if message is not None and message["kind"] in ("run", "recall"):
                    protocol.receive(sock, reader)
                fds = reader.take_fds()
                try:
                    self.script(sock, fds)
                finally:
                    for fd in fds:
                        os.close(fd)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    directory = tmp_path_factory.mktemp("s")
    directory.chmod(0o700)
    made = FakeServer(directory)
    yield made
    made.close()


def request() -> protocol.RunRequest:
    return protocol.parse_run_request(requests()["run"])


ANSWERS = st.lists(
    JSON.map(lambda value: frame(json.dumps(value).encode()))
    | st.dictionaries(
        st.sampled_from(["served", "reason", "starting", "record", "run"]),
        JSON | st.sampled_from(["cold", "warm", "collected", "\ud800"]),
    ).map(lambda value: frame(json.dumps(value).encode()))
    | st.binary(max_size=30),
    max_size=4,
).map(b"".join)
MESSAGES = st.lists(
    st.binary(min_size=1, max_size=20)
    | st.sampled_from(
        [b"ready", b"ready ", b"ready x", b"ready 0", b"ready -1", b"ready 1", b"go"]
    ),
    max_size=3,
)


def _speak(answer: bytes, messages: list[bytes], rights: int) -> Any:
    def speak(sock: socket.socket, fds: list[int]) -> None:
        with socket.socket(fileno=os.dup(fds[3])) as channel, open(os.devnull) as null:
            for message in messages:
                channel.send(message)
                if rights:
                    socket.send_fds(channel, [b"x"], [null.fileno()] * rights)
        sock.sendall(answer)

    return speak


@QUICK
@given(ANSWERS, MESSAGES, st.integers(0, 3))
def test_nonsense_for_the_caller(
    fake: FakeServer, answer: bytes, messages: list[bytes], rights: int
) -> None:
    """It ends in a cold run with a reason, and leaves no descriptor."""
    fake.script = _speak(answer, messages, rights)
    before = len(os.listdir("/proc/self/fd"))
    cold = client.hand_over(fake.place, request())
    assert isinstance(cold, client.Cold)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before, "no descriptor more")


@QUICK
@given(ANSWERS)
def test_nonsense_for_who_asks(fake: FakeServer, answer: bytes) -> None:
    fake.script = lambda sock, fds: sock.sendall(answer)
    with contextlib.suppress(client.Unavailable):
        assert isinstance(client.ask(fake.place, "status", 5.0), dict)


def test_a_server_that_has_runs_wait_for_ever(
    fake: FakeServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is believed a few times."""

    def wait(sock: socket.socket, fds: list[int]) -> None:
        for _ in range(100):
            protocol.send(sock, {"waiting": "for \ud800 nothing"})

    fake.script = wait
    assert isinstance(client.hand_over(fake.place, request()), client.Cold)
    assert capfd.readouterr().err.count("nothing") == client.MAX_TURNS


def test_a_server_that_says_nothing(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DECISION_TIMEOUT", 0.3)
    ended = threading.Event()
    fake.script = lambda sock, fds: (ended.wait(HANG), None)[1]
    try:
        cold = client.hand_over(fake.place, request())
        assert cold == client.Cold("the server took too long to decide")
    finally:
        ended.set()
