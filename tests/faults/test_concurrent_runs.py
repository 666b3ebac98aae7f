"""Several runs against one server at the same time: none is lost, doubled or disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import WARM_HEADERS

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Result
from tests.conftest import MakeProject
from tests.support import HANG, Shared, SmallBench, ended, eventually, header, small_bench

AT_ONCE = 8

CONFTEST = """\
import os, select, time
import pytest
import slow_to_import

def note(text):
    fd = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{os.getpid()} {text}\\n".encode())
    os.close(fd)

@pytest.fixture(autouse=True)
def marker(request):
    note(request.node.name)

@pytest.fixture
def together():
    '''Until all runs are in the middle of their tests.'''
    note("waits")
    wait_for(lambda text: text.count(" waits") >= int(os.environ["RUNS"]))

@pytest.fixture
def released():
    note("waits")
    wait_for(lambda text: "released" in text)

def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition(open(os.environ["NOTES"]).read()):
        assert time.monotonic() < deadline, "the others never came"
        select.poll().poll(5)
"""

FILES = {
    "conftest.py": CONFTEST,
    "product.py": "ITEMS = []\nTEXT = 'before'\n",
    "test_all.py": """\
        import product, pytest

        def test_together(together): pass
        def test_state():
            product.ITEMS.append("mine")
            assert product.ITEMS == ["mine"]
        @pytest.mark.parametrize("i", range(5))
        def test_many(i): product.ITEMS.append(i)
        def test_fails(): assert product.ITEMS == []
        """,
    "test_dirs.py": """\
        import os, pytest

        @pytest.fixture(scope="session")
        def kept(tmp_path_factory):
            return tmp_path_factory.mktemp("kept")

        def test_write(tmp_path, kept):
            for directory in (tmp_path, kept):
                assert not list(directory.iterdir())
                (directory / "mine").write_text(str(os.getpid()))

        def test_together(together): pass

        def test_kept(kept, tmp_path, tmp_path_factory, record_property):
            assert (kept / "mine").read_text() == str(os.getpid())
            assert not list(tmp_path.iterdir())
            base = tmp_path_factory.getbasetemp()
            assert (base / "test_write0" / "mine").read_text() == str(os.getpid())
        """,
    "test_one.py": "def test_one(together): pass\ndef test_two(): assert 0\n",
    "test_cache.py": """\
        import os, pytest
        @pytest.mark.parametrize("i", range(8))
        def test_cache(i, together): assert str(i) != os.environ["FAILS"]
        """,
    "test_waits.py": """\
        import product
        def test_wait(released): pass
        def test_after(): assert product.TEXT == "before"
        """,
}


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[SmallBench]:
    """A project with two warm selections."""
    with small_bench(shared, FILES) as made:
        made.warm_up("--collect-only", "test_dirs.py")
        made.pytest("--collect-only", "test_all.py")
        made.wait_until_warm()
        yield made


class Runs:
    """Runs that are started together, in one directory of notes."""

    def __init__(self, bench: SmallBench, notes: Path, expected: int) -> None:
        self.bench = bench
        self.notes = notes
        self.processes: list[subprocess.Popen[str]] = []
        self.env = {
            **bench.env,
            "FASTCOLLECT_TOP_LEVEL": str(os.getpid()),
            "NOTES": str(notes),
            "RUNS": str(expected),
        }

    def start(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self.bench.command, *args], cwd=self.bench.root, env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def finish(self) -> list[Result]:
        """All results, in the order in which the runs were started."""
        outputs = [process.communicate(timeout=HANG)[0] for process in self.processes]
        return [
            Result(process.returncode, output, (), 0.0)
            for process, output in zip(self.processes, outputs, strict=True)
        ]

    def release(self) -> None:
        with open(self.notes, "a") as file:
            file.write("0 released\n")

    def waiting(self, count: int) -> list[int]:
        """The pids of the processes that run the tests, once that many wait."""

        def pids() -> list[int]:
            return [pid for pid, what in self.lines() if what == "waits"]

        eventually(lambda: len(pids()) == count, f"{count} runs that wait")
        return pids()

    def lines(self) -> list[tuple[int, str]]:
        text = self.notes.read_text() if self.notes.exists() else ""
        pairs = (line.split(" ", 1) for line in text.splitlines())
        return [(int(pid), what) for pid, what in pairs]

    def ran(self) -> dict[int, Counter[str]]:
        """By process, how often each test was begun."""
        found: dict[int, Counter[str]] = defaultdict(Counter)
        for pid, what in self.lines():
            if what.startswith("test_"):
                found[pid][what] += 1
        return found


@contextlib.contextmanager
def runs(bench: SmallBench, notes: Path, expected: int = 0) -> Iterator[Runs]:
    """Runs of a bench; those that are left at the end are killed."""
    made = Runs(bench, notes, expected)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.communicate()


def alone(bench: SmallBench, notes: Path, *args: str) -> Result:
    """The oracle, with nobody to wait for."""
    bench.extra_env |= {"NOTES": str(notes), "RUNS": "1"}
    cold = bench.cold(*args)
    lines = [line for line in cold.output.splitlines() if "generated xml file" not in line]
    return Result(cold.exit, "\n".join(lines) + "\n", (), 0.0)


def test_the_same_selection(bench: SmallBench, tmp_path: Path) -> None:
    args = ("test_all.py",)
    with runs(bench, tmp_path / "notes", AT_ONCE) as made:
        for _ in range(AT_ONCE):
            made.start(*args)
        results = made.finish()
    assert len(results) == AT_ONCE
    assert {header(result.output) for result in results} <= set(WARM_HEADERS)
    names = ["test_together", "test_state", *(f"test_many[{i}]" for i in range(5)), "test_fails"]
    assert list(made.ran().values()) == [Counter(names)] * AT_ONCE, results[0].output
    oracle = alone(bench, tmp_path / "alone", *args)
    for result in results:
        found = verify.differences(oracle, result)
        assert not found, found[-1]


COMMANDS = (
    ("test_all.py::test_together", "test_all.py::test_state"),
    ("-q", "test_one.py"),
    ("-v", "test_one.py", "test_all.py", "-k", "together or one"),
    ("-x", "test_one.py::test_one", "test_one.py::test_two"),
    ("--import-mode=importlib", "test_one.py"),
    ("-rA", "test_all.py", "-k", "together"),
    ("test_dirs.py", "-k", "together or write"),
    ("-p", "no:cacheprovider", "test_one.py", "test_dirs.py::test_together"),
)


@pytest.mark.long
def test_different_selections(bench: SmallBench, tmp_path: Path) -> None:
    """Each shows what it shows alone, whatever the server has for it."""
    commands = [
        (f"--basetemp={tmp_path}/{number}", *command) for number, command in enumerate(COMMANDS)
    ]
    with runs(bench, tmp_path / "notes", len(commands)) as made:
        for command in commands:
            made.start(*command)
        results = made.finish()
    assert len(made.ran()) == len(commands)
    served = Counter(header(result.output).partition(":")[0] for result in results)
    assert served["Daemon"] >= 4, served
    for command, result in zip(commands, results, strict=True):
        found = verify.differences(alone(bench, tmp_path / "alone", *command), result)
        assert not found, (command, found[-1])


@pytest.mark.long
def test_temporary_directories(bench: SmallBench, tmp_path: Path) -> None:
    """Each run has a numbered base of its own, and none removes another's."""
    with runs(bench, tmp_path / "notes", AT_ONCE) as made:
        made.env["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path)
        for _ in range(AT_ONCE):
            made.start("test_dirs.py")
        results = made.finish()
    assert [result.exit for result in results] == [0] * AT_ONCE, results
    assert len(results) == AT_ONCE
    assert {header(result.output) for result in results} <= set(WARM_HEADERS)
    written = tmp_path.glob("pytest-of-*/pytest-*/test_write0/mine")
    assert {int(path.read_text()) for path in written} <= set(made.ran())


@pytest.mark.long
def test_cache(bench: SmallBench, tmp_path: Path) -> None:
    """Runs that write the same cache: whoever ends last wins, as with cold runs."""
    with runs(bench, tmp_path / "notes", AT_ONCE) as made:
        for number in range(AT_ONCE):
            made.env["FAILS"] = str(number)
            made.start(f"test_cache.py::test_cache[{number}]")
        results = made.finish()
    assert [result.exit for result in results] == [1] * AT_ONCE, results
    failed = json.loads((bench.root / ".pytest_cache/v/cache/lastfailed").read_text())
    names = {f"test_cache.py::test_cache[{number}]" for number in range(AT_ONCE)}
    assert failed.keys() & names


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT]
    + [pytest.param(other, marks=pytest.mark.long) for other in (signal.SIGTERM, signal.SIGKILL)],
)
def test_the_end_of_one_is_not_the_others(
    bench: SmallBench, tmp_path: Path, number: signal.Signals
) -> None:
    with runs(bench, tmp_path / "notes") as made:
        for _ in range(3):
            made.start("test_waits.py")
        pids = made.waiting(3)
        assert not {process.pid for process in made.processes} & set(pids), "not warm runs"
        victim, *others = made.processes
        victim.send_signal(number)
        output, _ = victim.communicate(timeout=HANG)
        assert victim.returncode == (2 if number == signal.SIGINT else -number), output
        eventually(lambda: sum(ended(pid, timeout=0) for pid in pids) == 1, "the end of its run")
        assert [process.poll() for process in others] == [None, None]
        made.release()
        for process in others:
            output, _ = process.communicate(timeout=HANG)
            assert process.returncode == 0, output
    counted = Counter(what for _, what in made.lines() if what.startswith("test_"))
    assert counted == {"test_wait": 3, "test_after": 2}


def test_an_edit_does_not_reach_a_run_in_progress(bench: SmallBench, tmp_path: Path) -> None:
    """It goes on with the modules that it has imported; the next run has the new ones."""
    bench.extra_env |= {"NOTES": str(tmp_path / "notes"), "RUNS": "1"}
    try:
        with runs(bench, tmp_path / "notes") as made:
            made.start("test_waits.py")
            made.waiting(1)
            bench.write({"product.py": "ITEMS = []\nTEXT = 'after'\n"})
            bench.pytest("--collect-only", "test_waits.py")
            bench.wait_until_warm()
            made.release()
            (result,) = made.finish()
            assert result.exit == 0, result.output
            following = bench.compare_warm("test_waits.py")
            assert following.cold.exit == 1
            assert not following.differences, following.differences[-1]
    finally:
        bench.write({"product.py": FILES["product.py"]})


@pytest.mark.long
def test_runs_that_outlive_their_checkpoint_are_not_counted_for_ever(
    project: MakeProject, tmp_path: Path
) -> None:
    """Each edit has the checkpoint of a run in progress given up; the run ends all the same."""
    bench = project(FILES, FASTCOLLECT_MAX_RUNS="2")
    bench.extra_env |= {"NOTES": str(tmp_path / "notes"), "RUNS": "1"}
    bench.warm_up("--collect-only", "test_waits.py")
    for number in range(2):
        with runs(bench, tmp_path / f"notes{number}") as made:
            made.start("test_waits.py")
            made.waiting(1)
            bench.write({"product.py": f"ITEMS = [{number}]\nTEXT = 'before'\n"})
            bench.pytest("--collect-only", "test_waits.py")
            bench.wait_until_warm()
            made.release()
            (result,) = made.finish()
            assert header(result.output) in WARM_HEADERS
            assert result.exit == 0, result.output
    bench.compare_warm("--collect-only", "test_waits.py")
