"""Half-typed variants of test files, and what each has to leave alone.

*The broken statement* of an edit is the innermost statement of a module's or class' body that
the edit lies in, decorators included: a function, an assignment, and for the header of a class the
whole class. Where the edit is at the end of a statement, or between two, both neighbours count:
what is typed there may belong to either. All other tests have to stay in the tree.

An edit that changes the number of triple quotes turns text into code and code into text: of such a
file nothing is asked but that it is scanned.
"""

from __future__ import annotations

import ast
import io
import random
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TYPED = (
    "(", "[", "{", ")", "]", "}", "'", '"', ":", ",", ".", "@", "=", "*", "\\", "lambda", "def",
    "class", "if", "for", "import", "f'{", "not", "await", "async", "return (", "x = [", "foo(",
    "d = {'a': ",
)  # fmt: skip
"""What is inserted at a token."""

LINES = (
    "@pytest.mark.", "def test_new(", "def test_new(self", "class TestNew", "class TestNew(",
    "x = ", "assert foo(1, ", "with open(", "for x in ", "if x", "from . import (", "import ",
    "try:", "else:", "return [", "@", "@pytest.fixture(", "async def ", "def ", "print('",
    "x = {'a': [1, ", "elif",
)  # fmt: skip
"""What is inserted as a line."""


@dataclass(frozen=True)
class Variant:
    """A file that somebody is typing in."""

    text: str
    edit: str
    """What was done, for messages."""
    spared: frozenset[tuple[str, ...]]
    """Functions outside the broken statement: the names of classes around, and their own."""


@dataclass(frozen=True)
class _Statement:
    first: int
    last: int
    names: tuple[str, ...]
    """Of the classes around it."""
    header: int
    """The last line of a class' header; that of the statement itself if it is no class."""
    function: str | None


def _statements(body: Sequence[ast.stmt], names: tuple[str, ...] = ()) -> Iterator[_Statement]:
    for node in body:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            inner = (*names, node.name)
            header = max(node.lineno, min(s.first for s in _statements(node.body, inner)) - 1)
            yield _Statement(first, last, names, header, None)
            yield from _statements(node.body, inner)
        else:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield _Statement(
                first, last, names, last, getattr(node, "name", None) if is_function else None
            )


def _spared(statements: Sequence[_Statement], lines: range) -> frozenset[tuple[str, ...]]:
    """The functions that an edit of these lines leaves alone."""

    def touches(statement: _Statement) -> bool:
        # A statement is broken with the line before it and the one after it, if those are edited.
        return statement.first <= lines.stop and lines.start <= statement.header + 1

    broken_classes = [s for s in statements if s.header != s.last and touches(s)]
    spared = set()
    for statement in statements:
        if statement.function is None or touches(statement):
            continue
        if not any(s.first <= statement.first <= s.last for s in broken_classes):
            spared.add((*statement.names, statement.function))
    return frozenset(spared)


def variants(text: str, count: int, seed: int) -> Iterator[Variant]:
    """`count` half-typed variants of a file; the same ones for the same seed."""
    chance = random.Random(seed)
    statements = list(_statements(ast.parse(text).body))
    skipped = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in skipped and token.string
    ]
    lines = text.splitlines(keepends=True)
    for _ in range(count):
        token = chance.choice(tokens)
        start, end = _offset(lines, token.start), _offset(lines, token.end)
        kind = chance.randrange(5)
        touched = range(token.start[0], token.end[0])
        if kind == 0:
            edit, new = f"delete {token.string!r}", text[:start] + text[end:]
        elif kind == 1:
            cut = start + chance.randrange(len(token.string))
            line_end = text.find("\n", end) if "\n" in text[end:] else len(text)
            edit, new = "cut the line's end", text[:cut] + text[line_end:]
        elif kind == 2:
            typed = chance.choice(TYPED)
            edit, new = f"type {typed!r}", text[:start] + typed + text[start:]
        elif kind == 3:
            typed = chance.choice(TYPED)
            edit, new = f"type {typed!r} behind", text[:end] + typed + text[end:]
        else:
            typed = chance.choice(LINES)
            line = lines[token.start[0] - 1]
            indent = line[: len(line) - len(line.lstrip())]
            place = _offset(lines, (token.start[0], 0))
            edit, new = (
                f"type the line {typed!r}",
                text[:place] + indent + typed + "\n" + text[place:],
            )
            touched = range(token.start[0] - 1, token.end[0])
        where = f"line {token.start[0]}, column {token.start[1]}: {edit}"
        spared = _spared(statements, touched)
        yield Variant(new, where, spared if _quotes(new) == _quotes(text) else frozenset())


def _quotes(text: str) -> tuple[int, int]:
    return text.count('"""'), text.count("'''")


def _offset(lines: Sequence[str], place: tuple[int, int]) -> int:
    return sum(len(line) for line in lines[: place[0] - 1]) + place[1]
