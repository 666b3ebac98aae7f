"""What is written twice, or has to stay cheap: documents, generated files, imports."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastcollect_lsp.editor import wire

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"
EDITOR = ROOT / "fastcollect_lsp" / "editor"
SOURCES = [EDITOR / "wire.py", *sorted((EDITOR / "features").glob("*.py"))]


def digest() -> str:
    """A hash of everything that docs/protocol.md describes."""
    text = hashlib.sha256()
    for source in SOURCES:
        text.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return text.hexdigest()[:16]


def test_document_is_that_of_this_source() -> None:
    """As in rust-analyzer: whoever changes the protocol's source reads its document, too."""
    stated = re.search(r"<!-- protocol source: ([0-9a-f]+) -->", DOCUMENT.read_text())
    assert stated, "docs/protocol.md states no hash"
    assert stated[1] == digest(), (
        "the source of the editor protocol has changed: bring docs/protocol.md up to date, "
        f"then put the new hash into it: {digest()}"
    )


def test_document_names_every_method() -> None:
    text = DOCUMENT.read_text()
    for method in wire.METHODS:
        assert f"`{method.name}`" in text


def test_typescript_types_are_generated_from_these() -> None:
    command = [sys.executable, str(ROOT / "tools" / "generate_wire_types.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("module", ["wire", "codec", "host", "relay", "framing"])
def test_cheap_modules_import_neither_pygls_nor_lsprotocol(module: str) -> None:
    code = f"import sys, fastcollect_lsp.editor.{module}\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"pygls", "lsprotocol", "cattrs"} & set(loaded.stdout.split())


def test_every_built_method_is_registered_and_no_other() -> None:
    """The table of methods in `wire` against a connection's registry."""
    code = """
import types
from fastcollect_lsp.editor.features import FEATURES
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
server = EditorServer("0")
host = types.SimpleNamespace(tree=None, static_only=True)
peer = EditorPeer("test", host, server.protocol)
for register in FEATURES:
    register(server, peer)
print(*server.protocol.fm.features)
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    registered = {name for name in ran.stdout.split() if name.startswith("fastcollect/")}
    built = {m.name for m in wire.METHODS if m.sender == "client" and m.since is not None}
    assert registered == built
