"""Generate the VS Code extension's `src/wire.ts` from `fastcollect_lsp/editor/wire.py`.

    python tools/generate_wire_types.py            # writes vscode-extension/src/wire.ts
    python tools/generate_wire_types.py --check    # exit 1 if that file is not up to date
    python tools/generate_wire_types.py --stdout

One tree shape in one place: types are generated, never mirrored by hand.
"""

from __future__ import annotations

import argparse
import ast
import collections.abc
import dataclasses
import inspect
import itertools
import sys
import types
import typing
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "vscode-extension" / "src" / "wire.ts"
SOURCE = "fastcollect_lsp/editor/wire.py"

sys.path.insert(0, str(REPOSITORY))

from fastcollect_lsp.editor import wire  # noqa: E402  (only now on the path)

_PRIMITIVES: dict[object, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    types.NoneType: "null",
    None: "null",
    object: "unknown",
}


class Source:
    """What only the source text knows: names of aliases, and docstrings of names and fields."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, str] = {}
        self.fields: dict[tuple[str, str], str] = {}
        self.aliases: list[str] = []
        module = ast.parse(text)
        for name, doc in _documented(module.body):
            self.names[name] = doc
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                self.names[node.name] = ast.get_docstring(node) or ""
                for name, doc in _documented(node.body):
                    self.fields[node.name, name] = doc
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                if not isinstance(node.value, ast.Constant):
                    self.aliases.append(node.targets[0].id)


def _documented(body: list[ast.stmt]) -> typing.Iterator[tuple[str, str]]:
    """Names assigned in a body that have a string right behind them."""
    for statement, following in itertools.pairwise(body):
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        if (
            isinstance(target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            yield target.id, inspect.cleandoc(following.value.value)


class Generator:
    """Writes TypeScript for the dataclasses, aliases and methods of the wire module."""

    def __init__(self) -> None:
        self.source = Source((REPOSITORY / SOURCE).read_text(encoding="utf-8"))
        # `NodeId = str` has no name of its own at run time: these stay plain `string`s.
        self.named: dict[object, str] = {
            getattr(wire, name): name
            for name in self.source.aliases
            if getattr(wire, name) not in _PRIMITIVES
        }

    def typescript(self, hint: object) -> str:
        """The TypeScript type for a type hint."""
        if hint in self.named:
            return self.named[hint]
        if hint in _PRIMITIVES:
            return _PRIMITIVES[hint]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return hint.__name__
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            return " | ".join(f'"{value}"' for value in arguments)
        if origin in (types.UnionType, typing.Union):
            return " | ".join(self.typescript(argument) for argument in arguments)
        if origin is collections.abc.Sequence:
            element = self.typescript(arguments[0])
            return f"readonly ({element})[]" if " " in element else f"readonly {element}[]"
        if origin is collections.abc.Mapping:
            key, value = map(self.typescript, arguments)
            return f"Readonly<Record<{key}, {value}>>"
        raise TypeError(f"no TypeScript for {hint!r}")

    def interface(self, cls: type) -> list[str]:
        """A dataclass as an interface; `X | None = None` becomes an optional property."""
        hints = typing.get_type_hints(cls)
        lines = [*_comment(self.source.names[cls.__name__]), f"export interface {cls.__name__} {{"]
        for field in dataclasses.fields(cls):
            hint, optional = hints[field.name], field.default is None
            if optional:
                hint = _without_none(hint)
            doc = self.source.fields.get((cls.__name__, field.name), "")
            lines += _comment(doc, "  ")
            name = f"{field.name}?" if optional else field.name
            lines.append(f"  readonly {name}: {self.typescript(hint)};")
        return [*lines, "}", ""]

    def alias(self, name: str) -> list[str]:
        """A named union."""
        hint = getattr(wire, name)
        del self.named[hint]  # else it would be defined as itself
        line = f"export type {name} = {self.typescript(hint)};"
        self.named[hint] = name
        return [*_comment(self.source.names.get(name, "")), line, ""]

    def methods(self) -> list[str]:
        """Requests and notifications by method name; only those that exist."""
        lines: list[str] = []
        for title, sender, request in (
            ("Requests that a client may send.", "client", True),
            ("Notifications that the server may send.", "server", False),
        ):
            kind = "Requests" if request else "Notifications"
            lines += [f"/** {title} */", f"export interface {sender.title()}{kind} {{"]
            for method in wire.METHODS:
                is_request = method.result is not None
                if method.since is None or method.sender != sender or is_request != request:
                    continue
                params = "undefined" if method.params is None else self.typescript(method.params)
                result = f"; result: {self.typescript(method.result)}" if request else ""
                lines.append(f'  "{method.name}": {{ params: {params}{result} }};')
            lines += ["}", ""]
        return lines

    def module(self) -> str:
        """The whole file."""
        lines = [
            f"// Generated from {SOURCE} by tools/generate_wire_types.py. Do not edit.",
            "",
            *_comment(self.source.names["PROTOCOL_VERSION"]),
            f"export const PROTOCOL_VERSION = {wire.PROTOCOL_VERSION};",
            "",
        ]
        for alias in list(self.named.values()):
            lines += self.alias(alias)
        for cls in vars(wire).values():
            if dataclasses.is_dataclass(cls) and isinstance(cls, type):
                lines += self.interface(cls)
        lines += self.methods()
        return "\n".join(lines).rstrip() + "\n"


def _without_none(hint: object) -> object:
    """`X` of `X | None`."""
    arguments = [a for a in typing.get_args(hint) if a is not types.NoneType]
    result = arguments[0]
    for argument in arguments[1:]:
        result = typing.Union[result, argument]  # noqa: UP007  (built at run time)
    return result


def _comment(doc: str, indent: str = "") -> list[str]:
    """A documentation comment, or nothing."""
    if not doc:
        return []
    first, *more = doc.splitlines()
    if not more:
        return [f"{indent}/** {first} */"]
    return [
        f"{indent}/**",
        *(f"{indent} * {line}".rstrip() for line in (first, *more)),
        f"{indent} */",
    ]


def generate() -> str:
    """The text of `wire.ts`."""
    return Generator().module()


def main() -> int:
    """Write, print or check the generated file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="exit 1 if wire.ts is out of date")
    parser.add_argument("--stdout", action="store_true", help="print instead of writing")
    options = parser.parse_args()
    text = generate()
    if options.stdout:
        sys.stdout.write(text)
        return 0
    if options.check:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{TARGET.relative_to(REPOSITORY)} is out of date: run {__file__}\n")
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
