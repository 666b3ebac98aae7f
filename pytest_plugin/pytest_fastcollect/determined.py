"""Does the text of a test module alone decide which tests it has, and does its execution show
nowhere else?

Then its import can be left out where none of its tests is selected (`selective`). Anything that is
not known to be decided counts as open: a name of another module may be looked at, to be kept by a
mark, but nothing that decides a test's name or number may come from there.
"""

from __future__ import annotations

import ast
import builtins
import sys
import warnings
from collections.abc import Collection, Iterable

from .studies import CLASS, PLAIN, THERE, Import, Study

_VALUES = frozenset(
    """
    math.e math.inf math.nan math.pi math.tau os.curdir os.devnull os.linesep os.name os.pathsep
    os.sep sys.byteorder sys.hexversion sys.implementation sys.maxsize sys.platform
    sys.version_info datetime.timezone.utc datetime.UTC
    """.split()
)
"""What is the same in every run of one interpreter."""
_CALLS = frozenset(
    """
    collections.Counter collections.OrderedDict collections.defaultdict collections.deque
    collections.namedtuple datetime.date datetime.datetime datetime.time datetime.timedelta
    datetime.timezone decimal.Decimal fractions.Fraction functools.partial itertools.chain
    itertools.combinations itertools.permutations itertools.product itertools.repeat
    os.path.abspath os.path.basename os.path.dirname os.path.join os.path.normpath
    pathlib.Path pathlib.PurePath pathlib.PurePosixPath pathlib.PureWindowsPath re.compile
    textwrap.dedent types.SimpleNamespace typing.TypeVar uuid.UUID
    """.split()
)  # fmt: skip
"""What gives the same for the same arguments, and does nothing else."""
_DECORATORS = frozenset(
    """
    contextlib.contextmanager dataclasses.dataclass unittest.expectedFailure unittest.skip
    unittest.skipIf unittest.skipUnless
    """.split()
)
_PATCHES = ("unittest.mock.patch", "unittest.mock.patch.object", "unittest.mock.patch.dict")
_BASES = frozenset(
    """
    enum.Enum enum.IntEnum enum.Flag enum.IntFlag typing.NamedTuple unittest.TestCase
    unittest.IsolatedAsyncioTestCase
    """.split()
)
_MAKING = frozenset(
    """
    __class_getitem__ __dir__ __get__ __getattr__ __getattribute__ __init__ __init_subclass__
    __new__ __set_name__ _generate_next_value_ _missing_
    """.split()
)
"""What of a class runs without being asked for by name: where it is made, or collected."""
_BUILTIN_GENERICS = frozenset(("dict", "frozenset", "list", "set", "tuple", "type"))
_BUILTINS = frozenset(
    """
    abs bool bytearray bytes chr complex dict divmod
    enumerate float int len list max min object ord range reversed round slice sorted str sum tuple
    zip
    """.split()
)
_METHODS = frozenset(
    """
    capitalize casefold center copy count decode encode endswith format get index items join
    keys ljust lower lstrip partition replace rjust rpartition rsplit rstrip split splitlines
    startswith strip title upper values zfill absolute joinpath resolve with_name with_suffix
    """.split()
)  # fmt: skip
"""Methods that read what they are of, whatever that is."""
_GENERIC = ("typing.", "collections.abc.")
_EQUALITY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)
_COMPREHENSIONS = (ast.ListComp, ast.DictComp, ast.GeneratorExp)
_OPERATIONS = (
    ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp,
    ast.Subscript, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


def study(source: bytes) -> Study | None:
    """None: the module has to be imported, to find out what it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an import that has to be compiled would show them
            compile(source, "<study>", "exec", dont_inherit=True)
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning):
        return None
    reader = _Reader()
    try:
        reader.statements(tree.body, is_top=True)
    except _Open:
        return None
    except RecursionError:
        return None
    return reader.study


class _Open(Exception):
    """Something that the text does not decide."""


class _Reader:
    """Goes through what is executed when a module is imported and collected, in its order."""

    def __init__(self) -> None:
        self.study = Study()
        self._own: dict[str, bool] = {}
        """Names bound to what the text decides; whether that is plain (`_decided`)."""
        self._is_class = False
        self._imported: dict[str, str] = {}
        """Names bound by imports, each with its dotted name ("." before relative ones)."""
        self._are_annotations_text = False

    # ------------------------------------------------------------------ statements

    def statements(self, statements: Iterable[ast.stmt], is_top: bool = False) -> None:
        """Statements of a module or a class."""
        for node in statements:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                _demand(is_top)
                self._import(node)
            elif isinstance(node, ast.Expr):
                _demand(isinstance(node.value, ast.Constant))
            elif isinstance(node, ast.If):
                self._if(node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(node)
            elif isinstance(node, ast.ClassDef):
                self._class(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                self._assignment(node)
            else:
                _demand(isinstance(node, ast.Pass))

    def _assignment(self, node: ast.Assign | ast.AnnAssign) -> None:
        if isinstance(node, ast.AnnAssign):
            self._annotation(node.annotation)
        if node.value is not None:
            plain = self._decided(node.value)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self._bind(target, plain)

    def _bind(self, target: ast.expr, plain: bool) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for one in target.elts:
                self._bind(one, plain)
        else:
            _demand(isinstance(target, ast.Name))
            assert isinstance(target, ast.Name)
            self._take(target.id, plain)

    def _take(self, name: str, plain: bool) -> None:
        """A name is bound to what the text decides, and none that has a meaning already."""
        special = name.startswith("pytest_") or (name.startswith("__") and name != "__all__")
        _demand(not special and name not in self._imported and not hasattr(builtins, name))
        # Bound twice, in branches perhaps: it may be the one or the other.
        self._own[name] = plain and self._own.get(name, True)

    def _if(self, node: ast.If) -> None:
        if self._is_never(node.test):
            self.statements(node.orelse)
            return
        _demand(self._decided(node.test))
        self.statements(node.body)
        self.statements(node.orelse)

    def _is_never(self, test: ast.expr) -> bool:
        return self._meaning(test) == "typing.TYPE_CHECKING" or ast.dump(test) == _MAIN

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self._are_annotations_text |= any(one.name == "annotations" for one in node.names)
            return
        for alias in node.names:
            _demand(alias.name != "*")
            if isinstance(node, ast.Import):
                bound = alias.asname or alias.name.partition(".")[0]
                meaning = alias.name if alias.asname else bound
                _demand(meaning == bound or bound != alias.name.partition(".")[0])
                self.study.imports.append(Import(0, alias.name, None, bound))
            else:
                bound = alias.asname or alias.name
                meaning = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                self.study.imports.append(Import(node.level, node.module or "", alias.name, bound))
            special = bound.startswith(("pytest_", "__")) or hasattr(builtins, bound)
            _demand(not special and bound not in self._own)
            _demand(self._imported.setdefault(bound, meaning) == meaning)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        _demand(not getattr(node, "type_params", None))
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for decorator in node.decorator_list:
            self._decorator(decorator, {one.arg for one in every})
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self._decided(default)
        every += filter(None, (arguments.vararg, arguments.kwarg))
        for annotation in (*(one.annotation for one in every), node.returns):
            if annotation is not None:
                self._annotation(annotation)
        if not self._is_class or not node.name.startswith("__"):
            self._take(node.name, plain=False)

    def _class(self, node: ast.ClassDef) -> None:
        _demand(not node.keywords and not getattr(node, "type_params", None))
        for decorator in node.decorator_list:
            self._decorator(decorator)
        has_instances = False
        """Which exist without anybody asking for them here."""
        for base in node.bases:
            meaning = self._meaning(base)
            if meaning is None:
                known = isinstance(base, ast.Name) and (base.id in self._own or base.id == "object")
                _demand(known or (isinstance(base, ast.Name) and _is_exception(base.id)))
                has_instances |= isinstance(base, ast.Name) and base.id in self._own
            else:
                _demand(meaning in _BASES)
                has_instances |= not meaning.startswith("unittest.")
        for statement in node.body:
            name = getattr(statement, "name", "")
            dunder = name.startswith("_") and name.endswith("_")
            _demand(name not in _MAKING and not (dunder and has_instances))
        self._inside(is_class=True).statements(node.body)
        self._take(node.name, plain=False)

    def _inside(self, names: Iterable[str] = (), is_class: bool = False) -> _Reader:
        """A scope in this one, with names of its own."""
        inside = _Reader()
        inside.study = self.study
        inside._is_class = is_class
        inside._own = {**self._own, **dict.fromkeys(names, True)}
        inside._imported = {k: v for k, v in self._imported.items() if k not in inside._own}
        inside._are_annotations_text = self._are_annotations_text
        return inside

    # ------------------------------------------------------------------ decorators and marks

    def _decorator(self, node: ast.expr, arguments: Collection[str] = ()) -> None:
        """`arguments`: of the function that is decorated."""
        if isinstance(node, ast.Name) and node.id in ("staticmethod", "classmethod"):
            return
        meaning = self._meaning(node.func if isinstance(node, ast.Call) else node)
        if meaning == "pytest.mark.parametrize":
            self.study.marks.add("parametrize")
            self._parametrize(node, arguments)
        elif meaning is not None and meaning.startswith("pytest.mark."):
            self._mark(meaning, node)
        elif meaning == "pytest.fixture":
            if isinstance(node, ast.Call):
                self._parameters(node)
        elif meaning in _PATCHES:
            _demand(isinstance(node, ast.Call))
            assert isinstance(node, ast.Call)
            self._kept(node)
        else:
            _demand(meaning in _DECORATORS)
            if isinstance(node, ast.Call):
                self._arguments(node)

    def _mark(self, meaning: str, node: ast.expr) -> None:
        name = meaning.removeprefix("pytest.mark.")
        _demand("." not in name and name != "parametrize")  # of which functions, is not known here
        self.study.marks.add(name)
        if isinstance(node, ast.Call):
            self._kept(node)

    def _parametrize(self, node: ast.expr, arguments: Collection[str]) -> None:
        """All of it for the function itself: what goes through a fixture, has the fixture's scope,
        and what none takes is an error."""
        _demand(isinstance(node, ast.Call) and len(node.args) == 2)
        assert isinstance(node, ast.Call)
        _demand({keyword.arg for keyword in node.keywords} <= {"ids", "scope"})
        try:
            names = ast.literal_eval(node.args[0])
        except ValueError:
            raise _Open from None
        names = names.split(",") if isinstance(names, str) else names
        _demand({str(name).strip() for name in names} - {""} <= set(arguments))
        self._parameters(node)

    def _parameters(self, node: ast.Call) -> None:
        """Arguments that decide names and numbers of tests; `ids` may be a function."""
        plain = self._all_decided(node.args)
        for keyword in node.keywords:
            is_list = isinstance(keyword.value, (ast.List, ast.Tuple, ast.Constant))
            if keyword.arg == "ids" and not is_list:
                _demand(plain)
                self._ids(keyword.value)
            else:
                plain &= self._decided(keyword.value)

    def _ids(self, node: ast.expr) -> None:
        if isinstance(node, ast.Lambda):
            arguments = node.args
            _demand(len(arguments.args) == 1 and not arguments.defaults)
            self._inside([arguments.args[0].arg])._decided(node.body)
        else:
            _demand(isinstance(node, ast.Name) and node.id in ("str", "repr"))

    def _kept(self, node: ast.Call) -> None:
        """Arguments that are kept for later and decide nothing now."""
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._looked_at(value)

    def _looked_at(self, node: ast.expr) -> None:
        if isinstance(node, (ast.Tuple, ast.List)):
            for one in node.elts:
                self._looked_at(one)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._compared(node.operand)
        elif isinstance(node, ast.Compare) and all(isinstance(op, _EQUALITY) for op in node.ops):
            for one in (node.left, *node.comparators):
                self._compared(one)
        elif self._meaning(node) is not None and not self._is_decided(node):
            self._use(node)
        else:
            self._decided(node)

    def _compared(self, node: ast.expr) -> None:
        if self._meaning(node) is not None and not self._is_decided(node):
            self._use(node, PLAIN)
        else:
            _demand(self._decided(node))

    # ------------------------------------------------------------------ expressions

    def _decided(self, node: ast.expr) -> bool:
        """The value depends on the text alone, and nothing else changes, else _Open is raised.

        Whether it is plain: no code of the module runs when it is asked for anything, and it looks
        the same in each process.
        """
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            if self._meaning(node) is not None:
                _demand(self._is_decided(node))
                return True
            _demand(not node.attr.startswith("_"))
            return self._decided(node.value)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, _COMPREHENSIONS):
            return self._comprehension(node)
        if isinstance(node, ast.Lambda):
            _demand(not node.args.defaults and not any(node.args.kw_defaults))
            return False
        _demand(isinstance(node, _OPERATIONS))
        children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        plain = self._all_decided(children)
        _demand(plain or isinstance(node, (ast.Tuple, ast.List, ast.Dict, ast.Starred)))
        return plain

    def _all_decided(self, nodes: Iterable[ast.expr]) -> bool:
        """Each of them; whether all are plain."""
        plain = [self._decided(node) for node in nodes]
        return all(plain)

    def _name(self, node: ast.Name) -> bool:
        if node.id in self._own:
            return self._own[node.id]
        if node.id in self._imported:
            _demand(self._is_decided(node))
            return True
        _demand(node.id == "__file__" or isinstance(getattr(builtins, node.id, None), type))
        return True

    def _is_decided(self, node: ast.expr) -> bool:
        """Whether what was imported is the same in every run; a mark is one as well."""
        meaning = self._meaning(node) or ""
        if meaning.startswith("pytest.mark."):
            self._mark(meaning, node)
            return True
        return meaning in _VALUES or meaning.startswith(_GENERIC)

    def _call(self, node: ast.Call) -> bool:
        callee = node.func
        meaning = self._meaning(callee)
        if meaning is not None and meaning.startswith("pytest.mark."):
            self._mark(meaning, node)
            return False
        if meaning == "pytest.param":
            return self._param(node)
        if meaning is not None:
            _demand(meaning in _CALLS)
        elif isinstance(callee, ast.Attribute):
            _demand(callee.attr in _METHODS and self._decided(callee.value))
        else:
            _demand(isinstance(callee, ast.Name) and callee.id not in self._own)
            assert isinstance(callee, ast.Name)
            _demand(callee.id in _BUILTINS)
            if callee.id == "object":
                return False
        _demand(self._arguments(node))
        return True

    def _param(self, node: ast.Call) -> bool:
        plain = self._all_decided(node.args)
        for keyword in node.keywords:
            if keyword.arg == "marks":
                self._looked_at(keyword.value)
            else:
                plain &= self._decided(keyword.value)
        return plain

    def _arguments(self, node: ast.Call) -> bool:
        values = (*node.args, *(keyword.value for keyword in node.keywords))
        return self._all_decided(values)

    def _comprehension(self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> bool:
        inside = self._inside()
        plain = True
        for generator in node.generators:
            plain &= inside._decided(generator.iter)
            for name in ast.walk(generator.target):
                if isinstance(name, ast.Name):
                    inside._own[name.id] = plain
                    inside._imported.pop(name.id, None)
            for condition in generator.ifs:
                _demand(inside._decided(condition))
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        return inside._all_decided(parts) and plain

    # ------------------------------------------------------------------ annotations

    def _annotation(self, node: ast.expr) -> None:
        if not self._are_annotations_text:
            self._type(node, is_part=False)

    def _type(self, node: ast.expr, is_part: bool) -> None:
        meaning = self._meaning(node)
        if isinstance(node, ast.Constant):
            _demand(
                not is_part or node.value is None or node.value is ...
            )  # `"Name" | None` raises
        elif isinstance(node, (ast.Tuple, ast.List)):
            for one in node.elts:
                self._type(one, is_part=True)
        elif isinstance(node, ast.Subscript):
            generic = self._meaning(node.value)
            _demand(
                generic.startswith(_GENERIC)
                if generic is not None
                else isinstance(node.value, ast.Name) and node.value.id in _BUILTIN_GENERICS
            )
            self._type(node.slice, is_part=True)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            self._type(node.left, is_part=True)
            self._type(node.right, is_part=True)
        elif meaning is not None:
            self._use(node, CLASS if is_part and not meaning.startswith(_GENERIC) else THERE)
        else:
            _demand(isinstance(node, ast.Name))
            assert isinstance(node, ast.Name)
            own = node.id in self._own
            _demand(own or isinstance(getattr(builtins, node.id, None), type))

    # ------------------------------------------------------------------ names

    def _meaning(self, node: ast.expr) -> str | None:
        """The dotted name of what was imported; None for anything else."""
        name = _dotted(node)
        first, _, rest = (name or "").partition(".")
        imported = self._imported.get(first)
        return (f"{imported}.{rest}" if rest else imported) if imported else None

    def _use(self, node: ast.expr, how: str = THERE) -> None:
        """What is of Python and pytest themselves is there, as it was before."""
        name, meaning = _dotted(node), self._meaning(node) or ""
        top = meaning.partition(".")[0]
        if name is not None and top not in sys.stdlib_module_names and top != "pytest":
            before = self.study.uses.setdefault(name, how)
            _demand(how == THERE or before in (THERE, how))
            if how != THERE:
                self.study.uses[name] = how


def _demand(condition: bool) -> None:
    if not condition:
        raise _Open


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join((node.id, *reversed(parts)))


_MAIN = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)


def _is_exception(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)
