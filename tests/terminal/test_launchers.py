"""Ways to start pytest: served warm, or cold by a rule; the same to see in either case."""

from __future__ import annotations

from tests.support import SmallBench
from tests.terminal import adapters
from tests.terminal.screens import Row, compare

PROJECT = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": "import slow_to_import\n",
    "test_a.py": """\
        import os, sys

        def test_a():
            print(sys.argv[1:], sys.flags, sys.warnoptions, sys._xoptions, sys.path)
            print(sorted(vars(sys.modules["__main__"])))
        def test_fails(): assert 0
        """,
    "sub/test_sub.py": "def test_sub(): pass\n",
    "tox.ini": "[tox]\nskipsdist = true\n[testenv]\nskip_install = true\npass_env = *\n"
    "allowlist_externals = pytest\ncommands = pytest -rA test_a.py\n",
    "noxfile.py": "import nox\n@nox.session(venv_backend='none')\n"
    "def tests(session): session.run('pytest', '-rA', 'test_a.py')\n",
    "started.py": """\
        import sys, pytest
        if sys.argv[1] == "plugins":  # as editors do
            class Plugin:
                def pytest_report_header(self): return "an editor's plugin"
            sys.exit(pytest.main(sys.argv[2:], plugins=[Plugin()]))
        sys.exit(pytest.main(sys.argv[2:]))
        """,
    "beside.py": "def pytest_report_header(): return 'adapter here'\n",
    **adapters.VSCODE,
    **adapters.PYCHARM,
}

ROWS = {
    "pytest": Row("pytest -rA test_a.py", quick=True),
    "py.test": Row("py.test -rA test_a.py"),
    "by its path": Row('"$(command -v pytest)" -rA test_a.py'),
    "python, script": Row('python "$(command -v pytest)" -rA test_a.py'),
    "python -m pytest": Row("python -m pytest -rA test_a.py"),
    "python -X dev -W error": Row("python -X dev -W error -m pytest -rA test_a.py"),
    "python -O": Row("python -O -m pytest -rA test_a.py"),
    "python -b -u -s": Row("python -b -u -s -m pytest -rA test_a.py"),
    "python -X importtime": Row(
        "python -X importtime -m pytest -q test_a.py 2> /dev/null",
        warm=0,
        why="imports are measured",
    ),
    "fastcollect run": Row("fastcollect run -rA test_a.py"),
    "pytest.main()": Row(
        "python started.py plain -rA test_a.py", warm=0, why="a program calls pytest"
    ),
    "pytest.main(), with plugins": Row(
        "python started.py plugins -rA test_a.py",
        warm=0,
        why="a program calls pytest, with plugins of its own",
    ),
    "python -c": Row(
        "python -c 'import pytest; pytest.main([\"test_a.py\"])'",
        warm=0,
        why="a program calls pytest",
    ),
    "-p of a module beside the tests": Row(
        "python -m pytest -p beside --rootdir=. --override-ini=junit_family=xunit1 test_a.py",
        shows="adapter here",
    ),
    "VS Code's own discovery": Row(
        adapters.vscode(adapters.DISCOVERY, pipe="$(mktemp -u)"),
        warm=0,
        reason="VS Code's own adapter has a new pipe for each run",
        shows="content-length: ",
    ),
    "terminal beside VS Code's own discovery": Row(
        f"pytest -rA test_a.py; ({adapters.vscode(adapters.DISCOVERY, pipe='$(mktemp -u)')}); "
        "pytest -rA test_a.py",
        warm=2,
        shows="content-length: ",
    ),
    "VS Code's own run": Row(
        adapters.vscode(adapters.RUN, pipe="$(mktemp -u)"),
        warm=0,
        why="a program calls pytest",
        shows="content-length: ",
    ),
    "PyCharm": Row(
        "python ../helpers/_jb_pytest_runner.py --target test_a.py::test_fails",
        warm=0,
        why="a program calls pytest, with plugins of its own",
        shows="##teamcity[call name='test_a.py::test_fails'",
    ),
    "coverage run": Row(
        "coverage run -m pytest -rA test_a.py; rm .coverage", warm=0, why="a tracer is active"
    ),
    "python -m pdb": Row(
        "python -m pdb -m pytest test_a.py",
        [("(Pdb) ", "continue\r"), ("(Pdb) ", "quit\r")],
        warm=0,
        why="a debugger is active",
    ),
    "python -m cProfile": Row(
        "python -m cProfile -m pytest -q test_a.py | head -n 3", warm=0, why="a profiler is active"
    ),
    "another directory": Row("cd sub; pytest -v"),
    "from outside": Row('cd /; pytest "$OLDPWD"/test_a.py -rA'),
    "bash": Row("bash -c 'pytest -rA test_a.py'"),
    "script": Row("script -qec 'pytest test_a.py' /dev/null"),
    "env -u": Row("env -u PWD pytest test_a.py"),
    "uv run": Row("uv run --active --no-project pytest -rA test_a.py"),
    "tox": Row("tox -q -e py --workdir ../tox"),
    "nox": Row("nox -s tests"),
}


def test_launcher(typed: SmallBench, row: Row) -> None:
    compare(typed, row)
