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

MODULES = frozenset(
    """
    __future__ abc base64 collections copy dataclasses datetime enum fractions functools getpass
    hashlib inspect itertools json math numbers operator pathlib platform pytest re secrets
    statistics string struct tempfile textwrap time types typing typing_extensions unittest uuid
    """.split()
)
"""Modules whose functions and classes may be used."""
_FUNCTIONS = frozenset(
    (
        "os.cpu_count", "os.environ.get", "os.fspath", "os.getcwd", "os.getenv", "os.getpid",
        "os.getppid", "os.urandom", "os.get_terminal_size", "os.isatty", "shutil.which",
        "shutil.get_terminal_size", "sys.getsizeof",
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
    chmod chown exit fail hardlink_to importorskip install installHandler lchmod link_to main mkdir
    mkdtemp mkstemp MonkeyPatch move open patch rename reset rmdir rmtree run skip sleep start
    symlink_to touch tzset unlink write write_bytes write_text copy copyfile copytree
    NamedTemporaryFile TemporaryDirectory TemporaryFile
    """.split()
)
"""Last parts of names of what acts on more than its result ..."""
_ACTION_PREFIXES = ("add_", "register", "remove_", "set_", "unregister")
"""... and beginnings of them."""
_CALLED_LATER = ("pytest.", "unittest.")
"""Who takes functions, and does not call them while the module is imported."""
_SUPPRESSING = frozenset(("contextlib.suppress", "warnings.catch_warnings"))
"""What a `with` may enter: it leaves nothing behind."""
_FILTERS = frozenset(("warnings.filterwarnings", "warnings.simplefilter"))
"""What may be called inside of `warnings.catch_warnings()`, which takes it back."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_STATEMENTS = (
    ast.Import, ast.ImportFrom, ast.Pass, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign,
    ast.Assert, ast.If, ast.Try, ast.For, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.ExceptHandler, ast.Raise, ast.Break, ast.Continue, ast.With, ast.Return,
)  # fmt: skip


def keeps_to_itself(source: bytes) -> bool:
    """Whether the execution of a module, its imports aside, can be seen in that module only."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return True  # it is not executed at all
    return _Names(tree).are_contained(tree.body)


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


def imported_at_once(source: bytes, package: str) -> frozenset[str]:
    """Modules that a module of that package may import when it is executed, by their full names."""
    try:
        waiting: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(
                [*(above if node.level else []), *([node.module] if node.module else [])]
            )
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))
    return frozenset(found)


class _Names:
    """What the names of a module stand for so far: what was imported, or "" for its own."""

    def __init__(self, tree: ast.Module) -> None:
        self._bound: dict[str, str] = {}
        self._definitions: dict[str, list[ast.stmt]] = {}
        """The module's own functions, methods and classes by their name, wherever they stand."""
        self._modules: set[str] = set()
        """Names that `import` has bound: certain to be modules."""
        self._aliases: dict[str, list[ast.expr]] = {}
        """What is assigned to names of the module's own, from which a function may come."""
        for node in ast.walk(tree):
            if isinstance(node, _DEFINITIONS):
                self._definitions.setdefault(node.name, []).append(node)
            if isinstance(node, ast.Import):
                self._modules.update(one.asname or one.name.partition(".")[0] for one in node.names)
            for target, value in _assigned(node):
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        self._aliases.setdefault(name.id, []).append(value)
        self._followed: set[ast.AST] = set()

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
        if isinstance(statement, _DEFINITIONS):
            return self._is_definition_harmless(statement)
        if isinstance(statement, ast.If) and _asks_for_main(statement.test):
            return self.are_contained(statement.orelse)
        if isinstance(statement, ast.With):
            return self._is_with_harmless(statement)
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if not all(map(self._is_own_target, targets)):
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

    def _is_definition_harmless(
        self, statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> bool:
        for one in statement.decorator_list:
            called = one.func if isinstance(one, ast.Call) else one
            if not self._is_harmless(one) or not self._calls(called):
                return False
        if not isinstance(statement, ast.ClassDef):
            return all(map(self._is_harmless, _evaluated(statement)))
        if statement.keywords or not all(map(self._is_harmless, statement.bases)):
            return False
        # A base of one's own may look at its subclasses when they are made.
        bases = all(
            map(self._runs_harmlessly, self._definitions.get("__init_subclass__", ()))
        ) and all(map(self._runs_harmlessly, self._definitions.get("__set_name__", ())))
        return bases and self.are_contained(statement.body)

    def _is_with_harmless(self, statement: ast.With) -> bool:
        entered = [item.context_expr for item in statement.items]
        names = [self._meaning(one.func) for one in entered if isinstance(one, ast.Call)]
        if len(names) < len(entered) or not _SUPPRESSING.issuperset(names):
            return False
        if any(item.optional_vars is not None for item in statement.items):
            return False
        body = statement.body
        if "warnings.catch_warnings" in names:
            body = [one for one in body if not self._is_filter(one)]
        return self.are_contained(body)

    def _is_filter(self, statement: ast.stmt) -> bool:
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            return False
        arguments = [*statement.value.args, *(one.value for one in statement.value.keywords)]
        return self._meaning(statement.value.func) in _FILTERS and all(
            map(self._is_harmless, arguments)
        )

    def _is_own_target(self, target: ast.expr) -> bool:
        if isinstance(target, (ast.Tuple, ast.List)):
            return all(map(self._is_own_target, target.elts))
        if isinstance(target, ast.Subscript):
            own = isinstance(target.value, ast.Name) and self._bound.get(target.value.id) == ""
            return own and self._is_harmless(target.slice)
        if isinstance(target, ast.Attribute):  # in a method
            return isinstance(target.value, ast.Name) and target.value.id == "self"
        return isinstance(target, ast.Name)

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
            if last in _ACTIONS or last.startswith(_ACTION_PREFIXES):
                return False
        if isinstance(node, ast.Call) and (not self._calls(node.func) or self._hands_on(node)):
            return False
        children = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, (ast.expr, ast.keyword, ast.comprehension))
            and not isinstance(getattr(child, "ctx", None), ast.Store)
        ]
        negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        if isinstance(node, ast.Compare) or negation or self._only_keeps(node):
            return all(self._is_only_looked_at(child) for child in children)
        return all(map(self._is_harmless, children))

    def _only_keeps(self, node: ast.AST) -> bool:
        """Whether this is a mark, or parameters: pytest keeps what it is given for later."""
        return isinstance(node, ast.Call) and (self._meaning(node.func) or "").startswith(
            ("pytest.mark.", "pytest.param")
        )

    def _is_only_looked_at(self, node: ast.expr | ast.keyword | ast.comprehension) -> bool:
        """`_is_harmless`, for where a thing of another module is not called, kept or changed."""
        if isinstance(node, ast.keyword):
            return self._is_only_looked_at(node.value)
        if isinstance(node, (ast.List, ast.Tuple)):
            return all(map(self._is_only_looked_at, node.elts))
        name = dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
        first, _, rest = (name or "").partition(".")
        # The attribute of an object may be a property; that of a module is there.
        known = bool(self._bound.get(first)) and (not rest or first in self._modules)
        return known or self._is_harmless(node)

    def _calls(self, callee: ast.expr) -> bool:
        """Whether what a call of this may run is harmless, as far as it is of the module's own."""
        for node in ast.walk(callee):
            if isinstance(node, ast.Lambda) and not self._is_harmless(node.body):
                return False
            if not isinstance(node, (ast.Name, ast.Attribute)):
                continue
            name = node.id if isinstance(node, ast.Name) else node.attr
            if not all(map(self._runs_harmlessly, self._definitions.get(name, ()))):
                return False
            for value in self._aliases.get(name, ()):
                if value not in self._followed:
                    self._followed.add(value)
                    if not self._calls(value):
                        return False
        return True

    def _runs_harmlessly(self, definition: ast.stmt) -> bool:
        """Whether the body of a function is harmless too; of a class, what an instance may run
        without being asked to by name."""
        if definition in self._followed:
            return True
        self._followed.add(definition)
        if isinstance(definition, ast.ClassDef):
            return all(
                self._runs_harmlessly(one)
                for one in definition.body
                if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
                and (one.name.startswith("__") or one.decorator_list)
            )
        assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
        if any(isinstance(node, ast.Global) for node in ast.walk(definition)):
            return False
        outside = dict(self._bound)
        arguments = definition.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += filter(None, (arguments.vararg, arguments.kwarg))
        self._bound.update(dict.fromkeys((argument.arg for argument in every), ""))
        harmless = self.are_contained(definition.body) and all(
            self._runs_harmlessly(node)
            for node in ast.walk(definition)
            if isinstance(node, _DEFINITIONS)
        )
        self._bound = outside
        return harmless

    def _hands_on(self, call: ast.Call) -> bool:
        """Whether a call may run what it is given, and that is not harmless."""
        if (self._meaning(call.func) or "").startswith(_CALLED_LATER):
            return False
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return not all(map(self._calls, given))

    def _meaning(self, node: ast.expr) -> str | None:
        """The dotted name of what was imported; None for anything else."""
        name = dotted(node)
        first, _, rest = (name or "").partition(".")
        imported = self._bound.get(first)
        return (f"{imported}.{rest}" if rest else imported) if imported else None

    def _may_be_used(self, name: str) -> bool:
        first, _, rest = name.partition(".")
        if first not in self._bound:
            # `import *` may have brought another thing by the name of a built-in one.
            known = first in _BUILTINS or _is_exception(first)
            return (known and "*" not in self._bound) or first in _OWN_NAMES
        imported = self._bound[first]
        if not imported:
            return True  # of the module's own making, out of harmless values
        full = f"{imported}.{rest}" if rest else imported
        if full.startswith(("os.path", "unittest.mock")):
            return full.startswith("os.path")
        top = full.partition(".")[0]
        return top in MODULES or full in _FUNCTIONS or full in _ATTRIBUTES


def _evaluated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """What is evaluated when a function is defined."""
    arguments = function.args
    found = [*function.decorator_list, *arguments.defaults]
    return found + [default for default in arguments.kw_defaults if default is not None]


def _assigned(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """(target, value) of what an assignment or a loop binds."""
    if isinstance(node, ast.Assign):
        return [(target, node.value) for target in node.targets]
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        return [(node.target, node.value)] if node.value is not None else []
    if isinstance(node, (ast.For, ast.comprehension)):
        return [(node.target, node.iter)]
    return []


def _asks_for_main(test: ast.expr) -> bool:
    """`__name__ == "__main__"`, which no module is that pytest imports."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _is_exception(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)
