"""`project_config` against pytest's own `determine_setup` and `getini`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import get_config
from _pytest.config.findpaths import determine_setup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastcollect_lsp._core import project_config
from tests.sampling import trials
from tests.unit.scanner.scanner_support import write_files

OPTIONS = ("python_files", "python_classes", "python_functions", "testpaths", "norecursedirs")
INI = "[pytest]\npython_files = {}\n"


@dataclass(frozen=True)
class Outcome:
    """What pytest makes of a layout; options are None where it refuses it."""

    root: str
    inifile: str | None
    options: Mapping[str, object] | None


def by_pytest(cwd: Path, args: Sequence[str], **given: Any) -> Outcome:
    config = get_config()
    before = Path.cwd()
    os.chdir(cwd)  # pytest resolves relative arguments by it
    try:
        root, inifile, settings, _ = determine_setup(
            inifile=given.get("inifile"),
            override_ini=None,
            args=args,
            rootdir_cmd_arg=given.get("rootdir"),
            invocation_dir=cwd,
        )
        # What `Config._preparse` does with the outcome.
        config._rootpath, config._inipath, config._inicfg = root, inifile, settings
        options = {name: config.getini(name) for name in OPTIONS}
    except (pytest.UsageError, pytest.fail.Exception, UnicodeDecodeError, AttributeError):
        return Outcome("", None, None)
    finally:
        os.chdir(before)
    return Outcome(str(root), None if inifile is None else str(inifile), options)


def by_us(cwd: Path, args: Sequence[str], **given: Any) -> Outcome:
    config = project_config(str(cwd), args, **given)
    if config.error is not None:
        assert "\n" not in config.error
        return Outcome("", None, None)
    options = {name: getattr(config, name) for name in OPTIONS}
    return Outcome(config.root, config.inifile, options)


def check(cwd: Path, args: Sequence[str] = (), **given: Any) -> Outcome:
    """Both agree; returns what they agree on."""
    expected = by_pytest(cwd, args, **given)
    assert by_us(cwd, args, **given) == expected
    return expected


@dataclass(frozen=True)
class Layout:
    """Files, what is asked of them, and where pytest is known to find its configuration."""

    files: Mapping[str, str]
    inifile: str | None
    cwd: str = "."
    args: Sequence[str] = ()
    root: str = "."
    given: Mapping[str, str] = field(default_factory=dict)


SUB = "sub/test_a.py"
TOOL = "[tool.pytest.ini_options]\n"
LAYOUTS = {
    "nothing": Layout({}, None),
    "pytest.ini": Layout({"pytest.ini": INI.format("a b")}, "pytest.ini"),
    "empty pytest.ini": Layout({"pytest.ini": ""}, "pytest.ini"),
    ".pytest.ini": Layout({".pytest.ini": INI.format("a")}, ".pytest.ini"),
    "pytest.toml": Layout({"pytest.toml": "[pytest]\npython_files = ['a', 'b']\n"}, "pytest.toml"),
    "empty pytest.toml": Layout({"pytest.toml": ""}, "pytest.toml"),
    ".pytest.toml": Layout({".pytest.toml": "[pytest]\ntestpaths = ['a']\n"}, ".pytest.toml"),
    "ini_options": Layout(
        {"pyproject.toml": TOOL + "python_files = 'a \"b c\"'\n"}, "pyproject.toml"
    ),
    "ini_options list": Layout(
        {"pyproject.toml": TOOL + "testpaths = ['a b']\n"}, "pyproject.toml"
    ),
    "tool.pytest": Layout(
        {"pyproject.toml": "[tool.pytest]\ntestpaths = ['a b']\n"}, "pyproject.toml"
    ),
    "tool.pytest with empty ini_options": Layout(
        {"pyproject.toml": "[tool.pytest]\ntestpaths = ['a']\n[tool.pytest.ini_options]\n"},
        "pyproject.toml",
    ),
    "tool.pytest, empty": Layout(
        {"pyproject.toml": "[tool.pytest]\n", "a/x": ""}, "pyproject.toml"
    ),
    "plain pyproject": Layout({"pyproject.toml": "[project]\nname = 'x'\n"}, "pyproject.toml"),
    "plain pyproject below setup.py": Layout(
        {"sub/pyproject.toml": "", "setup.py": "", SUB: ""},
        "sub/pyproject.toml",
        args=["sub"],
        root="sub",
    ),
    "tox.ini": Layout({"tox.ini": "[tox]\n[pytest]\nnorecursedirs = x\n"}, "tox.ini"),
    "tox.ini without pytest": Layout({"tox.ini": "[tox]\n"}, None),
    "setup.cfg": Layout({"setup.cfg": "[tool:pytest]\npython_classes = *Suite\n"}, "setup.cfg"),
    "setup.cfg without pytest": Layout({"setup.cfg": "[metadata]\nname = x\n"}, None),
    "setup.py": Layout({"setup.py": "", SUB: ""}, None, args=["sub"]),
    "setup.py above cwd": Layout({"setup.py": "", "sub/x": ""}, None, cwd="sub"),
    "all": Layout(
        {
            "pytest.ini": "",
            "pyproject.toml": TOOL,
            "tox.ini": "[pytest]\n",
            "setup.cfg": "[tool:pytest]\n",
        },
        "pytest.ini",
    ),
    "tox.ini wins over setup.cfg": Layout(
        {"tox.ini": "[pytest]\n", "setup.cfg": "[tool:pytest]\n"}, "tox.ini"
    ),
    "pyproject wins over tox.ini": Layout(
        {"pyproject.toml": TOOL, "tox.ini": "[pytest]\n"}, "pyproject.toml"
    ),
    "plain pyproject loses against tox.ini above": Layout(
        {"sub/pyproject.toml": "", "tox.ini": "[pytest]\n", SUB: ""}, "tox.ini", args=[SUB]
    ),
    "nested, from above": Layout({"pytest.ini": "", "sub/pytest.ini": "", SUB: ""}, "pytest.ini"),
    "nested, argument below": Layout(
        {"pytest.ini": "", "sub/pytest.ini": "", SUB: ""},
        "sub/pytest.ini",
        args=["sub"],
        root="sub",
    ),
    "nested, cwd below": Layout(
        {"pytest.ini": "", "sub/pytest.ini": "", SUB: ""}, "sub/pytest.ini", cwd="sub", root="sub"
    ),
    "a node id": Layout(
        {"sub/pytest.ini": "", SUB: ""}, "sub/pytest.ini", args=[f"{SUB}::test_x[a::b]"], root="sub"
    ),
    "two arguments": Layout(
        {"pytest.ini": "", "sub/pytest.ini": "", "b/pytest.ini": "", SUB: ""},
        "pytest.ini",
        args=["sub", "b"],
    ),
    "two arguments, none above": Layout(
        {"a/x": "", "b/pytest.ini": ""}, "b/pytest.ini", args=["a", "b"], root="b"
    ),
    "argument above cwd": Layout(
        {"pytest.ini": "", "a/b/x": ""}, "pytest.ini", cwd="a/b", args=["../.."]
    ),
    "argument beside cwd": Layout({"a/x": "", "b/x": ""}, None, cwd="a", args=["../b"]),
    "argument that does not exist": Layout(
        {"a/x": ""}, None, cwd="a", args=["nowhere", "-x"], root="a"
    ),
    "a directory called pytest.ini": Layout(
        {"pytest.ini/x": "", "tox.ini": "[pytest]\n"}, "tox.ini"
    ),
    "-c": Layout(
        {"pytest.ini": "", "sub/other.ini": INI.format("x")},
        "sub/other.ini",
        root="sub",
        given={"inifile": "sub/other.ini"},
    ),
    "-c without a pytest section": Layout({"a.cfg": "[x]\n"}, "a.cfg", given={"inifile": "a.cfg"}),
    "-c toml": Layout(
        {"a.toml": "[pytest]\ntestpaths = ['x']\n"}, "a.toml", given={"inifile": "a.toml"}
    ),
    "-c toml with tool table": Layout(
        {"a.toml": TOOL + "testpaths = 'x y'\n"}, "a.toml", given={"inifile": "a.toml"}
    ),
    "--rootdir": Layout(
        {"pytest.ini": "", "sub/x": ""}, "pytest.ini", root="sub", given={"rootdir": "sub"}
    ),
    "--rootdir without configuration": Layout(
        {"setup.py": "", "sub/x": ""}, None, root="sub", given={"rootdir": "sub"}
    ),
    "-c and --rootdir": Layout(
        {"a.ini": "", "sub/x": ""},
        "a.ini",
        root="sub",
        given={"inifile": "a.ini", "rootdir": "sub"},
    ),
    "BOM, CRLF and continuation": Layout(
        {"pytest.ini": "\ufeff[pytest]\r\npython_files =\r\n  a.py # no comment\r\n\r\n  b.py\r\n"},
        "pytest.ini",
    ),
    "scalars in ini_options": Layout(
        {"pyproject.toml": TOOL + "python_files = true\n"}, "pyproject.toml"
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layout(root: Path, layout: Layout) -> None:
    write_files(root, layout.files)
    outcome = check(root / layout.cwd, layout.args, **layout.given)
    assert outcome.options is not None
    assert outcome.root == str((root / layout.root).resolve())
    assert outcome.inifile == (None if layout.inifile is None else str(root / layout.inifile))


BROKEN = {
    "ini syntax": (
        {"pytest.ini": "[pytest]\nnonsense\n"},
        "pytest.ini:2: unexpected line: 'nonsense'",
    ),
    "ini twice": ({"tox.ini": "[pytest]\na = 1\na = 2\n"}, "tox.ini:3: duplicate name 'a'"),
    "ini without section": ({"setup.cfg": "a = 1\n"}, "setup.cfg:1: no section header defined"),
    "toml syntax": ({"pyproject.toml": "[tool\n"}, "pyproject.toml: "),
    "toml twice": ({"pytest.toml": "[pytest]\na = 1\na = 2\n"}, "(at line 3, column"),
    "[pytest] in setup.cfg": ({"setup.cfg": "[pytest]\n"}, "[tool:pytest]"),
    "both tables": (
        {"pyproject.toml": "[tool.pytest]\na = 1\n[tool.pytest.ini_options]\nb = '1'\n"},
        "Cannot use both",
    ),
    "stray options": (
        {"pytest.toml": "testpaths = ['a']\n"},
        "(found top-level options: testpaths)",
    ),
    "a string where a list is due": (
        {"pytest.toml": "[pytest]\ntestpaths = 'a'\n"},
        "expects a list",
    ),
    "a number in a list": (
        {"pytest.toml": "[pytest]\ntestpaths = [1]\n"},
        "item at index 0 is int: 1",
    ),
    "open quotation": ({"pytest.ini": INI.format("'a")}, "No closing quotation"),
    "broken file beside the one that counts": ({"pytest.ini": "", "tox.ini": "x"}, "tox.ini:1"),
    "tool is no table": ({"pyproject.toml": "tool = 1\n"}, "'tool'"),
}


@pytest.mark.parametrize(("files", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_what_pytest_refuses(root: Path, files: dict[str, str], message: str) -> None:
    write_files(root, files)
    assert check(root).options is None
    config = project_config(str(root))
    assert config.error is not None and message in config.error
    assert next(name for name in files if name in config.error)
    assert config.root == str(root)
    assert config.python_files == ["test_*.py", "*_test.py"], "the defaults hold"


def test_a_file_that_is_no_utf8(root: Path) -> None:
    (root / "pytest.ini").write_bytes(b"[pytest]\n# \xff\n")
    assert check(root).options is None
    assert "utf-8" in (project_config(str(root)).error or "")


@pytest.mark.parametrize(
    "given", [{"inifile": "none.ini"}, {"inifile": "."}, {"inifile": "a.txt"}, {"rootdir": "none"}]
)
def test_command_lines_that_pytest_refuses(root: Path, given: dict[str, str]) -> None:
    write_files(root, {"a.txt": ""})
    assert check(root, **given).options is None


def test_rootdir_expands_variables(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(root, {"sub/x": ""})
    monkeypatch.setenv("SCANNER_TEST_ROOT", str(root))
    outcome = check(root, rootdir="${SCANNER_TEST_ROOT}/sub")
    assert outcome.root == str(root / "sub")


LINES = st.sampled_from(
    [
        "[pytest]", "[other]", "[x", "[]", "[ pytest ]", "[pytest] # x", "a=1", "a: 2", "b:c=d", "",
        "python_files = a b", "testpaths = 'x y' z", "  more", "\tmore\\ words", "# comment",
        "  ; comment", " ", "=x", "noise", "é = ü", "norecursedirs =", "\x0c", "a = \x1c",
        "python_classes = \"a", "x = [y]", "\u2028y = 1", "k = v ; c",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
@example(["[pytest]", "python_files = a", "[x"], "\n", True)
@settings(
    max_examples=trials(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_ini_file(root: Path, lines: list[str], newline: str, bom: bool) -> None:
    text = ("\ufeff" if bom else "") + newline.join(lines)
    (root / "pytest.ini").write_bytes(text.encode())
    check(root)
