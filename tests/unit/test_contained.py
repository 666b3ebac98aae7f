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
    "file": "from pathlib import Path\nPath('x').write_text('y')\n",
    "del": "import pkg\ndel pkg.A\n",
    "with": "from pkg import lock\nwith lock: pass\n",
    "loop over another": "from pkg import ITEMS\nfor ITEMS[0] in range(3): pass\n",
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
