"""The libraries that a file is certain to import before any code of the project has a say.

A conftest or test module mostly begins with imports, and so do the project's modules that it
imports. As long as nothing but imports, constants and plain definitions has been executed, what the
libraries among those imports find is the same whatever else the files say further down. They can be
executed ahead and kept when the files are edited: as long as the beginnings of the files, up to the
last such import, stay as they are.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any

WHOLE_FILE = -1
"""Extent of a file all of which has been executed by the last of the imports."""

_PLAIN_NAMES = frozenset(("__all__", "__author__", "__license__", "__version__"))
_IMPORT_ERRORS = frozenset(("ImportError", "ModuleNotFoundError"))


@dataclass(frozen=True)
class Import:
    """One import of a library."""

    name: str
    names: tuple[str, ...]
    """What is taken from it (`from name import names`): submodules of it, perhaps."""
    importers: tuple[str, ...]
    """The project's files that are being imported at that moment, outermost first."""


@dataclass
class Leading:
    """The leading imports of a file, and what they depend on."""

    imports: list[Import] = field(default_factory=list)
    extents: list[dict[str, int]] = field(default_factory=list)
    """For each import: how much of which files has been executed when it happens (bytes, or
    `WHOLE_FILE`)."""
    directories: set[str] = field(default_factory=set)
    """Where the project's modules were looked for."""


Find = Callable[[str], "ModuleSpec | None"]
"""Finds a module as the import system would, without importing it or its parents."""


def leading_imports(
    path: str, module: str | None, find: Find, is_first_party: Callable[[ModuleSpec], bool]
) -> Leading:
    """Of the file `path`, imported as `module` (None: not known, so nothing relative to it is)."""
    walk = _Walk(find, is_first_party)
    walk.begin(module or "", path)
    package = module
    if module is not None and os.path.basename(path) != "__init__.py":
        package = module.rpartition(".")[0]
    try:
        parents = (module or "").split(".")[:-1]
        for depth in range(1, len(parents) + 1):
            walk.module(".".join(parents[:depth]))
        walk.file(path, package)
    except _Unclean:
        pass
    return walk.found


class _Unclean(Exception):
    """From here on code of the project may matter."""


class _Walk:
    """Follows imports from file to file as the interpreter would."""

    def __init__(self, find: Find, is_first_party: Callable[[ModuleSpec], bool]) -> None:
        self.found = Leading()
        self._find = find
        self._is_first_party = is_first_party
        self._extents: dict[str, int] = {}
        self._stack: list[str] = []
        self._done: set[str] = set()
        self._bound: dict[str, dict[str, str]] = {}
        """Names bound so far, by file: what each was imported as ("" for others)."""
        self._files: dict[str, str] = {}
        """File of each module."""
        self._packages: set[str] = set()

    def begin(self, module: str, path: str) -> None:
        """The module all starts with must not be followed again by what it imports."""
        self._done.add(module)
        self._files[module] = path

    def module(self, name: str) -> None:
        """The import of one module, its parents having been imported."""
        if name in self._done:
            return
        self._done.add(name)
        spec = self._find(name)
        if spec is None or not self._is_first_party(spec):
            raise _Unclean
        for directory in spec.submodule_search_locations or ():
            self.found.directories.add(directory)
        if spec.origin is None or not os.path.isabs(spec.origin):
            return  # a namespace package, or built into the interpreter
        self.found.directories.add(os.path.dirname(spec.origin))
        if not spec.origin.endswith(".py"):
            raise _Unclean
        self._files[name] = spec.origin
        package = name.rpartition(".")[0]
        if spec.submodule_search_locations is not None:
            package = name
            self._packages.add(name)
        self.file(spec.origin, package)

    def file(self, path: str, package: str | None) -> None:
        """The execution of one file of the project."""
        try:
            with open(path, "rb") as file:
                source = file.read()
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError, RecursionError):
            raise _Unclean from None
        ends = [0]
        for line in source.splitlines(keepends=True):
            ends.append(ends[-1] + len(line))
        self._stack.append(path)
        self._bound[path] = {}
        for statement in tree.body:
            last = statement.end_lineno or 0
            # At the end of the file a line could still be continued.
            whole = last + 1 >= len(ends) and not source.endswith((b"\n", b"\r"))
            self._extents[path] = WHOLE_FILE if whole else ends[min(last, len(ends) - 1)]
            self._statement(statement, package)
            self._bound[path].update(bindings(statement))
        self._extents[path] = WHOLE_FILE
        self._stack.pop()

    def _statement(self, statement: ast.stmt, package: str | None) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self._import(alias.name, ())
        elif isinstance(statement, ast.ImportFrom):
            self._import_from(statement, package)
        elif isinstance(statement, ast.If) and (taken := self._branch(statement)) is not None:
            for nested in taken:
                self._statement(nested, package)
        elif isinstance(statement, ast.Try) and _only_imports(statement):
            for nested in statement.body + statement.orelse:
                self._statement(nested, package)
        elif not _is_plain(statement, self._bound[self._stack[-1]]):
            raise _Unclean

    def _branch(self, statement: ast.If) -> Sequence[ast.stmt] | None:
        """The branch taken, where the condition is one of the usual ones about the interpreter."""
        test = statement.test
        if self._means(test) in {"typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING"}:
            return statement.orelse
        if (
            isinstance(test, ast.Compare)
            and len(test.ops) == 1
            and self._means(test.left) == "sys.version_info"
            and isinstance(test.comparators[0], ast.Tuple)
            and _is_constant(test.comparators[0])
        ):
            wanted = ast.literal_eval(test.comparators[0])
            with contextlib.suppress(TypeError):
                if isinstance(test.ops[0], ast.GtE):
                    return statement.body if sys.version_info >= wanted else statement.orelse
                if isinstance(test.ops[0], ast.Lt):
                    return statement.body if sys.version_info < wanted else statement.orelse
        return None

    def _means(self, node: ast.expr) -> str | None:
        """The dotted name that an expression stands for, by the imports of its file."""
        name = dotted(node)
        if name is None:
            return None
        first, _, rest = name.partition(".")
        imported = self._bound[self._stack[-1]].get(first)
        return f"{imported}.{rest}".rstrip(".") if imported else None

    def _import_from(self, statement: ast.ImportFrom, package: str | None) -> None:
        name = statement.module or ""
        if statement.level:
            parts = (package or "").split(".")
            if not package or statement.level > len(parts):
                raise _Unclean
            base = parts[: len(parts) - statement.level + 1]
            name = ".".join([*base, name] if name else base)
        self._import(name, tuple(alias.name for alias in statement.names))

    def _import(self, name: str, names: tuple[str, ...]) -> None:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return
        spec = self._find(top)
        if spec is None or not self._is_first_party(spec):
            self.found.imports.append(Import(name, names, tuple(self._stack)))
            self.found.extents.append(dict(self._extents))
            return
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            self.module(".".join(parts[:depth]))
        for attribute in names:
            # `from package import module`: an attribute that the package has takes precedence.
            has = self._bound.get(self._files.get(name, ""), {})
            if attribute in has:
                continue
            if "__getattr__" in has:
                raise _Unclean  # asked for any other name, submodules included (PEP 562)
            if "*" in (attribute, *has) and name in self._packages:
                raise _Unclean  # which submodules that imports depends on `__all__`
            if attribute != "*" and self._find(f"{name}.{attribute}") is not None:
                self.module(f"{name}.{attribute}")


def bindings(statement: ast.AST) -> dict[str, str]:
    """The names that a statement may bind in its module, each with the dotted name it imports."""
    bound: dict[str, str] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # Relative to what, is not known here: a leading dot, and no name of a library.
                source = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                bound[alias.asname or alias.name] = source
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound[node.name] = ""
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = ""
    return bound


def _only_imports(statement: ast.Try) -> bool:
    """`try: import a` with handlers for its failure only."""
    body = statement.body + statement.orelse
    imports = all(isinstance(nested, (ast.Import, ast.ImportFrom)) for nested in body)
    handled = all(
        handler.type is not None and dotted(handler.type) in _IMPORT_ERRORS
        for handler in statement.handlers
    )
    return imports and handled and not statement.finalbody


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` where an expression is nothing but that."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return None


def _is_plain(statement: ast.stmt, bound: Mapping[str, str]) -> bool:
    """Whether a statement does nothing but bind names of its own module, in which `bound` are."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _is_plain_function(statement)
    if isinstance(statement, ast.ClassDef):
        return (
            not statement.decorator_list
            and not statement.keywords
            and all(_is_builtin_class(base, bound) for base in statement.bases)
            and all(_is_plain(nested, bound) for nested in statement.body)
        )
    if isinstance(statement, ast.Assign):
        return all(map(_is_plain_target, statement.targets)) and _is_constant(statement.value)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def _is_plain_target(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and (
        not target.id.startswith("__") or target.id in _PLAIN_NAMES
    )


def _is_plain_function(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += filter(None, (arguments.vararg, arguments.kwarg))
    annotations: list[Any] = [argument.annotation for argument in every]
    defaults = filter(None, [*arguments.defaults, *arguments.kw_defaults])
    return (
        not function.decorator_list
        and all(map(_is_constant, defaults))
        and all(
            annotation is None or isinstance(annotation, (ast.Name, ast.Constant))
            for annotation in [*annotations, function.returns]
        )
    )


def _is_builtin_class(base: ast.expr, bound: Mapping[str, str]) -> bool:
    return (
        isinstance(base, ast.Name)
        and base.id not in bound
        and "*" not in bound
        and isinstance(getattr(builtins, base.id, None), type)
    )


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(map(_is_constant, node.elts))
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_constant(key) for key in node.keys) and all(
            map(_is_constant, node.values)
        )
    return isinstance(node, ast.Constant)
