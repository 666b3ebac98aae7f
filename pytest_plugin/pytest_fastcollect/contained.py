"""Does a module keep to itself? What comes after a module that is left to each run may be executed
ahead only if nothing that the module does can be seen from outside.

Most test modules only define tests. The few calls that keep one from being executed ahead
(`NOW = datetime.now()`, `print()`) mostly change nothing else. Anything that is not known to be
harmless counts as doing something.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from .leading import bindings, dotted

_MODULES = frozenset(
    """
    __future__ abc base64 collections copy dataclasses datetime decimal enum fractions functools
    getpass hashlib inspect itertools json math numbers operator pathlib platform pytest re secrets
    shutil statistics string struct tempfile textwrap time types typing typing_extensions unittest
    uuid
    """.split()
)
"""Modules whose functions and classes may be used."""
_FUNCTIONS = frozenset(
    (
        "os.cpu_count", "os.environ.get", "os.fspath", "os.getcwd", "os.getenv", "os.getpid",
        "os.getppid", "os.urandom", "os.get_terminal_size", "os.isatty", "sys.getsizeof",
    )
)  # fmt: skip
_ATTRIBUTES = frozenset(
    (
        "os.name", "os.sep", "os.linesep", "os.devnull", "os.pathsep", "sys.argv", "sys.executable",
        "sys.maxsize", "sys.platform", "sys.prefix", "sys.version", "sys.version_info",
    )
)  # fmt: skip
_BUILTINS = frozenset(
    """
    abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float
    format frozenset hash hex int isinstance issubclass len list map max min object oct ord pow
    print property range repr reversed round set slice sorted staticmethod classmethod str sum tuple
    type zip
    """.split()
)
_OWN_NAMES = frozenset(("__doc__", "__file__", "__name__", "__package__", "NotImplemented"))
_ACTIONS = frozenset(
    """
    chmod chown exit fail importorskip install main mkdir mkdtemp mkstemp move open patch register
    register_assert_rewrite rename reset rmdir rmtree run skip sleep start symlink_to touch unlink
    write write_bytes write_text copy copyfile copytree NamedTemporaryFile TemporaryDirectory
    TemporaryFile
    """.split()
)
"""Last parts of names of what acts on more than its result."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_STATEMENTS = (
    ast.Import, ast.ImportFrom, ast.Pass, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign,
    ast.Assert, ast.If, ast.Try, ast.For, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.ExceptHandler, ast.Raise, ast.Break, ast.Continue,
)  # fmt: skip


def keeps_to_itself(source: bytes) -> bool:
    """Whether the execution of a module, its imports aside, can be seen in that module only."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return True  # it is not executed at all
    return _Names().are_contained(tree.body)


def imported_names(source: bytes) -> set[str]:
    """Modules that the import statements of a module may name, wherever they stand."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


class _Names:
    """What the names of a module stand for so far: what was imported, or "" for its own."""

    def __init__(self) -> None:
        self._bound: dict[str, str] = {}

    def are_contained(self, statements: Iterable[ast.stmt]) -> bool:
        """Whether these statements do nothing that shows elsewhere."""
        for statement in statements:
            if not self._is_contained(statement):
                return False
            self._bound.update(bindings(statement))
        return True

    def _is_contained(self, statement: ast.stmt) -> bool:
        if not isinstance(statement, _STATEMENTS):
            return False
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return all(map(self._is_harmless, _evaluated(statement)))
        if isinstance(statement, ast.ClassDef):
            plain = not statement.keywords
            used = [*statement.decorator_list, *statement.bases]
            return (
                plain and all(map(self._is_harmless, used)) and self.are_contained(statement.body)
            )
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if not all(map(_is_own_name, targets)):
                return False
        nested = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
        nested += [
            inner for handler in getattr(statement, "handlers", ()) for inner in handler.body
        ]
        values = [
            node
            for node in ast.iter_child_nodes(statement)
            if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store)
        ]
        return all(map(self._is_harmless, values)) and self.are_contained(nested)

    def _is_harmless(self, node: ast.expr | ast.keyword | ast.comprehension) -> bool:
        """Whether the evaluation of an expression does nothing but give a value."""
        if isinstance(node, ast.Lambda):
            return all(map(self._is_harmless, node.args.defaults))
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            return False
        if isinstance(node, ast.comprehension):
            self._bound.update(bindings(node))
        if isinstance(node, _COMPREHENSIONS) and not all(map(self._is_harmless, node.generators)):
            return False
        if isinstance(node, (ast.Name, ast.Attribute)) and (name := dotted(node)):
            return self._may_be_used(name)
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            last = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if last in _ACTIONS or last.startswith(("set_", "add_", "remove_")):
                return False
        children = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, (ast.expr, ast.keyword, ast.comprehension))
            and not isinstance(getattr(child, "ctx", None), ast.Store)
        ]
        return all(map(self._is_harmless, children))

    def _may_be_used(self, name: str) -> bool:
        first, _, rest = name.partition(".")
        if first not in self._bound:
            return first in _BUILTINS or _is_exception(first) or first in _OWN_NAMES
        imported = self._bound[first]
        if not imported:
            return True  # of the module's own making, out of harmless values
        full = f"{imported}.{rest}" if rest else imported
        if full.startswith(("os.path", "unittest.mock")):
            return full.startswith("os.path")
        top = full.partition(".")[0]
        return top in _MODULES or full in _FUNCTIONS or full in _ATTRIBUTES


def _evaluated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """What is evaluated when a function is defined."""
    arguments = function.args
    found = [*function.decorator_list, *arguments.defaults]
    return found + [default for default in arguments.kw_defaults if default is not None]


def _is_own_name(target: ast.expr) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_is_own_name, target.elts))
    return isinstance(target, ast.Name)


def _is_exception(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)
