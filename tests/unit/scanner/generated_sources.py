"""Random test modules as texts, for comparisons of the scanner with pytest."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

PRELUDE = """
import enum
import functools
import math
import re
import unittest
from decimal import Decimal
import pytest
from pytest import param
NUMBER = 3
TEXT = "txt"
PAIR = (1, "b")
ITEMS = [1, "a", None]
TABLE = {"one": 1, "two": [2]}
NOTHING = []
GROWN = [1]
GROWN.append(2)
REBOUND = [1]
REBOUND = [1, 2]
class Color(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1
class Level(enum.IntEnum):
    LOW = 1
    HIGH = enum.auto()
class Kind(str, enum.Enum):
    A = "a"
    UML = "\\xe4"
class Number(int, enum.Enum):
    ONE = 1
class Perm(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
class Plain:
    ATTRIBUTE = "attribute"
    def __init__(self, *args): pass
def helper(): pass
"""

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "a0", "1", "x", "a-b", "[", "]", "::", "\\", "\n", "'", '"', "{}"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(["x" * 100, "x" * 101, "ä" * 100, "ä" * 101]),
)

LITERALS: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(["None", "True", "False", "...", "1", "1", "2", "not True"]),
    st.integers(-(2**70), 2**70).map(repr),
    st.integers(0, 2**70).map(hex),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["1e999", "-1e999", "1e16", "1e-5", "1_0.0", "-0.0", "0.1 + 0.2", "1j", "1+2j"]
    ),
    st.sampled_from(["2.5-1.5j", "-1j", "1-0j", "math.pi", "math.inf", "float('nan')", "-0"]),
    TEXTS.map(repr),
    TEXTS.map(ascii),
    st.binary(max_size=4).map(repr),
)

NAMED: st.SearchStrategy[str] = st.sampled_from(
    [
        "NUMBER", "TEXT", "PAIR", "ITEMS", "TABLE", "Color.RED", "Color.CRIMSON", "Level.HIGH",
        "Kind.A", "Kind.UML", "Number.ONE", "Perm.WRITE", "Plain", "Plain()", "Plain.ATTRIBUTE",
        "helper", "lambda x: x", "int", "ValueError", "len", "Decimal", "Decimal('1.5')",
        "object()", "ValueError('x')", "set()", "range(3)", "re.compile('a.b')", "Color",
        "Color.RED.value", "Color.GREEN.name", "Color.__name__", "dict(a=1)", "frozenset({1})",
    ]
)  # fmt: skip

COMPUTED: st.SearchStrategy[str] = st.sampled_from(
    [
        "NUMBER + 1", "2 ** 40", "7 // -2", "-7 % 3", "1 << 70", "7 / 2", "TEXT + 'b'", "'ab' * 2",
        "[1] + [2]", "f'{NUMBER}-{TEXT!r}'", "f'{1.0}'", "f'{Color.RED}'", "f'a' 'b'", "str(1)",
        "repr('a')", "str(Color.RED)", "','.join(['a', 'b'])", "'a b'.split()", "'x'.upper()",
        "{**TABLE, 'three': 3}", "[x for x in 'ab']", "{x for x in 'ab'}", "len(ITEMS)",
        "f'{Level.LOW}'", "f'{NUMBER:>4}'", "1 < 2", "f'{PAIR}'", "str(ITEMS)",
    ]
)  # fmt: skip


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(inner, max_size=3)
    return st.one_of(
        items.map(lambda items: "[" + ", ".join(items) + "]"),
        items.map(lambda items: "(" + "".join(item + ", " for item in items) + ")"),
        items.map(lambda items: "{" + ", ".join(f"{n}: {v}" for n, v in enumerate(items)) + "}"),
    )


VALUES = st.recursive(st.one_of(LITERALS, NAMED, COMPUTED), _containers, max_leaves=4)

WHOLE_LISTS = st.sampled_from(
    [
        "range(3)", "range(5, 0, -2)", "list(range(2))", "[*range(2), 'c']", "ITEMS", "NOTHING",
        "[x for x in range(3)]", "[x * 2 for x in ITEMS[:0] or [1]]", "Color", "list(Color)",
        "TABLE", "TABLE.keys()", "TABLE.values()", "list(TABLE)", "'abc'", "tuple('ab')",
        "'a b c'.split()", "[f'n{i}' for i in range(3)]", "ITEMS + ['d']", "[1] * 3", "GROWN",
        "REBOUND", "[Color.RED.value, *Color]", "(x for x in [1, 2])", "map(str, [1, 2])",
        "[param(x, id=f'p{x}') for x in range(2)]", "[m.name for m in Color]", "[]", "()",
    ]
)  # fmt: skip

WHOLE_PAIRS = st.sampled_from(
    [
        "[(1, 2)]", "TABLE.items()", "list(zip('ab', [1, 2]))", "[(i, i * i) for i in range(3)]",
        "list(enumerate('ab'))", "[[1, 2], (3, 4)]", "[]", "['ab']", "[(1, 2, 3)]", "[PAIR]",
        "[(n, c) for n, c in enumerate('xy')]",
    ]
)  # fmt: skip


@st.composite
def parameter_set(draw: st.DrawFn, names: int, *, tuples: bool) -> str:
    """One set of values, perhaps by `pytest.param`."""
    values = [draw(VALUES) for _ in range(names)]
    if draw(st.integers(0, 3)) == 0:
        more = draw(
            st.one_of(
                st.just(""),
                TEXTS.map(lambda text: f", id={text!r}"),
                st.sampled_from([", id=None", ", marks=pytest.mark.slow", ", marks=[], id='m'"]),
            )
        )
        return f"pytest.param({', '.join(values)}{more})"
    if not tuples:
        return values[0]
    return "(" + "".join(value + ", " for value in values) + ")"


@st.composite
def ids(draw: st.DrawFn, count: int) -> str:
    """`ids=`, mostly as many as there are sets."""
    kind = draw(st.integers(0, 9))
    if kind < 6:
        return ""
    if kind == 6:
        return draw(st.sampled_from([", ids=str", ", ids=repr", ", ids=None", ", ids=[]"]))
    one = st.one_of(
        TEXTS.map(repr),
        st.sampled_from(
            ["None", "1", "1.5", "True", "Color.RED", "Kind.A", "helper", "b'x'", "TEXT"]
        ),
        st.sampled_from(["f'{NUMBER}'", "str(2)", "pytest.HIDDEN_PARAM"]),
    )
    given = draw(st.lists(one, min_size=count, max_size=count))
    if kind == 7 and count:
        given = draw(st.lists(one, max_size=4))
    return ", ids=[" + ", ".join(given) + "]"


@st.composite
def mark(draw: st.DrawFn, names: Sequence[str]) -> str:
    """`pytest.mark.parametrize(…)` of these arguments."""
    text = ",".join(names)
    argnames = draw(
        st.sampled_from(
            [repr(text), repr(text.replace(",", " , ")), repr(list(names)), repr(text + ",")]
        )
    )
    tuples = len(names) > 1 or argnames.startswith("[") or argnames.endswith(",'")
    if draw(st.integers(0, 4)) == 0:
        whole = draw(WHOLE_PAIRS if len(names) > 1 else WHOLE_LISTS)
        return f"pytest.mark.parametrize({argnames}, {whole}{draw(ids(2))})"
    sets = draw(st.lists(parameter_set(len(names), tuples=tuples), max_size=4))
    values = "[" + ", ".join(sets) + "]"
    return f"pytest.mark.parametrize({argnames}, {values}{draw(ids(len(sets)))})"


@st.composite
def parametrized_module(draw: st.DrawFn) -> str:
    """A module with one test, perhaps in a class, with up to three marks at any level."""
    groups = draw(st.sampled_from([["a"], ["a", "b"], ["a,b"], ["a", "b,c"], ["a", "b", "c"]]))
    marks = [draw(mark(group.split(","))) for group in groups]
    arguments = ",".join(groups).split(",")
    levels = draw(st.lists(st.sampled_from("fffcm"), min_size=len(marks), max_size=len(marks)))
    lines = [PRELUDE]
    module = [text for text, level in zip(marks, levels, strict=True) if level == "m"]
    if module:
        lines.append(f"pytestmark = [{', '.join(module)}]")
    own = [f"@{text}" for text, level in zip(marks, levels, strict=True) if level == "f"]
    around = [f"@{text}" for text, level in zip(marks, levels, strict=True) if level == "c"]
    if around:
        lines += [*around, "class TestA:"]
        body = [*own, f"def test_1(self, {', '.join(arguments)}): pass"]
        if draw(st.booleans()):
            body.append(f"def test_2(self, {', '.join(arguments)}): pass")
        lines += ["    " + line for line in body]
    else:
        lines += [*own, f"def test_1({', '.join(arguments)}): pass"]
    return "\n".join(lines) + "\n"


NAMES = st.sampled_from(
    ["test_a", "test_b", "test", "tests", "testing", "helper_a", "_test", "runTest"]
)
CLASS_NAMES = st.sampled_from(["TestA", "TestB", "Test", "Base", "Mixin", "TestC", "ATest"])
BASES = st.sampled_from(
    ["", "", "", "(Base0)", "(TestBase)", "(Base0, TestBase)", "(unittest.TestCase)", "(UnitBase)",
     "(Base0, unittest.TestCase)", "(dict)", "(Exception)", "(AbstractBase)"]
)  # fmt: skip

CLASS_PRELUDE = (
    PRELUDE
    + """
import abc
class Base0:
    def test_base(self): pass
    def test_a(self): pass
class TestBase:
    def test_b(self): pass
    def test_base(self): pass
class UnitBase(unittest.TestCase):
    def test_unit(self): pass
    def runTest(self): pass
class AbstractBase(abc.ABC):
    @abc.abstractmethod
    def test_a(self): pass
"""
)


@st.composite
def members(draw: st.DrawFn, receiver: str, depth: int) -> list[str]:
    """Statements of a body, at most two levels of classes deep."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        name = draw(NAMES)
        kind = draw(st.integers(0, 13))
        if kind < 5:
            lines += draw(st.sampled_from([[], [], ["@pytest.mark.slow"], ["@unittest.skip('x')"]]))
            lines.append(f"def {name}({receiver}): pass")
        elif kind == 5:
            lines.append(f"async def {name}({receiver}): pass")
        elif kind == 6:
            target, source = draw(NAMES), draw(NAMES)
            lines += [f"def {source}({receiver}): pass", f"{target} = {source}"]
        elif kind == 7:
            lines += [f"def {name}({receiver}): pass", f"del {name}"]
        elif kind == 8:
            lines.append(f"__test__ = {draw(st.sampled_from(['True', 'False', '0', '1', 'None']))}")
        elif kind == 9:
            lines += [f"def {name}({receiver}): pass", f"{name}.__test__ = {draw(st.booleans())}"]
        elif kind == 10:
            wrapper = draw(
                st.sampled_from(["@staticmethod", "@classmethod", "@property", "@pytest.fixture"])
            )
            lines += [wrapper, f"def {name}({receiver}): pass"]
        elif kind == 11:
            value = draw(st.sampled_from(["1", "None", "lambda *a: 1", "helper", "Plain", "int"]))
            lines.append(f"{name} = {value}")
        elif kind == 12:
            lines.append(
                draw(
                    st.sampled_from(["def __init__(self): pass", "x = 1", "def setUp(self): pass"])
                )
            )
        elif depth < 2:
            inner = draw(members("self", depth + 1))
            lines.append(f"class {draw(CLASS_NAMES)}{draw(BASES)}:")
            lines += ["    " + line for line in inner]
    return lines or ["pass"]


@st.composite
def named_module(draw: st.DrawFn) -> str:
    """A module of functions and classes with all ways to have and to lose a name."""
    lines = [CLASS_PRELUDE]
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            lines += [line for line in draw(members("", 2)) if "self" not in line]
        lines.append(f"class {draw(CLASS_NAMES)}{draw(BASES)}:")
        lines += ["    " + line for line in draw(members("self", 0))]
    return "\n".join(lines) + "\n"
