"""Whether a module keeps to itself."""

from __future__ import annotations

import pytest

from pytest_fastcollect.contained import imported_names, keeps_to_itself

CONTAINED = {
    "tests": "import pytest\n@pytest.fixture\ndef f(): return g()\ndef test_f(f): f.x = 1\n",
    "time": "from datetime import datetime as d\nNOW = d.now().isoformat()\n",
    "output": "print('hello', f'{1 + 1}')\n",
    "parameters": "import pytest\nA = [1, 2]\n@pytest.mark.parametrize('x', [a * 2 for a in A])\n"
    "def test_x(x): pass\n",
    "class": "import unittest\nclass T(unittest.TestCase):\n    x = [1]\n    def test(self): 1\n",
    "condition": "import sys\nif sys.platform == 'x':\n    A = 1\nelse:\n    A = 2\n",
    "optional": "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n",
    "names of the project": "from pkg import A\nB = 1\n",
    "not executed": "def (\n",
    "only as a program": "import sys\nif __name__ == '__main__':\n    sys.path.insert(0, 'x')\n",
    "item of its own": "CASES = {}\nCASES['a'] = [1]\n",
    "function of its own": "def f(a): return [a * 2]\nA = f(1)\n",
    "class of its own": "class A:\n    def __init__(self): self.x = 1\nA1 = A()\n",
    "function of its own as a parameter": "import pytest, pkg\ndef f(): pkg.A = 1\n"
    "@pytest.mark.parametrize('x', [f])\ndef test(x): pass\n",
    "without warnings": "import warnings\nwith warnings.catch_warnings():\n"
    "    warnings.simplefilter('ignore')\n    from pkg import A\n",
    "parameters of the project": "import pytest, pkg\nfrom pkg import A\n"
    "@pytest.mark.parametrize('x', [A, pkg.B, (pkg.C, 1)])\ndef test(x): pass\n",
    "comparison with another": "from pkg import MODE\nif MODE in ('a', 'b'):\n    A = 1\n",
    "negation": "import pytest\nfrom pkg import NEW\n"
    "@pytest.mark.skipif(not NEW, reason='old')\ndef test(x): pass\n",
    "suppressed": "import contextlib\nwith contextlib.suppress(ImportError):\n    import numpy\n",
}
NOT_CONTAINED = {
    "attribute of another module": "import settings\nsettings.DEBUG = True\n",
    "item of another": "import os\nos.environ['A'] = '1'\n",
    "method of another": "from pkg import REGISTRY\nREGISTRY.append(1)\n",
    "call of the project's": "from pkg import setup\nsetup()\n",
    "call in a parameter": "import pytest\nfrom pkg import f\n@pytest.mark.x(f())\ndef t(): pass\n",
    "call in a default": "from pkg import f\ndef test(a=f()): pass\n",
    "decorator of the project's": "from pkg import f\n@f\ndef test(): pass\n",
    "subclass": "from pkg import Base\nclass A(Base): pass\n",
    "metaclass": "from pkg import M\nclass A(metaclass=M): pass\n",
    "in a class body": "import sys\nclass A:\n    sys.path.append('x')\n",
    "patch": "from unittest import mock\nmock.patch('os.getcwd').start()\n",
    "seed": "import random\nrandom.seed(1)\n",
    "import hidden in an expression": "__import__('settings').DEBUG = 1\n",
    "exec": "exec('import settings')\n",
    "globals of another": "import pkg\nvars(pkg)['A'] = 1\n",
    "setattr": "import pkg\nsetattr(pkg, 'A', 1)\n",
    "context": "import decimal\ndecimal.setcontext(decimal.Context(prec=3))\n",
    "context by its method": "from decimal import getcontext\ngetcontext().traps.clear()\n",
    "patch by pytest": "import pytest\npytest.MonkeyPatch().setattr('math.pi', 3)\n",
    "registry": "import shutil\nshutil.register_archive_format('x', print)\n",
    "hard link": "from pathlib import Path\nPath('x').hardlink_to('y')\n",
    "file": "from pathlib import Path\nPath('x').write_text('y')\n",
    "del": "import pkg\ndel pkg.A\n",
    "with": "from pkg import lock\nwith lock: pass\n",
    "loop over another": "from pkg import ITEMS\nfor ITEMS[0] in range(3): pass\n",
    "call of what is relative": "from . import setup\nsetup()\n",
    "method of what is relative": "from .pkg import REGISTRY\nREGISTRY.append(1)\n",
    "inside a function of its own": "import pkg\ndef f(): pkg.ITEMS.append(1)\nf()\n",
    "inside a nested function": "import pkg\ndef f():\n    def g(): pkg.A = 1\n    return g\n"
    "f()()\n",
    "by another name": "import pkg\ndef f(): pkg.A = 1\ng = f\ng()\n",
    "lambda by name": "import pkg\nf = lambda: pkg.ITEMS.append(1)\nf()\n",
    "out of a table": "import pkg\ndef f(): pkg.A = 1\nT = {'a': f}\nT['a']()\n",
    "in a loop": "import pkg\ndef f(): pkg.A = 1\nfor g in [f]:\n    g()\n",
    "inside a decorator": "import pkg\ndef d(f):\n    pkg.ITEMS.append(f)\n    return f\n"
    "@d\ndef test(): pass\n",
    "inside what is mapped": "import pkg\ndef f(x): pkg.ITEMS.append(x)\nA = list(map(f, [1]))\n",
    "inside a lambda": "import pkg\nA = sorted([2, 1], key=lambda x: pkg.ITEMS.append(x))\n",
    "inside a constructor": "import pkg\nclass A:\n    def __init__(self): pkg.B = 1\nA()\n",
    "inside a method": "import pkg\nclass A:\n    def m(self): pkg.B = 1\nA().m()\n",
    "inside a base": "import pkg\nclass A:\n    def __init_subclass__(cls): pkg.B = 1\n"
    "class C(A): pass\n",
    "parameter that is made": "import pytest\nfrom pkg import A\n"
    "@pytest.mark.parametrize('x', [A()])\ndef test(x): pass\n",
    "parameter that may be computed": "import pytest\nfrom pkg import settings\n"
    "@pytest.mark.parametrize('x', [settings.X])\ndef test(x): pass\n",
    "parameters that are used up": "import pytest\nfrom pkg import items\n"
    "@pytest.mark.parametrize('x', [*items])\ndef test(x): pass\n",
    "another's by a name of its own": "from pkg import ITEMS\nA = ITEMS\nA.append(1)\n",
    "built-in by star": "from pkg import *\nA = list()\n",
    "warnings that stay": "import warnings\nwarnings.simplefilter('ignore')\n",
    "other than main": "import sys\nif __name__ != '__main__':\n    sys.path.insert(0, 'x')\n",
    "rewriting": "import pytest\npytest.register_assert_rewrite('pkg')\n",
}


@pytest.mark.parametrize("name", CONTAINED)
def test_contained(name: str) -> None:
    assert keeps_to_itself(CONTAINED[name].encode())


@pytest.mark.parametrize("name", NOT_CONTAINED)
def test_not_contained(name: str) -> None:
    assert not keeps_to_itself(NOT_CONTAINED[name].encode())


def test_imported_names() -> None:
    source = b"import a.b as c\nfrom d import e\ndef f():\n    import g\nfrom . import h\n"
    assert imported_names(source) == {"a.b", "d", "d.e", "g"}
    assert imported_names(b"def (") == set()
