"""`fastcollect collect --static` and `--diff`: output, arguments, exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("fastcollect")

FILES = {
    "pytest.ini": "[pytest]\n",
    "test_a.py": (
        "import os\nimport pytest\n"
        "@pytest.mark.parametrize('x', [1, '[b]'])\ndef test_1(x): pass\n"
        "@pytest.mark.parametrize('x', os.environ)\ndef test_2(x): pass\n"
        "class TestA:\n    @pytest.mark.slow\n    def test_3(self): pass\n"
    ),
    "sub/test_b.py": "def test_4(): pass\n",
}


def run(
    root: Path, *args: str, files: Mapping[str, str] = FILES, addopts: str = ""
) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": addopts,
        "PYTHONPATH": str(root / "plugins"),
        "FASTCOLLECT_DIR": str(root / ".fastcollect"),
    }
    command = [str(COMMAND), "collect", *args]
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)


def ids(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split("  [dynamic")[0] for line in done.stdout.splitlines() if "::" in line]


def test_ids_are_printed_as_pytest_does(tmp_path: Path) -> None:
    done = run(tmp_path, "--static")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[:-1] == [
        "sub/test_b.py::test_4",
        "test_a.py::test_1[1]",
        "test_a.py::test_1[[b]]",
        "test_a.py::test_2  [dynamic: argvalues of parametrize is not a literal]",
        "test_a.py::TestA::test_3",
        "",
    ]
    assert done.stdout.splitlines()[-1].startswith("5 tests in ")
    assert done.stdout.endswith("s, 1 dynamic\n")


def test_json(tmp_path: Path) -> None:
    done = run(tmp_path, "--static", "--json")
    tree = json.loads(done.stdout)
    assert tree["counts"] == {"files": 2, "tests": 5, "dynamic": 1, "errors": 0}
    assert tree["root"] == str(tmp_path) and tree["inifile"] == str(tmp_path / "pytest.ini")
    assert tree["pytest"] == pytest.__version__
    assert tree["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {item["id"]: item for item in tree["items"]}
    assert found["test_a.py::TestA::test_3"] == {
        "id": "test_a.py::TestA::test_3",
        "kind": "function",
        "parent": "test_a.py::TestA",
        "path": str(tmp_path / "test_a.py"),
        "line": 9,
        "tags": ["slow"],
        "dynamic": False,
        "reason": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["sub"], ["sub/test_b.py::test_4"]),
        (["test_a.py::TestA"], ["test_a.py::TestA::test_3"]),
        (["test_a.py::test_1[[b]]"], ["test_a.py::test_1[[b]]"]),
        (["--ignore", "test_a.py", "-q"], ["sub/test_b.py::test_4"]),
        (["--ignore=test_a.py"], ["sub/test_b.py::test_4"]),
        (["--deselect=test_a.py", "."], ["sub/test_b.py::test_4"]),
        (["-o", "python_files=*_b.py"], ["sub/test_b.py::test_4"]),
        (["-c", "other.ini"], ["sub/test_b.py::test_4"]),
        (["--rootdir=sub", "sub"], ["test_b.py::test_4"]),
    ],
    ids=str,
)
def test_arguments_are_pytests(tmp_path: Path, args: list[str], expected: list[str]) -> None:
    other = {**FILES, "other.ini": "[pytest]\naddopts = --ignore=test_a.py\n"}
    assert ids(run(tmp_path, "--static", *args, files=other)) == expected


def test_arguments_of_the_environment(tmp_path: Path) -> None:
    assert ids(run(tmp_path, "--static", addopts="--ignore test_a.py")) == ["sub/test_b.py::test_4"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere.py"], "file or directory not found: nowhere.py"),
        (["test_a.py::test_9"], "not found: test_a.py::test_9"),
        (["-k", "x"], "-k needs pytest: leave it out, or leave out --static and --diff"),
        (["-m", "slow"], "-m needs pytest: leave it out, or leave out --static and --diff"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["-c", "nowhere.ini"], "there is no configuration file nowhere.ini"),
        (["--rootdir=nowhere"], "directory 'nowhere' not found: check --rootdir"),
        (["-o", "x"], "-o/--override-ini expects option=value (got: 'x')"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("mode", ["--static", "--diff"])
def test_usage_errors_are_one_line(
    tmp_path: Path, mode: str, args: list[str], message: str
) -> None:
    done = run(tmp_path, mode, *args)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", f"fastcollect: {message}\n")


def test_a_broken_configuration_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "--static", files={"pytest.toml": "[pytest]\npython_files = 1\n"})
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 1
    assert "python_files" in done.stderr


def test_broken_files_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--static", files={"test_a.py": "def test_1(): pass\ndef test_2(:\n"})
    assert done.returncode == 1 and "test_a.py::test_1" in done.stdout
    assert done.stderr.startswith("ERROR test_a.py: line 2: SyntaxError: ")


def test_differences_are_explained(tmp_path: Path) -> None:
    broken = {**FILES, "test_c.py": "import nowhere\ndef test_5(): pass\n"}
    done = run(tmp_path, "--diff", "--json", files=broken)
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["counts"]["static"] == 6
    kinds = {(group["kind"], group["explanation"].split(":")[0]) for group in found["differences"]}
    assert kinds == {
        ("missing", "dynamic"),
        ("extra", "dynamic"),
        ("extra", "pytest could not collect test_c.py"),
    }
    done = run(tmp_path, "--diff", files=broken)
    assert done.returncode == 0 and "all explained" in done.stdout
    assert "ModuleNotFoundError" in done.stdout


def test_no_difference(tmp_path: Path) -> None:
    done = run(tmp_path, "--diff", "sub")
    assert done.returncode == 0
    assert done.stdout == "pytest 1 tests, static scan 1: equal\n"


def test_an_unexplained_difference_fails(tmp_path: Path) -> None:
    # A plugin that nothing but running the code can tell of drops what was found.
    plugin = (
        "class Dropping:\n    def pytest_collection_modifyitems(self, items): items.clear()\n"
        "def pytest_configure(config): config.pluginmanager.register(Dropping())\n"
    )
    files = {**FILES, "plugins/dropping_plugin.py": plugin}
    done = run(tmp_path, "--diff", "sub", "-p", "dropping_plugin", files=files)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "only the scan has 1\n    sub/test_b.py::test_4\n" in done.stdout
    assert done.stdout.endswith("pytest 0 tests, static scan 1: 1 not explained\n")
