"""Projects that are broken, in the ways that an issue could tell; each beside cold pytest."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SmallBench, ended, eventually, header

GOOD = "def test_good(): assert 1\n"
CONFTEST = {"conftest.py": "import slow_to_import\n"}


@dataclass(frozen=True)
class Bad:
    """A broken file, what pytest makes of it, and its cure."""

    files: Mapping[str, str]
    exit: int
    says: str
    cure: Mapping[str, str | None] = field(default_factory=dict)
    warm: bool = True
    """Whether there is anything that can be warm with it in place."""
    internal: bool = False
    """Whether pytest shows its own frames, and those of all plugins that wrap its hooks."""


BAD = {
    "syntax error in a test file": Bad(
        {"test_bad.py": "def test_bad(:\n"}, 2, "SyntaxError", {"test_bad.py": GOOD}
    ),
    "syntax error in a conftest": Bad(
        {"sub/conftest.py": "def x(:\n", "sub/test_sub.py": GOOD},
        2,
        "SyntaxError",
        {"sub/conftest.py": ""},
    ),
    "syntax error in the rootdir conftest": Bad(
        {"conftest.py": "import slow_to_import\ndef x(:\n"},
        4,
        "SyntaxError",
        {"conftest.py": "import slow_to_import\n"},
        warm=False,
    ),
    "sys.exit at import": Bad(
        {"test_bad.py": "import sys\nsys.exit(3)\n"},
        3,
        "INTERNALERROR",
        {"test_bad.py": GOOD},
        warm=False,
        internal=True,
    ),
    "an exception at import": Bad(
        {"test_bad.py": "raise RuntimeError('at import')\n"},
        2,
        "RuntimeError: at import",
        {"test_bad.py": GOOD},
    ),
    "pytest.exit at import": Bad(
        {"test_bad.py": "import pytest\npytest.exit('enough', 6)\n"},
        2,
        "enough",
        {"test_bad.py": GOOD},
    ),
    "os._exit at import": Bad(
        {"test_bad.py": "import os\nos._exit(5)\n"}, 5, "", {"test_bad.py": GOOD}, warm=False
    ),
    "killed at import": Bad(
        {"test_bad.py": "import os\nos.kill(os.getpid(), 9)\n"},
        -9,
        "",
        {"test_bad.py": GOOD},
        warm=False,
    ),
    "not UTF-8": Bad({"test_bad.py": "# coding: nonsense\n"}, 2, "nonsense", {"test_bad.py": GOOD}),
    "ini file that does not parse": Bad(
        {"pytest.ini": "[pytest\naddopts = -q\n"},
        4,
        "pytest.ini",
        {"pytest.ini": "[pytest]\n"},
        warm=False,
    ),
    "missing module": Bad(
        {"test_bad.py": "import not_there\n"}, 2, "No module named", {"not_there.py": ""}
    ),
}


@pytest.mark.parametrize("name", sampled(list(BAD), 1, always=["sys.exit at import"]))
def test_broken_and_mended(name: str, project: MakeProject) -> None:
    bad = BAD[name]
    bench = project({**CONFTEST, "test_good.py": GOOD, **bad.files})
    if bad.internal:  # both streams are written to, and end up in one: in the order of writing
        bench.extra_env["PYTHONUNBUFFERED"] = "1"
    first = bench.pytest()
    assert first.exit == bad.exit, first.output
    _settle(bench)
    broken = bench.compare_warm() if bad.warm else bench.compare()
    assert not broken.differences, broken.differences[-1]
    assert (broken.cold.exit, bad.says in broken.cold.output) == (bad.exit, True)

    bench.write(bad.cure)
    at_once = bench.compare()
    assert not at_once.differences, at_once.differences[-1]
    assert at_once.cold.exit == 0
    _settle(bench)
    mended = bench.compare_warm()
    assert not mended.differences, mended.differences[-1]


def test_internal_error_shows_pytest_only(project: MakeProject) -> None:
    bench = project({**CONFTEST, **BAD["sys.exit at import"].files})
    bench.pytest()
    assert "pytest_fastcollect" not in bench.pytest().output


def _settle(bench: SmallBench) -> None:
    """Until a server that was started has built what it can."""
    if bench.servers():
        eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
        bench.wait_until_warm()


@pytest.mark.parametrize("kind", ["directory", "dangling link", "unreadable"])
def test_not_a_file(kind: str, project: MakeProject) -> None:
    bench = project({**CONFTEST, "test_good.py": GOOD})
    path = bench.root / "test_odd.py"
    if kind == "directory":
        (path / "sub").mkdir(parents=True)
        (path / "test_inside.py").write_text(GOOD)
    elif kind == "dangling link":
        path.symlink_to("nowhere.py")
    else:
        if os.geteuid() == 0:
            pytest.skip("root reads every file")
        path.write_text(GOOD)
        path.chmod(0)
    bench.warm_up()
    found = bench.compare_warm()
    assert not found.differences, found.differences[-1]
    if kind == "directory":
        assert len(found.cold.outcomes) == 2


def test_nested_roots(project: MakeProject) -> None:
    bench = project(
        {
            **CONFTEST,
            "pytest.ini": "[pytest]\n",
            "test_outer.py": GOOD,
            "inner/pytest.ini": "[pytest]\npython_functions = check_*\n",
            "inner/conftest.py": "import slow_to_import\n",
            "inner/test_inner.py": "def check_inner(): pass\ndef test_inner(): assert 0\n",
        }
    )
    inner = project({}, **bench.extra_env)
    inner.project = type(bench.project)(bench.root / "inner", bench.project.python)
    inner.directory = bench.directory
    for each, tests in ((bench, 2), (inner, 1)):
        each.warm_up()
        found = each.compare_warm()
        assert not found.differences, found.differences[-1]
        assert len(found.cold.outcomes) == tests
    assert len(bench.servers()) == 2
    assert bench.server_pid() != inner.server_pid()
    assert not bench.compare_warm().differences
    inner.fastcollect("stop")


def test_directory_with_a_long_name(project: MakeProject) -> None:
    """Longer than the address of a Unix socket can be."""
    bench = project({**CONFTEST, "test_good.py": GOOD})
    bench.directory = bench.directory / ("x" * 100) / ("y" * 100)
    bench.warm_up()
    found = bench.compare_warm()
    assert not found.differences
    (server,) = bench.servers()
    assert len(os.fsencode(server / "socket")) > 200
    assert bench.fastcollect("stop").returncode == 0
    assert not server.exists()


def test_what_a_killed_server_leaves(project: MakeProject) -> None:
    bench = project({**CONFTEST, "test_good.py": GOOD})
    bench.warm_up()
    killed = bench.server_pid()
    os.kill(killed, signal.SIGKILL)
    assert ended(killed)
    (server,) = bench.servers()
    assert (server / "socket").is_socket()
    assert (server / "lock").exists()

    after = bench.pytest()
    assert (after.exit, header(after.output)) == (0, "Daemon: starting")
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
    bench.wait_until_warm()
    found = bench.compare_warm()
    assert not found.differences
    assert bench.server_pid() != killed
    assert bench.servers() == [server]


@pytest.mark.parametrize(
    "kind", sampled(["link", "open to others", "file", "link in it"], 1, always=["link"])
)
def test_squatted_directory(kind: str, project: MakeProject, tmp_path: Path) -> None:
    """Cold, with the reason in the header; nothing is written to what is not ours alone."""
    bench = project({**CONFTEST, "test_good.py": GOOD})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "precious").write_text("kept")
    if kind == "link":
        bench.directory.symlink_to(elsewhere)
    elif kind == "open to others":
        bench.directory.mkdir()
        bench.directory.chmod(0o777)
    elif kind == "file":
        bench.directory.write_text("kept")
    else:
        bench.warm_up()
        (server,) = bench.servers()
        bench.fastcollect("stop")
        bench.directory.mkdir(mode=0o700, exist_ok=True)
        server.symlink_to(elsewhere)
    before = bench.directory.lstat()
    for _ in range(2):
        run, cold = bench.pytest(), bench.cold()
        assert run.exit == cold.exit == 0
        assert run.outcomes == cold.outcomes
        assert header(run.output).startswith("cold: "), run.output
        assert bench.directory.name in header(run.output)
    assert bench.directory.lstat().st_mode == before.st_mode
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    if kind == "file":
        assert bench.directory.read_text() == "kept"
    elif kind == "open to others":
        assert not list(bench.directory.iterdir())
    assert bench.fastcollect("status", "--json").returncode in (0, 2)
