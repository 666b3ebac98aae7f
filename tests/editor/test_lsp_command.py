"""`fastcollect lsp` as an editor starts it: command, relay, a server of its own, the tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest


def _send(pipe: IO[bytes], **message: Any) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    pipe.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    pipe.flush()


def _answer(pipe: IO[bytes], number: int) -> Any:
    """The result of a request; notifications that come before it are passed over."""
    while True:
        header = pipe.readline()
        assert header, "the command ended before it answered"
        length = int(header.split(b":")[1])
        assert pipe.readline() == b"\r\n"
        message = json.loads(pipe.read(length))
        if message.get("id") == number and "method" not in message:
            return message["result"]


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_one.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    directory = tempfile.mkdtemp(prefix="fc-")
    env = {**os.environ, "FASTCOLLECT_DIR": directory}
    command = [sys.executable, "-m", "fastcollect_lsp"]
    process = subprocess.Popen(
        [*command, "lsp", "--stdio"],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        subprocess.run([*command, "stop"], cwd=tmp_path, env=env, check=True)


def test_tree_through_the_command(editor: subprocess.Popen[bytes]) -> None:
    assert editor.stdin is not None and editor.stdout is not None
    # All at once: nothing that comes right behind the hello may be lost.
    _send(editor.stdin, id=1, method="initialize", params={"capabilities": {}, "processId": None})
    _send(editor.stdin, method="initialized", params={})
    _send(editor.stdin, id=2, method="fastcollect/discoverTests", params={})
    capabilities = _answer(editor.stdout, 1)["capabilities"]
    assert capabilities["experimental"]["fastcollect"] == {"version": 1}
    tests = _answer(editor.stdout, 2)["tests"]
    assert [item["id"] for item in tests if item["kind"] == "function"] == [
        "test_one.py::test_a",
        "test_one.py::test_b",
    ]
    _send(editor.stdin, id=3, method="fastcollect/status", params={})
    assert _answer(editor.stdout, 3)["tests"] == 2
    _send(editor.stdin, id=4, method="shutdown")
    assert _answer(editor.stdout, 4) is None
    _send(editor.stdin, method="exit")
    assert editor.wait(timeout=60) == 0
