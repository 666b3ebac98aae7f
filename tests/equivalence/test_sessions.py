"""The `collected` depth: repeated commands, and what must not be collected ahead of time."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SmallBench, eventually

SLOW = "import slow_to_import\n"
TESTS = SLOW + textwrap.dedent(
    """
    import os, sys, pytest

    @pytest.mark.parametrize("n", range(3))
    def test_numbers(n): assert n < 2

    class TestGroup:
        @pytest.fixture(autouse=True)
        def around(self):
            print("set up")
            yield
            print("torn down")

        def test_prints(self, capfd):
            os.write(1, b"to the descriptor")
            assert capfd.readouterr().out == "to the descriptor"

        def test_reads(self): assert sys.stdin.read() == ""

    @pytest.mark.skip(reason="not now")
    def test_skipped(): pass

    @pytest.mark.xfail
    def test_expected(): assert 0

    def test_tmp(tmp_path): (tmp_path / "a").write_text("b")
    def test_logs():
        import logging; logging.getLogger("a").warning("careful")
    def test_warns():
        import warnings; warnings.warn("careful")
    """
)
PLAIN = SLOW + "def test_plain(): pass\n"


def third(bench: SmallBench, *args: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """How a command that was run twice is served, and how it differs from the oracle's."""
    learnt_from = {"--lf", "--ff"}.isdisjoint(args)  # else which files there are is not known
    bench.pytest(*(args if learnt_from else ()))
    bench.wait_until_warm()
    bench.pytest(*args)
    bench.wait_until_warm()
    compared = bench.compare(args)
    return compared.served, compared.differences


REPEATED = {
    "plain": (),
    "verbose": ("-v",),
    "very verbose": ("-vv",),
    "quiet": ("-q",),
    "collect only": ("--collect-only",),
    "collect only, quiet": ("--collect-only", "-q"),
    "one of many": ("-k", "numbers and 1"),
    "by node id": ("test_a.py::TestGroup::test_prints",),
    "deselected": ("--deselect", "test_a.py::test_warns"),
    "captured by sys": ("--capture=sys", "-rP"),
    "not captured": ("-s",),
    "durations": ("--durations=3", "--durations-min=60"),
    "stops at the first failure": ("-x",),
    "failed first": ("--ff",),
    "new first": ("--nf",),
    "setup shown": ("--setup-show",),
    "setup plan": ("--setup-plan",),
    "no header": ("--no-header", "-rA"),
    "coloured": ("--color=yes",),
    "without the cache": ("-p", "no:cacheprovider"),
    "warnings are errors": ("-W", "error"),
    "doctests": ("--doctest-modules",),
    "import mode": ("--import-mode=importlib",),
    "without a terminal reporter": ("-p", "no:terminal"),
    "live logging": ("-o", "log_cli=true"),
}


@pytest.mark.parametrize("name", sampled(list(REPEATED), 1, always=("plain",)))
def test_repeated(name: str, project: MakeProject) -> None:
    bench = project({"test_a.py": TESTS, "test_b.py": PLAIN})
    served, differences = third(bench, *REPEATED[name])
    assert served["served"] == "collected" or name in ("new first",), (
        served,
        bench.status()["why"],
    )
    assert not differences, differences[-1]


Act = Callable[[SmallBench], None]


@dataclass(frozen=True)
class Edit:
    """A project, its command, and what is done to it once the session is collected."""

    files: Mapping[str, str]
    act: Act
    args: tuple[str, ...] = ("-v",)
    served: str | None = None
    """How the next run has to be served; None: it may be collected anew by then."""
    env: Mapping[str, str] = field(default_factory=dict)


def writing(**files: str) -> Act:
    return lambda bench: bench.write(
        {name.replace("__", "."): text for name, text in files.items()}
    )


def _cases_from_data(function: str) -> str:
    return textwrap.dedent(
        f"""
        import os, json, pathlib, pytest
        def pytest_generate_tests(metafunc):
            if "case" in metafunc.fixturenames:
                metafunc.parametrize("case", {function})
        """
    )


CASE = SLOW + "def test_case(case): pass\n"
YAML = """
import pytest

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".yaml":
        return Yaml.from_parent(parent, path=file_path)

class Yaml(pytest.File):
    def collect(self):
        yield Case.from_parent(self, name=self.path.stem)

class Case(pytest.Item):
    def runtest(self): pass
"""
ORDER = """
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.name, reverse=REVERSE)
"""


def _fail_another(bench: SmallBench) -> None:
    """Another run leaves other failures behind, the files being the same."""
    cache = bench.root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text('{"test_a.py::test_one": true}')


def _variable(bench: SmallBench) -> None:
    bench.extra_env["CASES"] = "three,four"


EDITS = {
    "nothing": Edit({"test_a.py": PLAIN}, lambda _: None, served="collected"),
    "test added": Edit({"test_a.py": PLAIN}, writing(test_a__py=PLAIN + "def test_new(): pass\n")),
    "test file added": Edit({"test_a.py": PLAIN}, writing(test_b__py="def test_new(): pass\n")),
    "test file removed": Edit(
        {"test_a.py": PLAIN, "test_b.py": PLAIN}, lambda bench: os.unlink(bench.root / "test_b.py")
    ),
    "conftest added": Edit(
        {"test_a.py": PLAIN}, writing(conftest__py="def pytest_report_header(): return 'new'\n")
    ),
    "configuration added": Edit(
        {"test_a.py": PLAIN}, writing(pytest__ini="[pytest]\npython_functions = check_*\n")
    ),
    "configuration edited": Edit(
        {"test_a.py": PLAIN, "pytest.ini": "[pytest]\n"},
        writing(pytest__ini="[pytest]\naddopts = -rA\n"),
    ),
    "data read for parameters": Edit(
        {
            "conftest.py": _cases_from_data("json.loads(pathlib.Path('cases.json').read_text())"),
            "cases.json": "[1, 2]",
            "test_a.py": CASE,
        },
        writing(cases__json="[1, 2, 3]"),
    ),
    "directory listed for parameters": Edit(
        {
            "conftest.py": _cases_from_data("sorted(os.listdir('data'))"),
            "data/a.txt": "",
            "test_a.py": CASE,
        },
        lambda bench: bench.write({"data/b.txt": ""}),
    ),
    "file's size used for parameters": Edit(
        {
            "conftest.py": _cases_from_data("[e.stat().st_size for e in os.scandir('data')]"),
            "data/a.txt": "",
            "test_a.py": CASE,
        },
        lambda bench: bench.write({"data/a.txt": "longer"}),
    ),
    "directory walked for parameters": Edit(
        {
            "conftest.py": _cases_from_data("[n for *_, ns, _ in os.fwalk('data') for n in ns]"),
            "data/deep/a.txt": "",
            "test_a.py": CASE,
        },
        lambda bench: bench.write({"data/deep/b.txt": ""}),
    ),
    "file read by its directory's descriptor": Edit(
        {
            "conftest.py": "import os\ndef read(name):\n"
            "    fd = os.open('data', os.O_RDONLY)\n"
            "    try:\n        with open(name, opener=lambda path, flags:"
            " os.open(path, flags, dir_fd=fd)) as file:\n            return file.read()\n"
            "    finally: os.close(fd)\n"
            "def pytest_report_header(): return read('a.txt')\n",
            "data/a.txt": "one",
            "test_a.py": PLAIN,
        },
        lambda bench: bench.write({"data/a.txt": "two"}),
    ),
    "variable read for parameters": Edit(
        {
            "conftest.py": _cases_from_data("os.environ.get('CASES', 'one').split(',')"),
            "test_a.py": CASE,
        },
        _variable,
    ),
    "file of a custom kind added": Edit(
        {"conftest.py": YAML, "a.yaml": "", "test_a.py": PLAIN}, writing(b__yaml="")
    ),
    "hook edited": Edit(
        {
            "conftest.py": ORDER.replace("REVERSE", "False"),
            "test_a.py": SLOW + "def test_a(): pass\ndef test_b(): pass\n",
        },
        writing(conftest__py=ORDER.replace("REVERSE", "True ")),
    ),
    "module that was looked for and not there": Edit(
        {
            "conftest.py": "def pytest_report_header():\n"
            "    try: import optional\n"
            "    except ImportError: return 'without'\n"
            "    return 'with'\n",
            "test_a.py": PLAIN,
        },
        writing(optional__py=""),
    ),
    "submodule that was looked for and not there": Edit(
        {
            "conftest.py": "def pytest_report_header():\n"
            "    try: import package.optional\n"
            "    except ImportError: return 'without'\n"
            "    return 'with'\n",
            "package/__init__.py": "",
            "test_a.py": "import package\n" + PLAIN,
        },
        lambda bench: bench.write({"package/optional.py": ""}),
    ),
    "other failures to begin with": Edit(
        {"test_a.py": SLOW + "def test_one(): pass\ndef test_two(): assert 0\n"},
        _fail_another,
        args=("--lf",),
    ),
    "other failures, shown by a conftest": Edit(
        {
            "conftest.py": "def pytest_report_header(config):\n"
            "    return sorted(config.cache.get('cache/lastfailed', {}))\n",
            "test_a.py": SLOW + "def test_one(): pass\ndef test_two(): assert 0\n",
        },
        _fail_another,
    ),
    "other failures, of no concern": Edit(
        {"test_a.py": SLOW + "def test_one(): pass\ndef test_two(): assert 0\n"},
        _fail_another,
        served="collected",
    ),
}


@pytest.mark.parametrize("name", sampled(list(EDITS), 2, always=("nothing",)))
def test_edited(name: str, project: MakeProject) -> None:
    """Never what was collected before, where cold pytest would not have collected it."""
    case = EDITS[name]
    bench = project(case.files, **case.env)
    served, differences = third(bench, *case.args)
    assert served["served"] == "collected", served
    assert not differences, differences[-1]
    case.act(bench)
    again = bench.pytest(*case.args)
    status = bench.status()
    assert status["last_run"]["served"] == case.served or case.served is None, status["last_run"]
    if case.act is _fail_another and case.served is None:
        case.act(bench)  # the run itself has left others
    cold = bench.cold(*case.args)
    from fastcollect_lsp import verify

    assert not verify.differences(cold, again), verify.differences(cold, again)[-1]
    if name == "other failures, of no concern":
        cache = bench.root / ".pytest_cache" / "v" / "cache" / "lastfailed"
        assert "test_two" in cache.read_text()
        assert "test_one" not in cache.read_text(), "it has passed meanwhile"


REFUSED = {
    "writes a file": ("def pytest_configure(config): open('mark', 'a').write('x')\n", "writes "),
    "asks for the time": (
        "import time\ndef pytest_report_header(): return f'at {time.time():.0f}'\n",
        "asks for the time",
    ),
    "asks for its process": (
        "import os\ndef pytest_report_header(): return f'pid {os.getpid() > 0}'\n",
        "process id",
    ),
    "draws random numbers": (
        "import random\ndef pytest_collection_modifyitems(items): random.shuffle(items)\n",
        "random",
    ),
    "starts a process": (
        "import subprocess\ndef pytest_sessionstart(): subprocess.run(['true'])\n",
        "subprocess.Popen",
    ),
    "starts a process from C": (
        "import ctypes\ndef pytest_sessionstart(): ctypes.CDLL(None).system(b'true')\n",
        "C code",
    ),
    "starts a thread": (
        "import threading, time\ndef pytest_sessionstart():\n"
        "    threading.Thread(target=time.sleep, args=(0.2,), daemon=True).start()\n",
        "thread",
    ),
    "keeps a descriptor": (
        "import socket\ndef pytest_configure(config): config.s = socket.socket()\n"
        "def pytest_unconfigure(config): config.s.close()\n",
        "descriptor",
    ),
    "changes the directory": (
        "import os\ndef pytest_collection_finish(): os.chdir('/')\n",
        "working directory",
    ),
    "prints to stderr": (
        "import sys\ndef pytest_report_header(): print('hello', file=sys.stderr)\n",
        "stderr",
    ),
    "connects from C": (
        "import ctypes, socket, struct\ndef pytest_sessionstart():\n"
        "    address = struct.pack('HHBBBB8x', socket.AF_INET, 0x0100, 127, 0, 0, 1)\n"
        "    libc = ctypes.CDLL(None)\n"
        "    fd = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)\n"
        "    libc.connect(fd, address, len(address)); libc.close(fd)\n",
        "C code",
    ),
    "logs live": (
        "import logging\n"
        "def pytest_configure(config): config.option.log_cli_level = 'INFO'\n"
        "def pytest_sessionstart(): logging.getLogger('a').warning('careful')\n",
        "log_cli",
    ),
    "empties a directory": (
        "import shutil, os\ndef pytest_sessionstart():\n"
        "    shutil.rmtree('out', ignore_errors=True); os.mkdir('out')\n",
        "",
    ),
}


@pytest.mark.parametrize("name", sampled(list(REFUSED), 1, always=("writes a file",)))
def test_refused(name: str, project: MakeProject) -> None:
    """What is the run's own, each run does itself: once, and when a person asked for it."""
    hook, reason = REFUSED[name]
    bench = project({"conftest.py": hook, "test_a.py": PLAIN + "def test_b(): pass\n"})
    runs = 3
    bench.pytest("-v")
    bench.wait_until_warm()
    bench.pytest("-v")
    bench.wait_until_warm()
    again = bench.pytest("-v")
    status = bench.status()
    assert status["last_run"]["served"] == "warm", status["last_run"]
    why = [miss["reason"] for miss in status["why"] if miss["checkpoint"] == "collected"]
    assert why and reason in why[-1], why
    assert again.exit == 0, again.output
    if name == "writes a file":
        assert (bench.root / "mark").read_text() == "x" * runs


@pytest.mark.parametrize("option", ["-s", "--capture=sys"])
def test_nobody_has_asked_for_temporary_files(option: str, project: MakeProject) -> None:
    """Where nothing is captured to a file, a test still decides where they go."""
    body = """
    import tempfile
    def test_a(monkeypatch):
        monkeypatch.setenv("TMPDIR", "/var/tmp")
        assert tempfile.gettempdir() == "/var/tmp"
    """
    bench = project({"test_a.py": SLOW + textwrap.dedent(body)})
    served, differences = third(bench, option)
    assert served["served"] == "collected"
    assert not differences, differences[-1]


@pytest.mark.parametrize("when", ["import", "hook"])
def test_input_from_a_file(when: str, project: MakeProject) -> None:
    """What is read before the first test is what the run's own input holds."""
    reading = "try: DATA = sys.stdin.read()\nexcept OSError: DATA = 'nothing'\n"
    if when == "hook":
        reading = "def pytest_configure():\n    global DATA\n" + textwrap.indent(reading, "    ")
    show = "def pytest_report_header(): return f'input: {DATA}'\n"
    bench = project({"conftest.py": "import sys\n" + reading + show, "test_a.py": PLAIN})
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    for number in range(4):
        (bench.root / "cases").write_text(f"number {number}")
        with (bench.root / "cases").open() as file:
            done = subprocess.run(
                [*bench.command, "-s"], cwd=bench.root, env=env, stdin=file, capture_output=True,
                text=True,
            )  # fmt: skip
        assert f"input: number {number}" in done.stdout
        eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
        bench.wait_until_warm()


def test_broken_file_is_reported_by_each_run(project: MakeProject) -> None:
    bench = project({"test_a.py": PLAIN, "test_b.py": "import nothing_of_that_name\n"})
    served, differences = third(bench)
    assert served["served"] != "collected"
    assert not differences, differences[-1]


def test_two_commands_are_both_kept(project: MakeProject) -> None:
    bench = project({"test_a.py": TESTS, "test_b.py": PLAIN})
    for args in (("test_a.py",), ("test_b.py", "-v")) * 2:
        bench.pytest(*args)
        bench.wait_until_warm()
    for args in (("test_a.py",), ("test_b.py", "-v")):
        compared = bench.compare(args)
        assert compared.served["served"] == "collected"
        assert not compared.differences, compared.differences[-1]


def test_what_was_run_once_is_collected_again_only_while_it_is_the_latest(
    project: MakeProject,
) -> None:
    bench = project({"test_a.py": TESTS, "test_b.py": PLAIN})
    bench.warm_up()
    for args in (("test_a.py",), ("test_b.py", "-v")):
        bench.pytest(*args)
        bench.wait_until_warm()
    bench.write({"conftest.py": "import pytest\n"})
    bench.wait_until_warm()
    served = {}
    for args in (("test_a.py",), ("test_b.py", "-v")):
        compared = bench.compare(args)
        assert not compared.differences, compared.differences[-1]
        served[args[0]] = compared.served["served"]
    assert served == {"test_a.py": "warm", "test_b.py": "collected"}


def test_runs_of_one_session_do_not_share_what_they_capture(project: MakeProject) -> None:
    """Both write to their own captured output at the same time."""
    body = """
import time
def test_a():
    for n in range(20):
        print(n); time.sleep(0.02)
    assert 0
"""
    bench = project({"test_a.py": SLOW + body})
    third(bench)
    import concurrent.futures

    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    for _ in range(2):  # this command, too, has to be known
        subprocess.run(bench.command, cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE)  # fmt: skip
        bench.wait_until_warm()
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        runs = [
            threads.submit(
                subprocess.run, bench.command, cwd=bench.root, env=env,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(3)
        ]  # fmt: skip
        outputs = [run.result().stdout for run in runs]
    for output in outputs:
        assert "Daemon: active, collected" in output, output
        captured = output.partition("Captured stdout call")[2].partition("\n")[2]
        assert captured.split()[:20] == [str(n) for n in range(20)], output


def test_nothing_appears_in_the_directory_for_temporary_files(
    project: MakeProject, tmp_path: Path
) -> None:
    """Whoever removes it once the run is over must not find it used by us."""
    bench = project({"test_a.py": PLAIN})
    bench.extra_env["TMPDIR"] = str(tmp_path)
    for _ in range(2):
        bench.pytest()
        bench.wait_until_warm()
    before, pids = tmp_path.stat().st_mtime_ns, bench.checkpoint_pids()
    bench.write({"test_a.py": PLAIN + "def test_new(): pass\n"})
    eventually(lambda: bench.checkpoint_pids().get("collected") != pids["collected"], "the edit")
    bench.wait_until_warm()
    assert "collected" in bench.checkpoint_pids()
    assert tmp_path.stat().st_mtime_ns == before


def test_plugin_that_remembers_its_process(project: MakeProject) -> None:
    """execnet, for pytest-xdist: its number is that of each run. What a plugin imports is there as
    soon as the plugin is, though it was executed ahead by names of its own."""
    pytest.importorskip("xdist")
    bench = project(
        {
            "test_a.py": SLOW + "import os, sys\n"
            "print(*sorted(name for name in sys.modules if name[:5] in ('xdist', 'execn')))\n"
            "import execnet.gateway_base as base\n"
            "def test_a(): assert base.pid == os.getpid()\n"
        }
    )
    options = bench.extra_env["PYTEST_ADDOPTS"].replace("-p no:xdist.looponfail", "")
    bench.extra_env["PYTEST_ADDOPTS"] = options.replace("-p no:xdist", "")
    for args in (("-s",), ("-n", "0")):
        served, differences = third(bench, *args)
        assert served["served"] == "collected", served
        assert not differences, differences[-1]
