"""Commands that select other tests than the one before: they go on with what both begin with."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import textwrap

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SmallBench, eventually

SLOW = "import slow_to_import\n"
TESTS = SLOW + textwrap.dedent(
    """
    import sys, pytest

    @pytest.mark.parametrize("n", range(3))
    def test_numbers(n): assert n < 2

    @pytest.mark.slow
    class TestGroup:
        def test_prints(self): print("said"); assert 0
        def test_argv(self, request):
            config = request.config
            oracle = ("-p", "no:fastcollect")
            for args in (sys.argv[1:], sys.orig_argv[-1:], config.invocation_params.args):
                print([arg for arg in args if arg not in oracle])
            print(config.args, config.option.keyword, isinstance(sys.argv, list))
            print(config.option.markexpr, config.option.file_or_dir)
            print(config.known_args_namespace.file_or_dir, config.known_args_namespace.keyword)
            assert 0

    @pytest.mark.xfail
    def test_expected(): assert 0
    """
)
FILES = {
    "pytest.ini": "[pytest]\nmarkers =\n    slow: takes its time\n",
    "test_a.py": TESTS,
    "test_b.py": SLOW
    + "def test_plain(): pass\nclass TestGroup:\n    def test_other(self): pass\n",
    "conftest.py": """\
        import pytest
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".cases":
                return Cases.from_parent(parent, path=file_path)
        class Cases(pytest.File):
            def collect(self):
                for name in self.path.read_text().split():
                    yield Case.from_parent(self, name=name)
        class Case(pytest.Item):
            def runtest(self): print(self.name)
    """,
    "odd.cases": "one two",
    "more/test_c.py": "def test_c(): pass\n",
}
ALL, GROUP = "test_a.py::TestGroup", "test_a.py::TestGroup::test_argv"
SELECTIONS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "node ids": (
        ("test_a.py::test_expected",),
        (
            (GROUP,), (ALL,), ("test_a.py::test_numbers[1]", GROUP), ("test_a.py",),
            ("test_a.py::nothing",), ("test_a.py::test_numbers", "-k", "1 or 2"), ("test_b.py",),
        ),
    ),
    "node ids of two files": (
        ("-v", "test_a.py::test_numbers", "test_b.py::test_plain"),
        (
            ("-v", GROUP, "test_b.py::TestGroup"), ("-v", "test_a.py", "test_b.py::test_plain"),
            ("-v", "test_b.py::test_plain", "test_a.py::test_numbers"),
        ),
    ),
    "expressions": (
        (),
        (
            ("-k", "argv"), ("-m", "slow"), ("-m", "not slow", "-k", "numbers"), ("-k", "("),
            ("-k", "nothing"), ("-k", "argv", "-k", "plain"), (), ("-kplain",),
        ),
    ),
    "one expression after another": (
        ("-rA", "-m", "slow"), (("-rA", "-m", "not slow"), ("-rA",), ("-rA", "-k", "Group")),
    ),
    "an expression in the same argument": (
        ("-kplain",), (("-k", "argv", "-kplain"), ("-kplain", "-k", "argv"), ("-vkplain",)),
    ),
    "node ids of another kind of file": (
        ("odd.cases::one",), (("odd.cases::two",), ("odd.cases",), ("odd.cases::three",)),
    ),
    "node ids of a module by name": (
        ("--pyargs", "-v", "test_b::test_plain"), (("--pyargs", "-v", "test_b::TestGroup"),),
    ),
    "node id in a directory": (("more",), (("more", "-k", "c"), ("more::test_c",))),
    "listed": (("--co", "-q"), (("--co", "-q", "-k", "numbers"), ("--co", "-k", "numbers"))),
        "a directory": (("-v", "."), (("-v", ".", "-k", "argv"), ("-v", "-k", "argv", "."))),
    "failures first": (("-v", "test_a.py"), (("-v", "test_a.py"), ("-v", "--lf", "test_a.py"))),
}  # fmt: skip
"""A command that is run, and those run after it."""


UNLIKE = ("an expression in the same argument", "node ids of another kind of file")
"""What each run parses for itself, or begins of its own."""


@pytest.mark.parametrize("name", sampled(list(SELECTIONS), 1))
def test_other_selection(name: str, project: MakeProject) -> None:
    first, others = SELECTIONS[name]
    bench = project(FILES)
    learn(bench, *first)
    for args in others:
        compared = bench.compare(args)
        assert not compared.differences, compared.differences[-1]
        assert compared.served is not None
        alike = compared.served["checkpoint"] in ("configured", "items", "collected")
        assert alike or args == others[-1] or name in UNLIKE, (args, compared.served)
        bench.wait_until_warm()


def learn(bench: SmallBench, *args: str) -> None:
    """Have what the selections of a command begin with."""
    bench.pytest(*args)
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
    bench.wait_until_warm()
    bench.pytest(*args)
    bench.wait_until_warm()


ASKING = {
    "the arguments": "def pytest_configure(config): print(config.args)",
    "the first arguments": "def pytest_configure(config): len(config.invocation_params.args)",
    "the expression": "def pytest_configure(config): config.getoption('-k')",
    "the expression, by name": "def pytest_sessionstart(session): session.config.option.markexpr",
    "the files": "def pytest_report_header(config): config.getoption('file_or_dir')",
    "sys.argv": "import sys\ndef pytest_configure(config): ' '.join(sys.argv)",
    "sys.orig_argv": "import sys\ndef pytest_configure(config): sys.orig_argv[-1:]",
    "sys.argv, backwards": "import sys\ndef pytest_configure(config): [*reversed(sys.argv)]",
    "sys.argv, in a sum": "import sys\ndef pytest_configure(config): [] + sys.argv",
    "all options": "def pytest_configure(config): vars(config.option)",
    "all options, shown": "def pytest_configure(config): repr(config.option)",
    "all options, copied": "import copy\ndef pytest_configure(config): copy.copy(config.option)",
}
SETTING = {
    "sys.argv": "import sys\ndef pytest_configure(config): sys.argv = ['program']",
    "an item of sys.argv": "import sys\ndef pytest_configure(config): sys.argv.append('--more')",
    "the expression": "def pytest_configure(config): config.option.keyword = 'prints'",
    "the arguments": "def pytest_configure(config): config.args = ['test_b.py']",
}
KEPT = """
import pytest
def pytest_configure(config): config.kept = config.invocation_params
@pytest.fixture(autouse=True)
def show(request):
    print([arg for arg in request.config.kept.args if arg not in ("-p", "no:fastcollect")])
"""
GIVEN = """
def pytest_load_initial_conftests(early_config, parser, args):
    early_config.given = list(args)
"""


@pytest.mark.parametrize("name", sampled([*ASKING, "given"], 2, always=("the arguments",)))
def test_somebody_asks_what_is_selected(name: str, project: MakeProject) -> None:
    """Then it is the run itself that has to answer."""
    hook = ASKING.get(name, "")
    bench = project({**FILES, "conftest.py": hook, "given.py": GIVEN})
    if name == "given":
        bench.extra_env["PYTEST_ADDOPTS"] += " -p given"
        bench.extra_env["PYTHONPATH"] += os.pathsep + str(bench.root)
    learn(bench, "-s", "test_a.py::test_expected")
    compared = bench.compare_warm("-s", GROUP)
    assert not compared.differences, compared.differences[-1]
    assert compared.served is not None and compared.served["checkpoint"] != "configured"
    assert "configured" not in bench.checkpoint_pids()


@pytest.mark.parametrize("name", sampled(list(SETTING), 1))
def test_somebody_sets_what_is_selected(name: str, project: MakeProject) -> None:
    """It is not what the command line says."""
    bench = project({**FILES, "conftest.py": SETTING[name]})
    learn(bench, "-s", "test_a.py::test_expected")
    compared = bench.compare_warm("-s", "-k", "argv", "test_a.py")
    assert not compared.differences, compared.differences[-1]
    assert "configured" not in bench.checkpoint_pids()


def test_somebody_keeps_the_first_arguments(project: MakeProject) -> None:
    """They are those of the run."""
    bench = project({**FILES, "conftest.py": KEPT})
    learn(bench, "-s", "test_a.py::test_expected")
    compared = bench.compare(["-s", "test_a.py::test_numbers"])
    assert compared.served["checkpoint"] == "configured"
    assert not compared.differences, compared.differences[-1]


def test_edited_in_between(project: MakeProject) -> None:
    bench = project(FILES)
    learn(bench, "test_a.py::test_expected")
    bench.write({"test_a.py": TESTS.replace("n < 2", "n < 1")})
    compared = bench.compare(["test_a.py::test_numbers"])
    assert not compared.differences, compared.differences[-1]
    assert "2 failed" in compared.warm.output


@pytest.mark.parametrize("end", sampled([signal.SIGKILL, signal.SIGSTOP], 1))
def test_process_that_is_ready_is_lost(end: signal.Signals, project: MakeProject) -> None:
    """Its parent forks another one, or the run is cold."""
    bench = project(FILES)
    learn(bench, "-v")
    parent = bench.checkpoint_pids()["collected"]
    ready = ready_process(parent)
    os.kill(ready, end)
    try:
        if end == signal.SIGKILL:
            eventually(lambda: _state(ready) in "ZX", "its end")
        compared = bench.compare(["-v"])
        assert not compared.differences, compared.differences[-1]
        if end == signal.SIGKILL:
            assert compared.served is not None and compared.served["checkpoint"] == "collected"
    finally:
        bench.fastcollect("stop")
        if end == signal.SIGSTOP:
            with contextlib.suppress(ProcessLookupError):
                os.kill(ready, signal.SIGCONT)
    eventually(lambda: _state(ready) in "X", "nothing left")


def test_run_is_the_process_that_was_ready(project: MakeProject) -> None:
    """Its pages have been prepared: it takes fewer faults than a fork, by what it says itself."""
    faults = (
        "import os, resource\n"
        "def test_faults():\n"
        "    print(f'<{os.getpid()} {resource.getrusage(resource.RUSAGE_SELF).ru_minflt}>')\n"
    )
    bench = project({"test_a.py": SLOW + faults})
    learn(bench, "-s")
    bench.pytest("-s")  # leaves which pages it needs
    bench.wait_until_warm()
    ready = ready_process(bench.checkpoint_pids()["collected"])
    found = re.search(r"<(\d+) ", bench.pytest("-s").output)
    assert found is not None and int(found[1]) == ready


def ready_process(parent: int) -> int:
    """The fork of a checkpoint that waits for the next run."""
    found: list[int] = []

    def look() -> bool:
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as children:
            found[:] = [pid for pid in map(int, children.read().split()) if _state(pid) == "S"]
        return len(found) == 1

    eventually(look, "a process that is ready")
    return found[0]


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"
