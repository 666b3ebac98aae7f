"""pytest's own options and settings: output, status and files left are those of a cold run."""

from __future__ import annotations

from tests.support import SmallBench
from tests.terminal.screens import Row, compare

PROJECT = {
    "pytest.ini": """\
        [pytest]
        markers =
            fast: quick ones
            slow: slow ones
        """,
    "other.ini": """\
        [pytest]
        python_files = check_*.py test_a.py
        markers = slow: from the other file
        console_output_style = count
        """,
    "arguments.txt": "-v\ntest_a.py\n",
    "plug.py": """\
        import pytest
        def pytest_report_header(): return "plug: here"
        @pytest.fixture
        def plugged(): return 1
        """,
    "conftest.py": """\
        import logging
        import pytest
        import slow_to_import

        @pytest.fixture(scope="session")
        def shared(tmp_path_factory):
            \"\"\"Shared by all.\"\"\"
            return tmp_path_factory.mktemp("shared")

        @pytest.fixture
        def broken():
            raise ValueError("in a fixture")
        """,
    "test_a.py": """\
        import logging, sys, time, warnings
        import pytest

        @pytest.mark.fast
        def test_passes(shared): pass

        @pytest.mark.slow
        def test_fails():
            local = [1, 2]
            print("to stdout"); print("to stderr", file=sys.stderr)
            logging.getLogger("a").warning("logged")
            assert local == [1, 3], "a message"

        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_many(n):
            assert n != 2

        @pytest.mark.skip(reason="not now")
        def test_skipped(): pass

        @pytest.mark.xfail(reason="known")
        def test_xfails(): assert 0

        @pytest.mark.xfail
        def test_xpasses(): pass

        def test_warns(): warnings.warn("look out", UserWarning)
        def test_errors(broken): pass
        """,
    "test_b.py": """\
        import os
        import pytest

        class TestIt:
            @pytest.fixture(autouse=True)
            def setup(self): yield
            def test_first(self): pass
            def test_second(self): assert 0, "second"

        def test_paths(tmp_path, tmp_path_factory):
            print(tmp_path, tmp_path_factory.getbasetemp())
            (tmp_path / "file").write_text("kept")
            assert os.environ.get("FAIL") != "paths"

        def test_subtests(subtests):
            for i in range(3):
                with subtests.test("sub", i=i):
                    assert i != 1
        """,
    "check_other.py": "def test_of_the_other(): pass\n",
    "package/__init__.py": "",
    "package/sums.py": '''\
        def double(n):
            """Twice as much.

            >>> double(2)
            4
            >>> double(3)
            7
            """
            return 2 * n
        ''',
    "package/test_inside.py": """\
        from package.sums import double
        def test_double(): assert double(1) == 2
        """,
    "text.txt": ">>> 1 + 1\n3\n",
    "sub/test_sub.py": "import slow_to_import\ndef test_sub(): pass\n",
    "bad/test_bad.py": "import nothing_like_that\n",
}

ALL = "test_a.py test_b.py"


def _row(options: str, **more: object) -> Row:
    return Row(f"pytest {options}", **more)  # type: ignore[arg-type]


def _after(options: str, **more: object) -> Row:
    """A run after one that has left something in the cache."""
    script = f"pytest -q {ALL} > /dev/null; pytest {options}"
    return Row(script, warm=2, **more)  # type: ignore[arg-type]


ROWS = {
    # ---- which tests, and when to stop
    "-x": _row(f"-x {ALL}", shows="stopping after 1 failures", quick=True),
    "--maxfail=2": _row(f"--maxfail=2 {ALL}", shows="stopping after 2 failures"),
    "--lf": _after("--lf", shows="run-last-failure"),
    "--ff": _after(f"--ff {ALL}", shows="failures first"),
    "--nf": _after(f"--nf {ALL}"),
    "--lf --lfnf=none": _row("--lf --lfnf=none test_a.py"),
    "--sw": Row(f"pytest --sw {ALL}; pytest --sw {ALL}", warm=2, shows="stepwise"),
    "--stepwise-skip": Row(f"pytest --sw {ALL}; pytest --sw --stepwise-skip {ALL}", warm=2),
    "--cache-clear": _after("--cache-clear test_b.py"),
    "--cache-show": _after("--cache-show"),
    "-p no:cacheprovider": _row("-p no:cacheprovider test_b.py"),
    "-k": _row(f"-k 'many or first' {ALL}", shows="deselected"),
    "-m": _row(f"-m slow {ALL}", shows="deselected"),
    "--deselect": _row(f"--deselect test_a.py::test_fails {ALL}"),
    "--ignore": _row("--ignore=bad --ignore-glob='*_a.py'"),
    "node ids": _row("'test_a.py::test_many[2]' test_b.py::TestIt::test_first"),
    "a node id that is not there": _row("test_a.py::test_nothing", status=4),
    "a file that is not there": _row("nothing.py", status=4),
    "nothing to run": _row("-k nothing_like_that test_a.py", status=5),
    "an import that fails": _row("bad", status=2),
    "--continue-on-collection-errors": _row("--continue-on-collection-errors bad test_b.py"),
    "an option that is not there": _row("--no-such-option", status=4),
    "another directory": Row("cd sub; pytest"),
    "from a directory above": Row("cd ..; pytest project/test_b.py"),
    # ---- configuration
    "--rootdir": _row("--rootdir=. test_b.py"),
    "-c": _row("-c other.ini", shows="other.ini"),
    "-p": Row("python -m pytest -p plug test_b.py", shows="plug: here"),
    "-o": _row("-o console_output_style=classic -o xfail_strict=true test_a.py", shows="XPASS"),
    "-W error": _row("-W error::UserWarning test_a.py", shows="UserWarning: look out"),
    "-W ignore": _row("-W ignore test_a.py"),
    "--disable-warnings": _row("--disable-warnings test_a.py"),
    **{
        f"--import-mode={mode}": _row(f"--import-mode={mode} package test_b.py")
        for mode in ("prepend", "append", "importlib")
    },
    "--strict-markers": _row("--strict-markers -c other.ini test_a.py", shows="'fast' not found"),
    "--strict-config": _row(
        "--strict-config -o nonsense=1 test_b.py", warm=0, why="an error before anything is run"
    ),
    "--confcutdir": _row("--confcutdir=sub sub"),
    "--pyargs": _row("--pyargs package"),
    "@file": _row("@arguments.txt"),
    "PYTEST_ADDOPTS": Row('PYTEST_ADDOPTS="$PYTEST_ADDOPTS -x -v" pytest test_a.py'),
    "PYTEST_PLUGINS": Row("PYTEST_PLUGINS=plug python -m pytest test_b.py", shows="plug: here"),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": Row(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 pytest test_b.py",
        warm=0,
        why="our plugin is not loaded",
    ),
    "PYTEST_THEME": _row("test_b.py", env={"PYTEST_THEME": "bw"}),
    "CI": _row("test_a.py", env={"CI": "1"}, warm=0, reason="CI is set"),
    "CI, asked for": _row("-vv test_a.py", env={"CI": "1", "FASTCOLLECT": "1"}),
    "BUILD_NUMBER": _row("test_a.py", env={"BUILD_NUMBER": "7"}),
    "--noconftest": _row("--noconftest sub", warm=0, reason="--noconftest"),
    "--assert=plain": _row("--assert=plain test_b.py", warm=0, reason="--assert=plain"),
    # ---- what is shown
    **{
        options: _row(f"{options} {ALL}")
        for options in (
            "-q",
            "-qq",
            "-v",
            "-vv",
            "-vvv",
            "-rA",
            "-rfE",
            "-rN",
            "--tb=auto",
            "--tb=long",
            "--tb=short",
            "--tb=line",
            "--tb=native",
            "--tb=no",
            "-l",
            "--full-trace",
            "--show-capture=no",
            "--show-capture=stderr",
            "--no-header",
            "--no-summary",
            "--no-fold-skipped",
            "--force-short-summary",
            "--code-highlight=no",
            "--xfail-tb",
            "--runxfail",
            "--color=yes",
            "--color=no",
            "--durations=3 --durations-min=100 -vv",
            "--verbosity=2",
            "--setup-show",
            "--setup-only",
            "--setup-plan",
            "--capture=fd",
            "--capture=sys",
            "--capture=no",
            "--capture=tee-sys",
            "--log-cli-level=INFO",
            "--log-level=ERROR -rA",
            "--log-file=log.txt",
            "--show-capture=log",
            "-o console_output_style=progress-even-when-capture-no -s",
            "-o console_output_style=times -o junit_family=xunit1 --junitxml=j.xml",
            "-o log_cli=true -o log_cli_level=WARNING",
        )
    },
    "--fixtures": _row("--fixtures test_a.py", shows="Shared by all."),
    "--fixtures-per-test": _row("--fixtures-per-test test_a.py"),
    "--markers": _row("--markers", shows="quick ones"),
    "--collect-only": _row(f"--collect-only {ALL}"),
    "--co -q": _row(f"--co -q {ALL}"),
    "--co -qq": _row(f"--co -qq {ALL}"),
    "--co -v": _row(f"--co -v {ALL}"),
    "--version": _row("--version", warm=0, why="nothing to run"),
    "-VV": _row("-VV", warm=0, why="nothing to run"),
    "--help": Row(
        "pytest --help | grep -c -e --maxfail -e xfail_strict", warm=0, why="nothing to run"
    ),
    "--trace-config": Row(
        "pytest --trace-config test_b.py | grep -v -e fastcollect -e 0x -e third-party -e ^plugins:"
    ),
    "--junitxml": _row(f"--junitxml=out/junit.xml {ALL}", quick=True),
    "--junit-prefix": _row("--junitxml=j.xml --junit-prefix=pre -o junit_logging=all test_a.py"),
    "--debug": Row("pytest --debug=trace.log test_b.py; rm trace.log"),
    # ---- places
    "tmp_path": _row("-s test_b.py::test_paths", shows="/pytest-of-"),
    "tmp_path numbers": Row(
        "pytest -s test_b.py::test_paths; pytest -s test_b.py::test_paths",
        warm=2,
        shows="pytest-1/",
    ),
    "tmp_path of a failure": _row(
        "-o tmp_path_retention_policy=failed test_b.py", env={"FAIL": "paths"}
    ),
    "--basetemp": _row("--basetemp=base -s test_b.py", shows="project/base"),
    "--doctest-modules": _row("--doctest-modules package", shows="Expected:"),
    "--doctest-glob": _row("--doctest-glob='*.txt' text.txt", shows="Got:"),
    "--doctest-report": _row("--doctest-modules --doctest-report=ndiff package"),
    "--doctest-continue-on-failure": _row(
        "--doctest-modules --doctest-continue-on-failure package"
    ),
    "unraisable and thread exceptions": _row("-W error test_b.py"),
}


def test_feature(typed: SmallBench, row: Row) -> None:
    compare(typed, row)
