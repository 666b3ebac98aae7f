"""Fixtures: where the one is defined that a test asks for, and what it says of itself.

Arguments of tests and fixtures, wherever in the function they are used, and the strings of
`usefixtures` and `getfixturevalue`. Which fixture is meant is found out from source, where pytest
looks for it: class, module, conftest.py files, plugins, pytest itself.
"""

from __future__ import annotations

import ast
import asyncio
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types

from fastcollect_lsp.editor.documents import LINE_END, offset_at
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import PlainItem
from fastcollect_lsp.editor.uris import path_of
from fastcollect_lsp.tree import FoundFixture

NAMING = re.compile(r"\b(?:usefixtures|getfixturevalue)\s*$")
"""What stands before the parenthesis in which a string names a fixture."""
FAR = 2000
"""Characters in front of a string in which that parenthesis is looked for."""
HEAD = re.compile(r"\s*(?:async\s+)?(?:def|class)\s+(\w+)")


@dataclass(frozen=True)
class Name:
    """An identifier in a document."""

    text: str
    quoted: bool
    """Whether it is a string that names a fixture."""


@dataclass(frozen=True)
class Shown:
    """A fixture as editors show it."""

    range: PlainItem
    """The LSP range of the name in its definition."""
    markdown: str


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    async def find(params: types.DefinitionParams | types.HoverParams) -> tuple[str, Shown] | None:
        """The URI of the fixture that a position means, and what is to be shown of it."""
        path = path_of(params.text_document.uri)
        if path is None or not path.endswith(".py"):
            return None
        await peer.tree.known()
        await peer.buffers.settle()
        documents = server.workspace.text_documents
        document = server.workspace.get_text_document(params.text_document.uri)
        name = name_at(document.source, params.position)
        if name is None:
            return None
        found = await peer.tree.fixture(path, params.position.line, name.text, name.quoted)
        if found is None:
            return None
        uri = Path(found.path).as_uri()
        opened = documents.get(uri)
        read = (lambda: opened.source) if opened is not None else (lambda: text_of(found.path))
        return uri, await asyncio.to_thread(show, found, read)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def definition(params: types.DefinitionParams) -> PlainItem | None:
        found = await find(params)
        return None if found is None else {"uri": found[0], "range": found[1].range}

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> PlainItem | None:
        found = await find(params)
        if found is None:
            return None
        return {"contents": {"kind": "markdown", "value": found[1].markdown}}


def name_at(text: str, position: types.Position) -> Name | None:
    """The identifier at a position; None for what is no identifier, or a string of another use."""
    offset = offset_at(text, position)
    start, end = offset, offset
    while start > 0 and is_of_name(text[start - 1]):
        start -= 1
    while end < len(text) and is_of_name(text[end]):
        end += 1
    word, before, after = text[start:end], text[:start][-1:], text[end : end + 1]
    if not word.isidentifier() or before == ".":
        return None
    quoted = before in ("'", '"') and before == after
    return None if quoted and not names_fixture(text[:start]) else Name(word, quoted)


def is_of_name(character: str) -> bool:
    """Whether a character can be part of an identifier."""
    return character == "_" or character.isalnum()


def names_fixture(before: str) -> bool:
    """Whether the innermost parenthesis open at the end of a text is that of `usefixtures(` or
    `getfixturevalue(`."""
    depth = 0
    for offset in range(len(before) - 1, max(len(before) - FAR, 0) - 1, -1):
        if before[offset] == ")":
            depth += 1
        elif before[offset] == "(":
            if depth == 0:
                return NAMING.search(before[:offset][-FAR:]) is not None
            depth -= 1
    return False


def text_of(path: str) -> str:
    """A module's text as it is on disk; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def show(found: FoundFixture, read: Callable[[], str]) -> Shown:
    """What is to be shown of a fixture. Reads its file."""
    lines = LINE_END.split(read())[found.start[0] : found.end[0] + 1]
    head = HEAD.match(lines[0][found.start[1] :]) if lines else None
    line, indent = found.start
    first, last = head.span(1) if head is not None else (0, 0)
    ends = [{"line": line, "character": indent + each} for each in (first, last)]
    source = textwrap.dedent("\n".join(lines))
    signature, documentation = summary(source)
    scope = f"\n\nfixture, scope: {found.scope}" if found.scope else "\n\nfixture"
    documentation = f"\n\n{documentation}" if documentation else ""
    markdown = f"```python\n{signature}\n```{documentation}{scope}"
    return Shown({"start": ends[0], "end": ends[1]}, markdown)


def summary(source: str) -> tuple[str, str]:
    """The first lines of a definition, up to its body, and its docstring."""
    try:
        definition = ast.parse(source).body[0]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return source.partition("\n")[0], ""
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return source.partition("\n")[0], ""
    above_body = max(definition.body[0].lineno - 1, 1)
    signature = "\n".join(source.split("\n")[:above_body]).rstrip()
    return signature, ast.get_docstring(definition) or ""
