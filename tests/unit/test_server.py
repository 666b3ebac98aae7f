"""How a server begins: it leaves the run that has started it alone."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, TimeoutError
from pathlib import Path

import pytest

from fastcollect_lsp import server

TIMEOUT = 60.0


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.listen()
        yield sock


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on until its input ends."""
    monkeypatch.setattr(server, "FIRST_RUN_TIMEOUT", 10 * TIMEOUT)
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process


def _begin(pid: int, listener: socket.socket) -> Future[None]:
    done: Future[None] = Future()

    def wait() -> None:
        try:
            done.set_result(server._leave_alone(pid, listener))  # type: ignore[func-returns-value]
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    return done


def test_until_the_run_ends(run: subprocess.Popen[bytes], listener: socket.socket) -> None:
    waiting = _begin(run.pid, listener)
    with pytest.raises(TimeoutError):
        waiting.result(0.1)
    assert run.stdin is not None
    run.stdin.close()
    waiting.result(TIMEOUT)


def test_until_somebody_comes(run: subprocess.Popen[bytes], listener: socket.socket) -> None:
    waiting = _begin(run.pid, listener)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(listener.getsockname())
        waiting.result(TIMEOUT)
        listener.accept()[0].close()  # who came is still there to be served
    assert run.poll() is None


def test_no_longer_than_it_is_worth(
    run: subprocess.Popen[bytes], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_RUN_TIMEOUT", 0.05)
    waiting = _begin(run.pid, listener)
    waiting.result(TIMEOUT)


def test_not_at_all_if_it_has_ended(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_RUN_TIMEOUT", 10 * TIMEOUT)
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    waiting = _begin(done.pid, listener)
    waiting.result(TIMEOUT)


def test_nothing_to_serve_with_is_imported_before() -> None:
    """What it takes to be met is little; asyncio alone would be more."""
    code = "import sys, fastcollect_lsp.server; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"
