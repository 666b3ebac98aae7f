"""Small projects: runs before, at once after and later after an edit, beside cold pytest."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness import WARM

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SmallBench

Files = Mapping[str, str | None]

SLOW = "import slow_to_import\n"
PLAIN = SLOW + "def test_plain(): assert slow_to_import.VALUE == 1\n"


@dataclass(frozen=True)
class Case:
    """A project, how it is run, and an edit that cold pytest shows."""

    files: Mapping[str, str]
    edit: Files = field(default_factory=dict)
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    env_edit: Mapping[str, str] = field(default_factory=dict)
    act: Callable[[SmallBench], None] | None = None
    """An edit that is more than writing files."""
    before: Callable[[SmallBench], None] | None = None
    """What there is besides files of text."""
    same_output: bool = False
    """Whether even cold pytest shows nothing of the edit."""
    first: tuple[str, ...] | None = None
    """Arguments of the first run, where they differ: the server does not learn from `--lf`."""
    shows: str = ""
    """What the first cold run has to print, so that the case is about what it says."""


def _same_size_and_time(bench: SmallBench) -> None:
    path = bench.root / "helper.py"
    before = path.stat()
    path.write_text("VALUE = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def _zip(bench: SmallBench, text: str, **more: str) -> None:
    with zipfile.ZipFile(bench.root / "library.zip", "w") as archive:
        for name, content in {**more, "zipped": text}.items():
            archive.writestr(f"{name}.py", content)


_ARGUMENTS = (
    SLOW + "import sys\nKEPT = [sys.argv.copy(), sys.orig_argv[-1:]]\n"
    "def test_a(): assert KEPT == [sys.argv, sys.orig_argv[-1:]]\n"
)
CASES = {
    "arguments that a module keeps": Case(
        {"test_a.py": _ARGUMENTS}, {"test_a.py": _ARGUMENTS + "def test_b(): pass\n"}
    ),
    "width that a module has asked for": Case(
        {
            "test_a.py": SLOW + "import os\nWIDTH = os.environ.get('COLUMNS')\n"
            "def test_a(): assert WIDTH == '100'\n"
        },
        env_edit={"COLUMNS": "90"},
    ),
    "time of a directory": Case(
        {
            "test_a.py": SLOW + "import os\nTIME = os.stat('data').st_mtime_ns\n"
            "def test_a(): assert TIME == os.stat('data').st_mtime_ns\n"
            "def test_b(): print(os.listdir('data')); assert 0\n",
            "data/a.txt": "",
        },
        {"data/b.txt": ""},
    ),
    "directory walked by its descriptor": Case(
        {
            "test_a.py": SLOW + "import os, pytest\n"
            "NAMES = sorted(n for *_, names, _ in os.fwalk('data') for n in names)\n"
            "@pytest.mark.parametrize('name', NAMES)\ndef test_a(name): pass\n",
            "data/deep/a.txt": "",
        },
        {"data/deep/b.txt": ""},
    ),
    "attribute of a file": Case(
        {
            "test_a.py": SLOW + "import os\nKIND = os.getxattr('data.txt', 'user.kind')\n"
            "def test_a(): assert KIND == b'one'\n",
            "data.txt": "",
        },
        act=lambda bench: os.setxattr(bench.root / "data.txt", "user.kind", b"two"),
        before=lambda bench: os.setxattr(bench.root / "data.txt", "user.kind", b"one"),
    ),
    "module added to an archive": Case(
        {
            "conftest.py": "import os, sys\n"
            "sys.path.insert(0, os.path.abspath('library.zip'))\nimport zipped\n",
            "test_a.py": SLOW + "import zipped\ntry: import added\n"
            "except ImportError: added = None\n"
            "def test_a(): assert (zipped.VALUE, bool(added)) == (1, False)\n",
        },
        act=lambda bench: _zip(bench, "VALUE = 2\n", added=""),
        before=lambda bench: _zip(bench, "VALUE = 1\n"),
    ),
    "module added to an archive, by a module that is left to the run": Case(
        {
            "conftest.py": "import os, sys\nsys.path.insert(0, os.path.abspath('library.zip'))\n",
            "test_a.py": SLOW + "print('said')\nimport zipped\ntry: import added\n"
            "except ImportError: added = None\n"
            "def test_a(): assert (zipped.VALUE, bool(added)) == (1, False)\n",
        },
        act=lambda bench: _zip(bench, "VALUE = 2\n", added=""),
        before=lambda bench: _zip(bench, "VALUE = 1\n"),
    ),
    "rootdir conftest edited": Case(
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef number(): return 1\n",
            "test_a.py": SLOW + "def test_number(number): assert number == 1\n",
        },
        {"conftest.py": "import pytest\n@pytest.fixture\ndef number(): return 2\n"},
    ),
    "conftests of sub-directories": Case(
        {
            "conftest.py": SLOW + "WHERE = 'root'\n",
            "a/conftest.py": "import pytest\n@pytest.fixture\ndef where(): return 'a'\n",
            "a/test_a.py": "def test_a(where): assert where == 'a'\n",
            "b/conftest.py": "import pytest\n@pytest.fixture\ndef where(): return 'b'\n",
            "b/test_b.py": "def test_b(where): assert where == 'b'\n",
        },
        {"b/conftest.py": "import pytest\n@pytest.fixture\ndef where(): return 'c'\n"},
    ),
    "packages with relative imports": Case(
        {
            "pkg/__init__.py": "NAME = 'pkg'\n",
            "pkg/tests/__init__.py": "",
            "pkg/tests/helper.py": "VALUE = 1\n",
            "pkg/tests/test_a.py": SLOW
            + "from .. import NAME\nfrom .helper import VALUE\n"
            + "def test_a(): assert (NAME, VALUE, __name__) == ('pkg', 1, 'pkg.tests.test_a')\n",
        },
        {"pkg/__init__.py": "NAME = 'other'\n"},
    ),
    "importmode importlib": Case(
        {
            "a/test_same.py": SLOW + "def test_a(): assert 'same' in __name__\n",
            "b/test_same.py": "def test_b(): assert 'same' in __name__\n",
        },
        {"b/test_same.py": "def test_b(): assert 'same' not in __name__\n"},
        args=("--import-mode=importlib",),
    ),
    "importmode append": Case(
        {
            "lib/helper.py": "VALUE = 1\n",
            "lib/test_a.py": SLOW
            + "import sys, helper\n"
            + "def test_a(): assert helper.VALUE == 1 and sys.path[-1].endswith('lib')\n",
        },
        {"lib/helper.py": "VALUE = 2\n"},
        args=("--import-mode=append",),
    ),
    "warnings at import": Case(
        {
            "helper.py": "import warnings\nwarnings.warn('from the helper')\n",
            "test_a.py": SLOW
            + "import warnings, helper\nwarnings.warn('seen at import')\ndef test_a(): pass\n",
        },
        {
            "helper.py": "import warnings\nwarnings.warn('seen later', FutureWarning)\n",
        },
        shows="UserWarning: seen at import",
    ),
    "a mark that is not registered": Case(
        {
            "test_a.py": PLAIN,
            "test_b.py": "import pytest\n@pytest.mark.unheard_of\ndef test_b(): pass\n",
        },
        {"test_b.py": "import pytest\n@pytest.mark.unheard_of_too\ndef test_b(): pass\n"},
        shows="Unknown pytest.mark.unheard_of",
    ),
    "filterwarnings error": Case(
        {
            "pytest.ini": "[pytest]\nfilterwarnings = error\n",
            "helper.py": "VALUE = 1\n",
            "test_a.py": PLAIN,
            "test_b.py": "import helper\ndef test_b(): assert helper.VALUE == 1\n",
        },
        {"helper.py": "import warnings\nVALUE = 1\nwarnings.warn('now an error')\n"},
    ),
    "random seeded at import": Case(
        {
            "test_a.py": SLOW
            + "import random\nrandom.seed(7)\n"
            + "def test_a(): assert random.random() == 0.32383276483316237\n",
        },
        {
            "test_a.py": SLOW
            + "import random\nrandom.seed(8)\n"
            + "def test_a(): assert random.random() == 0.32383276483316237\n",
        },
    ),
    "environment set by a conftest": Case(
        {
            "conftest.py": "import os\nos.environ['MODE'] = 'tested'\n",
            "helper.py": "import os\nMODE = os.environ.get('MODE')\n",
            "test_a.py": SLOW
            + "import os, helper\n"
            + "def test_a(): assert (helper.MODE, os.environ['MODE']) == ('tested', 'tested')\n",
        },
        {"conftest.py": "import os\nos.environ['MODE'] = 'edited'\n"},
    ),
    "sys.path extended by a conftest": Case(
        {
            "conftest.py": "import sys, pathlib\n"
            "sys.path.insert(0, str(pathlib.Path(__file__).parent / 'src'))\n",
            "src/product.py": "VALUE = 1\n",
            "test_a.py": SLOW + "import product\ndef test_a(): assert product.VALUE == 1\n",
        },
        {"src/product.py": "VALUE = 2\n"},
    ),
    "environment read at import": Case(
        {
            "helper.py": "import os\nMODE = os.environ.get('MODE', 'unset')\n",
            "test_a.py": SLOW + "import helper\ndef test_a(): assert helper.MODE == 'one'\n",
        },
        env={"MODE": "one"},
        env_edit={"MODE": "two"},
    ),
    "data file read at import": Case(
        {
            "cases.txt": "1 2 3",
            "test_a.py": SLOW
            + "import pathlib, pytest\n"
            + "CASES = (pathlib.Path(__file__).parent / 'cases.txt').read_text().split()\n"
            + "@pytest.mark.parametrize('case', CASES)\ndef test_a(case): assert case\n",
        },
        {"cases.txt": "1 2 3 4"},
    ),
    "directory listed at import": Case(
        {
            "data/one.txt": "",
            "test_a.py": SLOW
            + "import pathlib, pytest\n"
            + "CASES = sorted(p.name for p in (pathlib.Path(__file__).parent / 'data').iterdir())\n"
            + "@pytest.mark.parametrize('case', CASES)\ndef test_a(case): assert case\n",
        },
        {"data/two.txt": ""},
    ),
    "new test file": Case({"test_a.py": PLAIN}, {"sub/test_new.py": "def test_new(): assert 0\n"}),
    "test file deleted": Case(
        {"test_a.py": PLAIN, "test_b.py": "def test_b(): pass\n"}, {"test_b.py": None}
    ),
    "module that shadows appears": Case(
        {
            "src/product.py": "VALUE = 1\n",
            "conftest.py": "import sys, pathlib\n"
            "sys.path.append(str(pathlib.Path(__file__).parent / 'src'))\n",
            "test_a.py": SLOW + "import product\ndef test_a(): assert product.VALUE == 1\n",
        },
        {"product.py": "VALUE = 2\n"},
    ),
    "helper edited with its size and time kept": Case(
        {
            "helper.py": "VALUE = 1\n",
            "test_a.py": SLOW + "import helper\ndef test_a(): assert helper.VALUE == 1\n",
        },
        act=_same_size_and_time,
        # Without bytecode on disk: with it, plain pytest itself trusts the old one (see below).
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    ),
    "flag set in pytest_configure": Case(
        {
            "conftest.py": "import sys\n"
            "def pytest_configure(config): sys._called_from_test = True\n"
            "def pytest_unconfigure(config): del sys._called_from_test\n",
            "helper.py": "import sys\nTESTED = hasattr(sys, '_called_from_test')\n",
            "test_a.py": SLOW + "import helper\ndef test_a(): assert helper.TESTED\n",
        },
        {
            "helper.py": "import sys\nTESTED = not hasattr(sys, '_called_from_test')\n",
        },
    ),
    "time and uuid at import": Case(
        {
            "conftest.py": SLOW,
            "test_a.py": "import time, uuid\nSTARTED, ID = time.time(), uuid.uuid4()\n"
            "def test_a(): assert ID.version == 4 and STARTED <= time.time()\n",
        },
        {
            "test_a.py": "import time, uuid\nSTARTED, ID = time.time(), uuid.uuid4()\n"
            "def test_edited(): assert ID.version == 4 and STARTED <= time.time()\n",
        },
        args=("-v",),
    ),
    "unittest classes": Case(
        {
            "test_a.py": SLOW
            + "import unittest\n"
            + "class TestIt(unittest.TestCase):\n"
            + "    @classmethod\n    def setUpClass(cls): cls.value = 1\n"
            + "    def test_one(self): self.assertEqual(self.value, 1)\n"
            + "    def test_two(self):\n"
            + "        for i in range(3):\n"
            + "            with self.subTest(i=i): self.assertLess(i, 2)\n"
            + "    @unittest.skip('not now')\n    def test_three(self): pass\n",
        },
        {
            "test_a.py": SLOW
            + "import unittest\n"
            + "class TestIt(unittest.TestCase):\n"
            + "    def test_one(self): self.assertEqual(1, 2)\n",
        },
    ),
    "state that a hook sets from the environment": Case(
        {
            "settings.py": "MODE = 'a'\n",
            "conftest.py": SLOW
            + "import os, settings\n"
            + "def pytest_configure(config): settings.MODE = os.environ.get('HOOK_MODE', 'a')\n",
            "test_a.py": "from settings import MODE\nimport pytest\n"
            + "@pytest.mark.parametrize('mode', [MODE])\ndef test_a(mode): assert mode == 'a'\n",
        },
        env_edit={"HOOK_MODE": "b"},
    ),
    "state that a hook sets from a file": Case(
        {
            "mode.txt": "a",
            "settings.py": "MODE = 'a'\n",
            "conftest.py": SLOW
            + "import settings\n"
            + "def pytest_configure(config): settings.MODE = open('mode.txt').read()\n",
            "test_a.py": "from settings import MODE\ndef test_a(): assert MODE == 'a'\n",
        },
        {"mode.txt": "b"},
    ),
    "file asked for at import": Case(
        {
            "test_a.py": SLOW
            + "import os, pytest\n"
            + "@pytest.mark.skipif(not os.path.exists('big.bin'), reason='no big file')\n"
            + "def test_a(): pass\n",
        },
        {"big.bin": "is there"},
    ),
    "file asked for by its whole path": Case(
        {
            "test_a.py": SLOW + "import os, pytest\nFILE = os.path.abspath('big.bin')\n"
            "THERE = [os.path.exists(FILE), os.path.exists(FILE)]\n"
            "@pytest.mark.skipif(not all(THERE), reason='no big file')\ndef test_a(): pass\n",
        },
        {"big.bin": "is there"},
    ),
    "process id asked for at import": Case(
        {
            "conftest.py": SLOW,
            "helper.py": "import os\nPID = os.getpid()\n",
            "test_a.py": "import os, helper\ndef test_a(): assert helper.PID == os.getpid()\n",
        },
        {"helper.py": "import os\nPID = -os.getpid()\n"},
    ),
    "collector asked for what refers to an object": Case(
        {
            "helper.py": "class Marker: pass\nTHE = Marker()\n",
            "test_a.py": SLOW
            + "from gc import get_referrers\nimport helper\n"
            + "def test_a():\n"
            + "    assert any(found is vars(helper) for found in get_referrers(helper.THE))\n",
        },
        {"test_a.py": PLAIN + "import helper\ndef test_a(): assert helper.THE is None\n"},
    ),
    "spare instead of fork": Case(
        {
            "helper.py": "VALUE = 1\n",
            "test_a.py": PLAIN + "import helper\ndef test_a(): assert helper.VALUE == 1\n",
        },
        {"helper.py": "VALUE = 2\n"},
        env={"FASTCOLLECT_START_METHOD": "spare"},
    ),
    "doctests of modules": Case(
        {
            "product.py": 'def double(x):\n    """\n    >>> double(2)\n    4\n    """\n'
            "    return 2 * x\n",
            "test_a.py": PLAIN,
        },
        {
            "product.py": 'def double(x):\n    """\n    >>> double(2)\n    5\n    """\n'
            "    return 2 * x\n",
        },
        args=("--doctest-modules",),
    ),
}

_TWO = {
    "test_a.py": PLAIN + "def test_good(): pass\ndef test_bad(): assert 0\n",
    "test_b.py": "class TestB:\n    def test_good(self): pass\n    def test_bad(self): assert 0\n",
}
_TWO_EDIT = {
    "test_b.py": "class TestB:\n    def test_good(self): assert 0\n    def test_new(self): pass\n",
}
_TWO_EDIT_A = {"test_a.py": PLAIN + "def test_good(): pass\ndef test_bad(): assert 1 - 1\n"}
COMMANDS = {
    "-k": Case(_TWO, _TWO_EDIT, args=("-k", "good")),
    "node ids": Case(
        _TWO, _TWO_EDIT, args=("test_b.py::TestB::test_good", "test_a.py::test_plain")
    ),
    "-x": Case(_TWO, _TWO_EDIT_A, args=("-x",)),
    "--lf": Case({"conftest.py": SLOW, **_TWO}, _TWO_EDIT_A, args=("--lf",), first=()),
    "-p no:cacheprovider": Case(_TWO, _TWO_EDIT, args=("-p", "no:cacheprovider")),
    "-rA -v": Case(_TWO, _TWO_EDIT, args=("-rA", "-v")),
    "--collect-only -q": Case(_TWO, _TWO_EDIT, args=("--collect-only", "-q")),
}
ALL = {**CASES, **COMMANDS}
IN_CI = 3


@pytest.mark.parametrize("name", sampled(list(ALL), IN_CI))
def test_equal_to_cold(name: str, project: MakeProject) -> None:
    case = ALL[name]
    bench = project(case.files, **case.env)
    if case.before is not None:
        case.before(bench)
    first = bench.warm_up(*(case.args if case.first is None else case.first))
    assert case.shows in first.output

    before = bench.compare_warm(*case.args)
    assert not before.differences, before.differences[-1]

    _edit(bench, case)
    at_once = bench.compare(case.args)
    assert not at_once.differences, at_once.differences[-1]
    assert verify.differences(before.cold, at_once.cold), "the edit changes nothing: no test"

    bench.wait_until_warm()
    after = bench.compare_warm(*case.args)
    assert not after.differences, after.differences[-1]


def _edit(bench: SmallBench, case: Case) -> None:
    bench.write(case.edit)
    bench.extra_env.update(case.env_edit)
    if case.act is not None:
        case.act(bench)


def test_two_runs_of_a_random_module_are_not_alike(project: MakeProject, tmp_path: Path) -> None:
    """What cold pytest draws anew for each run, warm pytest draws anew too."""
    out = tmp_path / "drawn"
    bench = project(
        {
            "conftest.py": SLOW,
            "test_a.py": f"""\
                import random, uuid
                def test_a():
                    with open({str(out)!r}, "a") as file:
                        print(random.random(), uuid.uuid4(), file=file)
            """,
        }
    )
    bench.warm_up()
    for _ in range(2):
        bench.pytest()
        assert bench.status()["last_run"]["served"] in WARM
    drawn = out.read_text().split()
    assert len(drawn) == 6
    assert len(set(drawn)) == 6


def test_bytecode_that_is_wrongly_trusted_is_bypassed(project: MakeProject) -> None:
    case = CASES["helper edited with its size and time kept"]
    bench = project(case.files)
    bench.warm_up()
    _same_size_and_time(bench)
    bench.pytest()
    bench.wait_until_warm()
    after = bench.compare_warm()
    assert not after.differences, after.differences[-1]


def test_random_bytes_asked_for_at_import_are_not_shared(
    project: MakeProject, tmp_path: Path
) -> None:
    out = tmp_path / "names"
    bench = project(
        {
            "conftest.py": SLOW,
            "test_a.py": f"""\
                import uuid
                NAME = uuid.uuid4()
                def test_a():
                    with open({str(out)!r}, "a") as file:
                        print(NAME, file=file)
            """,
        }
    )
    bench.warm_up()
    for _ in range(2):
        bench.pytest()
        assert bench.status()["last_run"]["served"] in WARM
    names = out.read_text().split()
    assert len(names) == 3
    assert len(set(names)) == 3


def test_log_records_tell_the_age_of_the_run(project: MakeProject) -> None:
    """`relativeCreated` counts from the import of `logging`, which was long ago."""
    bench = project(
        {
            "conftest.py": SLOW,
            "test_a.py": """\
                import logging, time
                def test_a():
                    with open("/proc/self/stat") as file:
                        started = int(file.read().rpartition(")")[2].split()[19]) / 100
                    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
                    record = logging.LogRecord("", 0, "", 0, "", (), None)
                    assert 0 <= record.relativeCreated / 1000 < age + 0.1
            """,
        }
    )
    bench.warm_up()
    for _ in range(2):
        compared = bench.compare_warm()
        assert not compared.differences, compared.differences[-1]
        bench.wait_until_warm()


def test_library_that_warns_whoever_imports_it(project: MakeProject, tmp_path: Path) -> None:
    """It is not imported ahead by us, where the module that does so is left to the run."""
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "outdated.py").write_text(
        "import warnings\nwarnings.warn('it is old', DeprecationWarning, stacklevel=2)\n"
    )
    bench = project(
        {
            "conftest.py": f"import slow_to_import, sys\nsys.path.insert(0, {str(library)!r})\n",
            "test_a.py": "import outdated, time\nNOW = time.time()\ndef test_a(): pass\n",
        }
    )
    bench.warm_up()
    for _ in range(2):
        compared = bench.compare_warm()
        assert not compared.differences, compared.differences[-1]
        assert "it is old" in compared.warm.output
        bench.wait_until_warm()
