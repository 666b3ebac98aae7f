"""What the text of a test module decides by itself."""

from __future__ import annotations

import json

import pytest

from pytest_fastcollect.determined import study
from pytest_fastcollect.studies import CLASS, PLAIN, THERE, from_json, to_json

HEAD = """
import sys, os, re, enum, datetime, unittest, typing, dataclasses
from pathlib import Path
from unittest import mock
import pytest
import helper
from helper import Thing, VALUE
"""
DECIDED = {
    "nothing": "",
    "functions": "def test_a(tmp_path: Path, x=1, *, y=(2, 3)) -> None: helper.act()",
    "constants": "A = [1, 'x', (2.5, None)]; B = {'a': A}; C, D = A, -1; E: int = len(A) * 2",
    "comprehension": "A = [(n, str(n)) for n in range(3) if n]; B = {k: k for k in A}",
    "parameters": "@pytest.mark.parametrize('a, b', [(1, 'x'), pytest.param(2, 3, id='y')])\n"
    "def test_a(a, b): 1",
    "ids by a function": "@pytest.mark.parametrize('a', [1, 2], ids=lambda a: f'n{a}')\n"
    "def test_a(a): 1",
    "marks": "pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == 'x', reason='')]",
    "mark of another module's": "@pytest.mark.xfail(raises=(Thing, ValueError))\ndef test_a(): 1",
    "condition of another module's": "@pytest.mark.skipif(not VALUE, reason='')\ndef test_a(): 1",
    "fixture": "@pytest.fixture(autouse=True)\ndef thing(): yield helper.act()",
    "class": "class TestA:\n"
    "    x = 1\n    @staticmethod\n    def test_a(): 1\n    def setup_method(self): 1",
    "test case": "class TestA(unittest.TestCase):\n"
    "    @unittest.skip('x')\n    def test_a(self): 1",
    "class of its own": "class A: pass\nclass TestB(A): 1",
    "enumeration": "class Colour(enum.Enum):\n    RED = 1\nALL = [Colour.RED]",
    "data class": "@dataclasses.dataclass\nclass A:\n    x: int = 1",
    "patches": "@mock.patch.object(Thing, 'x')\n@mock.patch('helper.y')\ndef test_a(x, y): 1",
    "paths": "HERE = Path(__file__).resolve().parent / 'data'; NAME = os.path.join('a', 'b')",
    "library": "A = re.compile('x'); B = datetime.timedelta(1); C = datetime.date(2020, 1, 1)",
    "types": "def f(a: Thing | None, b: 'Any', c: list[Thing], d: typing.Optional[int] = 1): 1",
    "main": "if __name__ == '__main__':\n    helper.act()",
    "checking types": "if typing.TYPE_CHECKING:\n    from other import Other",
    "version": "if sys.version_info >= (3, 11):\n    def test_new(): 1",
}
OPEN = {
    "call": "helper.act()",
    "assigned call": "A = helper.act()",
    "own call": "def make(): return helper.act()\nA = make()",
    "value of another module's": "A = VALUE",
    "parameters of another module's": "@pytest.mark.parametrize('a', helper.CASES)\n"
    "def test_a(a): 1",
    "one parameter of another module's": "@pytest.mark.parametrize('a', [1, VALUE])\n"
    "def test_a(a): 1",
    "ids of another module's": "@pytest.mark.parametrize('a', [1], ids=helper.name)\n"
    "def test_a(a): 1",
    "ids by its own function": "def name(a): return a\n"
    "@pytest.mark.parametrize('a', [1], ids=name)\ndef test_a(a): 1",
    "through a fixture": "@pytest.mark.parametrize('a', [1], indirect=True)\ndef test_a(a): 1",
    "argument of a fixture": "@pytest.mark.parametrize('a', [1])\ndef test_a(b): 1",
    "parameters of a class": "@pytest.mark.parametrize('a', [1])\n"
    "class TestA:\n    def test_a(self, a): 1",
    "parameters of all": "pytestmark = pytest.mark.parametrize('a', [1])",
    "decorator": "@helper.register\ndef test_a(): 1",
    "decorated class": "@helper.register\nclass TestA: pass",
    "base": "class TestA(helper.Base): 1",
    "metaclass": "class TestA(metaclass=helper.Meta): 1",
    "keyword of a class": "class TestA(object, register=True): 1",
    "default": "def test_a(x=helper.act()): 1",
    "subclass hook": "class A:\n    def __init_subclass__(cls): helper.act()\nclass B(A): 1",
    "descriptor": "class A:\n    def __set_name__(self, owner, name): helper.act()",
    "attributes": "class TestA:\n    def __getattr__(self, name): return helper.act()",
    "comparison of its own": "class A(enum.Enum):\n"
    "    X = 1\n    def __eq__(self, other): helper.act()",
    "method of its own": "class A:\n"
    "    @staticmethod\n    def count(): helper.act()\nB = A.count()",
    "property": "class TestA:\n    @property\n    def x(self): return helper.act()",
    "environment": "A = os.environ['HOME']",
    "environment, asked": "A = os.getenv('HOME')",
    "clock": "A = datetime.datetime.now()",
    "file": "A = Path(__file__).read_text()",
    "directory": "A = list(Path('.').iterdir())",
    "order of a set": "A = list({'a', 'b'})",
    "attribute set": "helper.x = 1",
    "item set": "os.environ['X'] = '1'",
    "deleted": "del helper.x",
    "augmented": "helper.x += 1",
    "loop": "for x in helper.CASES: pass",
    "try": "try:\n    import other\nexcept ImportError:\n    other = None",
    "conditional import": "if sys.platform == 'linux':\n    import other",
    "condition of another module's": "if VALUE:\n    def test_a(): 1",
    "star": "from other import *",
    "skip": "pytest.skip('x', allow_module_level=True)",
    "importorskip": "other = pytest.importorskip('other')",
    "assertion": "assert VALUE",
    "with": "with helper.act(): 1",
    "hook": "def pytest_generate_tests(metafunc): 1",
    "imported hook": "from helper import pytest_generate_tests",
    "plugins": "pytest_plugins = ['other']",
    "module attributes": "def __getattr__(name): 1",
    "built-in name": "len = helper.act\nA = len([])",
    "imported as built-in": "from helper import act as len\nA = len([])",
    "print": "print('x')",
    "walrus": "A = (b := 1)",
    "annotation": "def f(a: helper.act()): 1",
    "annotation, subscribed": "def f(a: Thing[int]): 1",
    "syntax error": "def",
    "escape that Python warns of": "A = '\\d'",
    "comparison that Python warns of": "def test_a(): assert (1, 'x')",
    "mark with what is called": "@pytest.mark.skipif(helper.act(), reason='')\ndef test_a(): 1",
    "order of another module's": "@pytest.mark.skipif(VALUE > 1, reason='')\ndef test_a(): 1",
    "name bound to another thing": "import other as helper",
}


@pytest.mark.parametrize("name", DECIDED)
def test_decided(name: str) -> None:
    assert study((HEAD + DECIDED[name]).encode()) is not None


@pytest.mark.parametrize("name", OPEN)
def test_open(name: str) -> None:
    assert study((HEAD + OPEN[name]).encode()) is None


def test_what_remains_to_be_looked_at() -> None:
    text = """
import app.core
import pytest
from .near import far as wide
from helper import Base, FLAG

@pytest.mark.slow
@pytest.mark.skipif(FLAG == 1, reason="x")
@pytest.mark.xfail(raises=app.core.Trouble)
def test_a(x: Base | None, y: wide): 1
"""
    found = study(text.encode())
    assert found is not None
    assert [(one.level, one.module, one.name, one.bound) for one in found.imports] == [
        (0, "app.core", None, "app"),
        (0, "pytest", None, "pytest"),
        (1, "near", "far", "wide"),
        (0, "helper", "Base", "Base"),
        (0, "helper", "FLAG", "FLAG"),
    ]
    assert found.uses == {"FLAG": PLAIN, "app.core.Trouble": THERE, "Base": CLASS, "wide": THERE}
    assert found.marks == {"slow", "skipif", "xfail"}
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


@pytest.mark.parametrize("data", [1, [], {}, {"imports": 1, "uses": {}, "marks": []},
    {"imports": [[0, "x", 1, "x"]], "uses": {}, "marks": []},
    {"imports": [], "uses": {"x": "else"}, "marks": []},
    {"imports": [], "uses": {}, "marks": [1]}])  # fmt: skip
def test_damaged_study(data: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_json(data)
