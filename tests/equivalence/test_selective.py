"""Cold runs with `-k` or `-m` that leave modules out: nobody could tell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import Shared, SmallBench, eventually, small_bench

PLAIN = """
import sys
import pytest
import helper
from helper import Thing

FACTORS = [factor * 2 for factor in range(3)]

@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: f"by{factor}")
@pytest.mark.parametrize(
    ("a", "b"), [(1, "x"), pytest.param(2, None, id="two", marks=pytest.mark.slow)]
)
def test_product(factor, a, b, plain): pass

@pytest.mark.skipif(not helper.READY, reason="not ready")
class TestGroup:
    pytestmark = pytest.mark.group

    @pytest.mark.xfail(raises=helper.Trouble)
    def test_inside(self, tmp_path: "Path", thing: Thing): assert isinstance(self, TestGroup)

    class TestInner:
        def test_deep(self): pass

def test_unique_NAME(): print("NAME ran"); assert FAILS

async def helping(): pass
"""


def plain(name: str, fails: int = 1) -> str:
    """The text of a module that keeps to itself."""
    return PLAIN.replace("NAME", name).replace("FAILS", str(fails))


PROJECT = {
    "pytest.ini": "[pytest]\nmarkers = slow: takes long\n  group: some\n",
    "conftest.py": """
        import os
        import pytest

        def pytest_configure(config):
            config.addinivalue_line("markers", "local: registered here")

        @pytest.fixture
        def plain(): return 1

        @pytest.fixture(params=os.environ.get("BACKENDS", "one two").split())
        def backend(request): return request.param

        @pytest.fixture
        def connected(backend): return backend

        if "EVERYWHERE" in os.environ:
            @pytest.fixture(autouse=True, params=[1, 2])
            def everywhere(request): return request.param

            @pytest.fixture(params=[1, 2])
            def thing(request): return request.param
        else:
            @pytest.fixture
            def thing(): return 1
    """,
    "helper.py": """
        import os, pathlib, unittest
        import slow_to_import

        READY = True
        CASES = pathlib.Path(__file__).with_name("cases.txt").read_text().split()
        TURNS = iter(range(100))
        REGISTRY = []
        class Thing: pass
        class Trouble(Exception): pass
        class Cases(unittest.TestCase):
            def test_inherited(self): pass
        if "NO_TROUBLE" in os.environ:
            del Trouble
    """,
    "cases.txt": "first second",
    "test_a.py": plain("a"),
    "test_b.py": plain("b", fails=0),
    "test_c.py": plain("c"),
    "test_data.py": """
        import pytest, helper
        @pytest.mark.parametrize("case", helper.CASES)
        def test_case(case): pass
    """,
    "test_turn.py": """
        import pytest, helper
        @pytest.mark.parametrize("n", [next(helper.TURNS)])
        def test_turn(n): pass
    """,
    "test_turn_later.py": """
        import pytest, helper
        @pytest.mark.parametrize("n", [next(helper.TURNS)])
        def test_turn(n): print(helper.REGISTRY)
    """,
    "test_registers.py": """
        import helper
        helper.REGISTRY.append(__name__)
        def test_registers(): pass
    """,
    "test_environ.py": "import os\nos.environ['SEEN'] = '1'\ndef test_environ(): pass\n",
    "test_prints.py": "print('at import')\ndef test_prints(): pass\n",
    "test_skips.py": "import pytest\npytest.skip('all', allow_module_level=True)\n",
    "test_warns.py": "import warnings\nwarnings.warn('at import')\ndef test_warns(): pass\n",
    "test_escape.py": "PATTERN = '\\d'\ndef test_escape(): pass\n",
    "test_unknown.py": "import pytest\n@pytest.mark.unknown\ndef test_unknown(): pass\n",
    "test_local.py": "import pytest\n@pytest.mark.local\ndef test_local(): pass\n",
    "test_backend.py": "def test_backend(backend): pass\ndef test_connected(connected): pass\n",
    "test_scoped.py": """
        import pytest
        @pytest.mark.parametrize("s", [1, 2], scope="session")
        def test_scoped(s): pass
        def test_between(): pass
    """,
    "test_scoped_too.py": """
        import pytest
        @pytest.mark.parametrize("s", [1, 2], scope="session")
        def test_scoped_too(s): pass
    """,
    "test_generates.py": """
        def pytest_generate_tests(metafunc): metafunc.parametrize("g", [1, 2, 3])
        def test_generated(g): pass
    """,
    "test_inherits.py": "from helper import Cases\ndef test_of_its_own(): pass\n",
    "test_unit.py": """
        import unittest
        class UnitCase(unittest.TestCase):
            @unittest.skip("not now")
            def test_skipped(self): pass
            def test_unit(self): self.assertTrue(True)
    """,
    "sub/conftest.py": "import pytest\n@pytest.fixture\ndef below(): return 1\n",
    "sub/test_a_sub.py": "def test_sub(below): pass\n",
    "sub/test_b_sub.py": """
        def test_other(below): pass
        class TestSub:
            def test_method(self): pass
    """,
    "pack/__init__.py": "",
    "pack/test_a_pack.py": "from . import test_b_pack\ndef test_pack(): assert test_b_pack.VALUE\n",
    "pack/test_b_pack.py": "VALUE = 1\ndef test_packed(): pass\n",
    "pack/test_c_pack.py": "from .test_b_pack import VALUE\ndef test_third(): pass\n",
}
EXPRESSIONS = {
    "one test": ("-k", "unique_b"),
    "a class": ("-k", "TestGroup"),
    "a parameter": ("-k", "by4 and not slow"),
    "a module": ("-k", "test_c"),
    "a directory": ("-k", "sub"),
    "upper case": ("-k", "UNIQUE_A or testinner"),
    "nothing": ("-k", "no_such_test"),
    "all": ("-k", "test"),
    "not": ("-k", "not product"),
    "wrong": ("-k", "a ("),
    "with a call": ("-k", "slow(a=1)"),
    "a mark": ("-m", "slow"),
    "no mark": ("-m", "not slow and not group"),
    "mark with arguments": ("-m", "xfail(raises=1) or slow"),
    "unknown mark": ("-m", "nosuch"),
    "parametrize": ("-m", "parametrize"),
    "both": ("-k", "product", "-m", "slow"),
    "unit": ("-k", "unit"),
    "data": ("-k", "first or turn"),
}
"""What decides which tests are selected."""
OPTIONS = {
    "listed": ("--co", "-k", "unique_b"),
    "listed quietly": ("--co", "-q", "-k", "unique"),
    "verbose": ("-v", "-k", "unique"),
    "all reported": ("-rA", "-k", "unique or turn"),
    "first failure": ("-x", "-k", "unique"),
    "two failures": ("--maxfail=2", "-k", "unique"),
    "uncaptured": ("-s", "-k", "unique"),
    "a directory": ("sub", "-k", "other"),
    "directories": ("pack", "sub", "-k", "third"),
    "a file": ("test_a.py", "-k", "unique"),
    "files": ("test_b.py", "test_a.py", "pack", "-k", "unique or third"),
    "a file twice": ("test_b.py", "test_b.py", "test_c.py", "-k", "unique"),
    "duplicates kept": ("--keep-duplicates", "test_b.py", "test_b.py", "test_c.py", "-k", "unique"),
    "a node id": ("test_a.py::TestGroup", "test_b.py", "-k", "inside"),
    "deselected": ("--deselect", "test_b.py::test_unique_b", "-k", "unique"),
    "ignored": ("--ignore=test_a.py", "-k", "unique"),
    "strict markers": ("--strict-markers", "-k", "unique"),
    "strict marker expression": ("--strict-markers", "-m", "nosuch"),
    "warnings are errors": ("-W", "error", "-k", "unique"),
    "no warnings": ("-p", "no:warnings", "-k", "unique"),
    "no cache": ("-p", "no:cacheprovider", "-k", "unique"),
    "setup plan": ("--setup-plan", "-k", "unique"),
    "setup shown": ("--setup-show", "-k", "unique"),
    "fixtures": ("--fixtures", "-k", "unique"),
    "fixtures of tests": ("--fixtures-per-test", "-k", "unique"),
    "doctests": ("--doctest-modules", "-k", "unique"),
    "import mode": ("--import-mode=importlib", "-k", "unique"),
    "append": ("--import-mode=append", "-k", "unique"),
    "continued": ("--continue-on-collection-errors", "-k", "unique"),
    "stepwise": ("--stepwise", "-k", "unique"),
    "new first": ("--nf", "-k", "unique"),
    "failed first": ("--ff", "-k", "unique"),
    "last failed": ("--lf", "-k", "unique"),
    "last failed alone": ("--lf",),
    "ini option": ("-o", "python_functions=helping test_unique*", "-k", "unique or helping"),
    "workers": ("-n", "1", "-p", "xdist", "-k", "unique"),
}  # fmt: skip
"""Options beside them."""


class Cold:
    """A project whose tests are known, and that no server helps: its directory is open to others,
    so that none is asked or started there."""

    def __init__(self, bench: SmallBench, *args: str) -> None:
        self.bench = bench
        self.root = bench.root
        self.bytecode = bench.directory.with_name("bytecode")
        # As its oracle: what is compiled in each run, says each time what it has to say.
        bench.extra_env["PYTHONDONTWRITEBYTECODE"] = "1"
        bench.extra_env["FASTCOLLECT_SELECTIVE"] = "1"
        settle(bench.root)
        bench.directory.mkdir(mode=0o777)
        bench.directory.chmod(0o777)
        assert "no server could be started" in bench.pytest(*args).output
        self.study()

    @property
    def kept(self) -> list[Path]:
        """Files in which the project's tests are known."""
        return sorted((self.bench.directory / "cache").glob("*.collected"))

    def study(self) -> None:
        """What a server has done."""
        kept = map(str, self.kept)
        command = [str(self.bench.project.python), "-m", "pytest_fastcollect.studying", *kept]
        subprocess.run(command, check=True, env=self.bench.env)

    def imported(self, *args: str) -> set[str]:
        """Test modules that a run imports, by the bytecode that it leaves."""
        shutil.rmtree(self.bytecode, ignore_errors=True)
        before = dict(self.bench.extra_env)
        self.bench.extra_env["PYTHONPYCACHEPREFIX"] = str(self.bytecode)
        del self.bench.extra_env["PYTHONDONTWRITEBYTECODE"]
        result = self.bench.pytest(*args)
        self.bench.extra_env = before
        assert "no server could be started" in result.output
        return {path.name.partition(".")[0] for path in self.bytecode.rglob("test_*.pyc")}

    def compare(self, args: Sequence[str]) -> None:
        """The run and its oracle, which begin with the same cache of pytest's."""
        cache = self.root / ".pytest_cache"
        kept = self.root.with_name("kept_cache")
        shutil.rmtree(kept, ignore_errors=True)
        if cache.exists():
            shutil.copytree(cache, kept)
        mine = self.bench.pytest(*args)
        left = read_cache(cache)
        if kept.exists():
            shutil.rmtree(cache)
            shutil.copytree(kept, cache)
        cold = self.bench.cold(*args)
        found = verify.differences(cold, mine)
        assert not found, (args, *found)
        assert left == read_cache(cache), args


def read_cache(directory: Path) -> dict[str, str]:
    """What pytest remembers for the next run."""
    dates = re.compile(r'"last_cache_date_str": .*')
    return {path.name: dates.sub("", path.read_text()) for path in directory.glob("v/cache/*")}


def latest_change(root: Path) -> int:
    """When any file was changed last."""
    return max(path.stat().st_ctime_ns for path in root.rglob("*"))


def settle(root: Path) -> None:
    """Wait until no file is so young that a later change might not show."""
    latest = latest_change(root)
    eventually(lambda: time.time_ns() - latest > 200_000_000, "a clock that goes on")


@pytest.fixture
def cold(project: MakeProject) -> Cold:
    """One to be edited."""
    return Cold(project(PROJECT))


@pytest.fixture(scope="module")
def unchanged(shared: Shared) -> Iterator[Cold]:
    """One for all that leaves it as it is."""
    with small_bench(shared, PROJECT) as bench:
        yield Cold(bench)


def test_modules_are_left_out(unchanged: Cold) -> None:
    """And which are not: what shows elsewhere, and what is not decided by its text."""
    imported = unchanged.imported("-k", "unique_b")
    left_out = {"test_c", "test_local", "test_unit", "test_a_sub", "test_b_sub", "test_c_pack"}
    every = {Path(name).stem for name in PROJECT if Path(name).stem.startswith("test_")}
    assert every - imported == left_out
    assert unchanged.imported() == every
    assert unchanged.imported("-m", "xfail(raises=1)") == every


@pytest.mark.parametrize("name", sampled(list(EXPRESSIONS), 6, always=("one test", "a mark")))
@pytest.mark.long
def test_expressions(name: str, unchanged: Cold) -> None:
    unchanged.compare(EXPRESSIONS[name])


@pytest.mark.parametrize("name", sampled(list(OPTIONS), 6, always=("listed", "verbose")))
@pytest.mark.long
def test_options(name: str, unchanged: Cold) -> None:
    unchanged.compare(OPTIONS[name])


def _write(files: dict[str, str | None]) -> Callable[[Cold], None]:
    def edit(cold: Cold) -> None:
        cold.bench.write(
            {name.replace("__", "/").replace("_py", ".py"): text for name, text in files.items()}
        )

    return edit


def _change(name: str, before: str, after: str) -> Callable[[Cold], None]:
    def edit(cold: Cold) -> None:
        path = cold.root / name
        stat, text = path.stat(), path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return edit


def _environ(**variables: str) -> Callable[[Cold], None]:
    return lambda cold: cold.bench.extra_env.update(variables)


def _damage(change: Callable[[bytes], bytes]) -> Callable[[Cold], None]:
    def edit(cold: Cold) -> None:
        for path in (cold.bench.directory / "cache").glob("*.*"):
            if path.suffix in (".collected", ".studies"):
                path.write_bytes(change(path.read_bytes()))

    return edit


def _break_import(cold: Cold) -> None:
    _change("helper.py", "class Thing: pass", "class Thin_: pass")(cold)


def _link(cold: Cold) -> None:
    (cold.root / "test_c.py").rename(cold.root / "other_c.py")
    (cold.root / "test_c.py").symlink_to("test_a.py")


def _shadow(cold: Cold) -> None:
    package = cold.root / "test_c"
    package.mkdir()
    (package / "__init__.py").write_text("def test_in_package(): pass\n")


HOOK = "def pytest_collection_modifyitems(items): items.reverse(); print([i.name for i in items])\n"
EDITS: dict[str, Callable[[Cold], None]] = {
    "nothing": lambda cold: None,
    "a test is renamed": _change("test_c.py", "test_deep", "test_dee2"),
    "a test is added": _change(
        "test_c.py", "async def helping", "def test_unique_new(): pass\nasync def h"
    ),
    "a mark is added": _change(
        "test_c.py", "def test_unique_c", "@pytest.mark.slow\ndef test_unique_c"
    ),
    "a module breaks": _change("test_c.py", "import helper", "import help_r"),
    "a module does something": _change(
        "test_c.py", "FACTORS =", "helper.REGISTRY.append(1); FACTORS ="
    ),
    "a helper is renamed": _break_import,
    "a helper's attribute goes": _change("helper.py", "READY = True", "READ_ = True"),
    "a helper is another thing": _change("helper.py", "class Thing: pass", "Thing = 'no'"),
    "a helper has tests": _change(
        "helper.py",
        "class Thing: pass",
        "class Thing(unittest.TestCase):\n    def test_thing(self): pass",
    ),
    "a helper has a fixture": _change(
        "helper.py",
        "class Thing: pass",
        "import pytest\n@pytest.fixture(autouse=True, params=[1, 2])\ndef Thing(request): pass",
    ),
    "a helper sets a mark": _change(
        "helper.py",
        "class Thing: pass",
        "class Thing:\n    __test__ = True\n    def test_marked(self): pass",
    ),
    "a conftest with hooks": _change("conftest.py", "import os", HOOK + "import os"),
    "a conftest has no mark": _change("conftest.py", "local: registered", "loc_l: registered"),
    "a conftest's parameters": _change(
        "conftest.py", "def plain(): return 1", "def plain(backend): return 1"
    ),
    "a conftest fails": _change("conftest.py", "import os", "import o_"),
    "hooks come late": _change("sub/conftest.py", "import pytest", HOOK + "import pytest"),
    "a conftest is new": _write({"pack/conftest.py": HOOK}),
    "a conftest ignores": _change(
        "conftest.py", "import os", "collect_ignore = ['test_a.py']\nimport os"
    ),
    "a file is new": _write({"test_bb.py": "def test_unique_bb(): pass\n"}),
    "a file of the same name": _write({"sub/test_c.py": "def test_unique_same(): pass\n"}),
    "a file is gone": _write({"test_c.py": None}),
    "a directory is new": _write({"sub/more/test_more.py": "def test_unique_more(): pass\n"}),
    "a package begins": _write({"sub/__init__.py": ""}),
    "a package ends": _write({"pack/__init__.py": None}),
    "a link": _link,
    "a shadow": _shadow,
    "data": _write({"cases.txt": "first third"}),
    "functions' names": _change(
        "pytest.ini", "[pytest]\n", "[pytest]\npython_functions = test_* helping\n"
    ),
    "classes' names": _change(
        "pytest.ini", "[pytest]\n", "[pytest]\npython_classes = Test Thing\n"
    ),
    "marks": _change("pytest.ini", "group: some", "other: some"),
    "warnings": _change("pytest.ini", "[pytest]\n", "[pytest]\nfilterwarnings = error\n"),
    "options": _change("pytest.ini", "[pytest]\n", "[pytest]\naddopts = --strict-markers\n"),
    "variable that a conftest reads": _environ(BACKENDS="one two three"),
    "variable with other fixtures": _environ(EVERYWHERE="1"),
    "variable that a helper reads": _environ(NO_TROUBLE="1"),
    "added options": _environ(PYTEST_ADDOPTS="-p no:asyncio -p no:xdist -m slow --strict-markers"),
    "cut off": _damage(lambda content: content[: len(content) // 2]),
    "empty": _damage(lambda content: b""),
    "damaged": _damage(lambda content: content.replace(b"test_deep", b"test_dee2")),
    "not JSON": _damage(lambda content: b"{" * 100_000),
}
AFTER_EDITS = (("-k", "unique_b"), ("-m", "slow"), ("-k", "deep or sub or third"))


@pytest.mark.parametrize(
    "name", sampled(list(EDITS), 8, always=("a test is renamed", "a helper is renamed"))
)
@pytest.mark.long
def test_edits(name: str, cold: Cold) -> None:
    EDITS[name](cold)
    for args in AFTER_EDITS:
        cold.compare(args)
        if args == AFTER_EDITS[0]:  # what is known now is of what was edited
            settle(cold.root)
            cold.bench.pytest()
            cold.study()


@pytest.mark.long
def test_module_that_failed_before(cold: Cold) -> None:
    """What pytest remembers of the failure of a module becomes that of its tests."""
    cache = cold.root / ".pytest_cache/v/cache/lastfailed"
    cache.write_text('{"test_c.py": true, "sub": true}')
    cold.compare(("-k", "unique_b"))
    assert "TestGroup" in cache.read_text()


@pytest.mark.long
def test_record_is_whole(project: MakeProject) -> None:
    """The server warms from a run that left modules out, and serves others as ever."""
    # What Python says when it compiles a module, it says once where bytecode is kept.
    files = {name: text for name, text in PROJECT.items() if name != "test_escape.py"}
    bench = project(files, FASTCOLLECT_SELECTIVE="1")
    settle(bench.root)
    bench.warm_up()
    bench.fastcollect("stop")
    bench.warm_up("-k", "unique_b")
    compared = bench.compare_warm("-rA")
    assert not compared.differences, compared.differences[-1]
    modules = next(p for p in bench.status()["checkpoints"] if p["name"] == "modules")
    assert modules["modules"] > 20
    assert not bench.compare_warm("-k", "unique_c").differences


@pytest.mark.long
def test_what_a_warm_run_has_seen_is_kept(project: MakeProject) -> None:
    """Also that of a run that was served all it imports."""
    bench = project(PROJECT, FASTCOLLECT_SELECTIVE="1")
    bench.warm_up("-q")
    (kept,) = (bench.directory / "cache").glob("*.collected")
    kept.unlink()
    settle(bench.root)
    eventually(lambda: time.time_ns() - latest_change(bench.root) > 5_100_000_000, "settled files")
    bench.compare_warm("-v", "-k", "unique")
    assert b"test_deep" in kept.read_bytes()


@pytest.mark.parametrize("switch", ["FASTCOLLECT=0", "--no-fastcollect-auto-daemon", "CI"])
@pytest.mark.long
def test_switched_off(switch: str, cold: Cold) -> None:
    """Nothing of ours happens."""
    name, _, value = switch.partition("=")
    if not switch.startswith("-"):
        cold.bench.extra_env[name] = value or "1"
    cold.bench.extra_env["PYTHONPYCACHEPREFIX"] = str(cold.bytecode)
    del cold.bench.extra_env["PYTHONDONTWRITEBYTECODE"]
    cold.bench.pytest("-k", "unique_b", *([switch] if switch.startswith("-") else []))
    assert list(cold.bytecode.rglob("test_c.*.pyc"))


@pytest.mark.long
def test_files_of_ours_alone_are_read(cold: Cold) -> None:
    (kept,) = cold.kept
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.parent.chmod(0o755)
    assert "test_c" in cold.imported("-k", "unique_b")
    kept.parent.chmod(0o700)
    assert "test_c" not in cold.imported("-k", "unique_b")
    kept.rename(kept.with_suffix(".other"))
    kept.symlink_to(kept.with_suffix(".other"))
    assert "test_c" in cold.imported("-k", "unique_b")
