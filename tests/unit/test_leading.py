"""Which libraries a file is certain to import before code of the project has a say."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import pytest

from pytest_fastcollect.leading import WHOLE_FILE, Leading, leading_imports


@dataclass(frozen=True)
class Case:
    """The text of conftest.py, other files, and the libraries that are certain."""

    text: str
    imports: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)


CASES = {
    "imports": Case("import one, two.three\nfrom four import five\n", ("one", "two.three", "four")),
    "not the standard library": Case("import os, json\nimport one\n", ("one",)),
    "docstring and future": Case('"""Doc."""\nfrom __future__ import annotations\nimport one\n',
                                 ("one",)),
    "a call ends it": Case("import one\nprint()\nimport two\n", ("one",)),
    "a decorator ends it": Case("import one\n@one\ndef f(): pass\nimport two\n", ("one",)),
    "an attribute ends it": Case("import one\nx = one.y\nimport two\n", ("one",)),
    "constants": Case("X = (1, ['a'], {'b': None})\n__all__ = ['X']\nimport one\n", ("one",)),
    "a dunder that means something": Case("__path__ = ['x']\nimport one\n", ()),
    "plain function": Case("def f(a: int, b=1, *c): return g()\nimport one\n", ("one",)),
    "default that is evaluated": Case("def f(a=g()): pass\nimport one\n", ()),
    "annotation that is evaluated": Case("def f(a: x.y): pass\nimport one\n", ()),
    "plain class": Case("class A(ValueError):\n    '''Doc.'''\n    x = 1\n    def f(self): pass\n"
                        "import one\n", ("one",)),
    "class with a base of its own": Case("class A(B): pass\nimport one\n", ()),
    "class whose base only looks built in": Case(
        "from m import Exception\nclass A(Exception): pass\nimport one\n", ("m",)),
    "type checking": Case("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no\n"
                          "import one\n", ("one",)),
    "something else of that name": Case("TYPE_CHECKING = 1\nif TYPE_CHECKING:\n    import no\n"
                                        "import one\n", ()),
    "version": Case("import sys\nif sys.version_info >= (3, 0):\n    import one\nelse:\n"
                    "    import no\nimport two\n", ("one", "two")),
    "optional": Case("try:\n    import one\nexcept ImportError:\n    one = None\nimport two\n",
                     ("one", "two")),
    "any failure": Case("try:\n    import one\nexcept Exception:\n    one = None\n", ()),
    "module of the project": Case(
        "from helper import f\nimport two\n", ("one", "two"),
        {"helper.py": "import one\ndef f(): pass\n"}),
    "module of the project that acts": Case(
        "import zero\nfrom helper import f\nimport two\n", ("zero", "one"),
        {"helper.py": "import one\nf = one.f()\n"}),
    "module of the project that is asked for names": Case(
        "from helper import f\nimport one\nfrom helper import lazy\nimport two\n", ("one",),
        {"helper.py": "def f(): pass\ndef __getattr__(name): pass\n"}),
    "package": Case(
        "import zero\nimport pkg.sub.leaf\nimport two\n", ("zero", "a", "b", "c", "two"),
        {"pkg/__init__.py": "import a\n", "pkg/sub/__init__.py": "from .. import other\n",
         "pkg/other.py": "import b\n", "pkg/sub/leaf.py": "from . import nothing\nimport c\n"}),
    "attribute before submodule": Case(
        "from pkg import name\nimport two\n", ("two",),
        {"pkg/__init__.py": "def name(): pass\n", "pkg/name.py": "import no\n"}),
    "submodule": Case(
        "from pkg import name\nimport two\n", ("yes", "two"),
        {"pkg/__init__.py": "", "pkg/name.py": "import yes\n"}),
    "all of a package": Case(
        "from pkg import *\nimport two\n", (),
        {"pkg/__init__.py": "__all__ = ['name']\n", "pkg/name.py": "1 / 0\n"}),
    "cycle": Case(
        "import a1\nimport two\n", ("x", "y", "two"),
        {"a1.py": "import x\nfrom b1 import B\nA = 1\n", "b1.py": "import a1\nimport y\nB = 1\n"}),
    "namespace package": Case(
        "import space.leaf\nimport two\n", ("x", "two"), {"space/leaf.py": "import x\n"}),
    "broken": Case("import one\nimport helper\nimport two\n", ("one",), {"helper.py": "def (\n"}),
    "broken itself": Case("import one\ndef (\n", ()),
    "beyond the package": Case("from . import x\nimport one\n", ()),
}  # fmt: skip


def found(root: Path, text: str, files: dict[str, str], module: str | None = "conftest") -> Leading:
    for name, content in {**files, "conftest.py": text}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    sys.path_importer_cache.clear()

    def find(name: str) -> ModuleSpec | None:
        path: list[str] | None = [str(root)]
        spec = None
        parts = name.split(".")
        for depth in range(len(parts)):
            spec = PathFinder.find_spec(".".join(parts[: depth + 1]), path)
            if spec is None or depth + 1 == len(parts):
                return spec
            path = list(spec.submodule_search_locations or [])
        return spec

    return leading_imports(str(root / "conftest.py"), module, find, lambda spec: True)


@pytest.mark.parametrize("name", CASES)
def test_leading(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    leading = found(tmp_path, case.text, case.files)
    assert tuple(statement.name for statement in leading.imports) == case.imports


def test_what_the_imports_depend_on(tmp_path: Path) -> None:
    text = "import one\nfrom pkg import f\nimport two\nf()\n"
    files = {"pkg/__init__.py": "from .done import x\nfrom .core import f\nimport no\n",
             "pkg/done.py": "x = 1\n", "pkg/core.py": "import three  # why\nf = x()\n"}  # fmt: skip
    leading = found(tmp_path, text, files)
    assert [statement.name for statement in leading.imports] == ["one", "three"]
    path = str(tmp_path) + "/"
    first, last = leading.extents
    assert first == {path + "conftest.py": len("import one\n")}
    assert last == {
        path + "conftest.py": len("import one\nfrom pkg import f\n"),
        path + "pkg/__init__.py": len("from .done import x\nfrom .core import f\n"),
        path + "pkg/done.py": WHOLE_FILE,
        path + "pkg/core.py": len("import three  # why\n"),
    }
    assert leading.imports[1].importers == (
        path + "conftest.py",
        path + "pkg/__init__.py",
        path + "pkg/core.py",
    )
    assert path + "pkg" in leading.directories


def test_a_last_line_could_go_on(tmp_path: Path) -> None:
    leading = found(tmp_path, "import one", {})
    assert leading.extents == [{str(tmp_path / "conftest.py"): WHOLE_FILE}]


def test_lines_end_in_many_ways(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_bytes(b"")
    text = '"""One\r\ntwo."""\r\nimport one\r\nf()\r\n'
    (tmp_path / "conftest.py").write_bytes(text.encode())
    leading = leading_imports(
        str(tmp_path / "conftest.py"), None, lambda name: None, lambda s: True
    )
    assert leading.extents == [{str(tmp_path / "conftest.py"): text.index("f()")}]
