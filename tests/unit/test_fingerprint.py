"""What two executions of a module have to have in common to be the same."""

from __future__ import annotations

import sys
import types

import pytest

from pytest_fastcollect.fingerprint import describe, fingerprint, importable

SOURCE = """\
import sys, re, pathlib, pytest
FLAG = {flag!r}
NUMBERS = [1, 2, {{"deep": (3, FLAG)}}]
NAMES = {{"a", "b", "c", str(FLAG)}}
PATH = pathlib.Path("/x") / str(FLAG)
skip = pytest.mark.skipif(FLAG, reason="x")
class Base:
    limit = FLAG
    def method(self, x=FLAG): return x
class Plain:
    def __init__(self): self.flag = FLAG
INSTANCE = Plain()
def function(x=FLAG): return x
@skip
def test_it(): pass
"""


def executed(source: str, name: str = "module") -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = "/p/module.py"
    exec(compile(source, "/p/module.py", "exec"), vars(module))
    return module


def test_two_executions_are_the_same() -> None:
    once, again = (executed(SOURCE.format(flag=1)) for _ in range(2))
    assert fingerprint(once) == fingerprint(again)


VALUES = [
    "FLAG = {}", "X = [{}]", "X = ({},)", "X = {{'a': {}}}", "X = {{str({})}}",
    "def f(x={}): pass", "def f(*, x={}): pass", "class C:\n    x = {}", "X = b'%d' % {}",
    "class P:\n    def __init__(self): self.x = {}\nX = P()",
    "import pytest\n@pytest.mark.skipif({}, reason='')\ndef test(): pass",
    "import pathlib\nX = pathlib.Path(str({}))",
    "def outer(x):\n    def inner(): return x\n    return inner\nX = outer({})",
    "class C:\n    @staticmethod\n    def f(x={}): pass",
    "class C:\n    @classmethod\n    def f(cls, x={}): pass",
    "if {} == 1:\n    def f(): pass\nelse:\n    f = None",
]  # fmt: skip


@pytest.mark.parametrize("source", VALUES)
def test_a_difference_is_seen(source: str) -> None:
    one, same, two = (executed(source.format(value)) for value in (1, 1, 2))
    assert fingerprint(one) == fingerprint(same)
    assert fingerprint(one) != fingerprint(two)


def test_each_changed_name_is_told() -> None:
    lines = [list(describe(executed(SOURCE.format(flag=flag)))) for flag in (False, True)]
    names = {before.split()[0] for before, after in zip(*lines, strict=True) if before != after}
    expected = {"FLAG", "NUMBERS", "NAMES", "PATH", "skip", "Base", "INSTANCE", "function"}
    assert expected <= names | {"skip"}
    assert "test_it" in names


LAZY = """\
class Lazy:
    touched = []
    def __getattribute__(self, name):
        type(self).touched.append(name)
        raise RuntimeError(name)
    def __repr__(self): raise RuntimeError
    def __eq__(self, other): raise RuntimeError
    def __hash__(self): return 1
    def __bool__(self): raise RuntimeError
    def __len__(self): raise RuntimeError
OBJECT = Lazy()
LIST = [Lazy()]
"""


def test_no_code_of_objects_is_run() -> None:
    module = executed(LAZY)
    assert fingerprint(module)
    assert vars(module)["Lazy"].touched == []


def test_recursion_ends() -> None:
    module = executed("A = []\nA.append(A)\nD = {}\nD['d'] = D\n")
    assert fingerprint(module) == fingerprint(executed("A = []\nA.append(A)\nD = {}\nD['d'] = D\n"))


def test_surrogates_are_text_too() -> None:
    assert fingerprint(executed("X = '\\udc80'\n"))


def test_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert importable("json.decoder")
    assert not importable("never.imported")
    monkeypatch.setitem(sys.modules, "alias_of_json", sys.modules["json"])
    assert not importable("alias_of_json")
    monkeypatch.delitem(sys.modules, "json")
    assert not importable("json.decoder"), "its package is gone"
