"""The import graph, compared with what Python really imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import suites

from fastcollect_lsp._core import Scan, project_config
from tests.unit.scanner.scanner_support import parse_archive, write_files

Until = Literal["imported", "called", "never"]

ORACLE = Path(__file__).with_name("imports_oracle.py")

CI_FILES = 4
"""Of each suite, so many test files in CI; all of them in `make long`."""

BY_CONVENTION = {"djangorestframework": {"admin.py", "apps.py", "checks.py", "models.py"}}
"""What Django imports of an installed app without anybody naming it."""

PROJECT = """
-- pytest.ini --
[pytest]
pythonpath = src
testpaths = tests
-- conftest.py --
pytest_plugins = ['plug.fixtures']
-- plug/fixtures.py --
from app import models
-- src/app/__init__.py --
from .models import *
-- src/app/models.py --
try:
    import nowhere
except ImportError:
    from app import spare
-- src/app/spare.py --
-- src/app/views/__init__.py --
__all__ = ['html']
-- src/app/views/html.py --
import importlib
late = importlib.import_module('app.late')
-- src/app/late.py --
if True:
    from . import last
-- src/app/last.py --
-- src/app/unused.py --
import app.last
-- src/space/part/deep.py --
-- tests/__init__.py --
-- tests/conftest.py --
from .support import helpers
-- tests/support/__init__.py --
-- tests/support/helpers.py --
from ..data import *
-- tests/data.py --
-- tests/test_a.py --
from app.views import *
def test(): pass
-- tests/test_b.py --
import space.part.deep as deep
from tests import test_a
def test(): pass
-- tests/plain/test_c.py --
import neighbour
class TestC:
    import app.spare
    def test(self): pass
-- tests/plain/neighbour.py --
def f():
    import app.unused
-- tests/plain/test_d.py --
import pytest
pytest.importorskip('tests.data')
def test(): pass
"""


@dataclass(frozen=True)
class Imported:
    """What collecting one test file loaded."""

    file: str
    files: frozenset[str]


def really_imported(python: Path, cwd: Path, files: Sequence[str]) -> list[Imported]:
    """Ask Python, in one process for each file."""
    clean = ("PYTEST_ADDOPTS", "PYTHON", "FASTCOLLECT")
    env = {name: value for name, value in os.environ.items() if not name.startswith(clean)}
    command = [str(python), "-B", str(ORACLE), *files]
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == list(files)
    return [Imported(a["file"], frozenset(a["imported"])) for a in answers]


def scan_of(python: Path, cwd: Path) -> Scan:
    """A scan of a project with the search path of its interpreter."""
    script = "import json, sys; print(json.dumps(sys.path[1:]))"
    path = json.loads(subprocess.check_output([str(python), "-B", "-c", script], cwd="/"))
    scan = Scan(project_config(str(cwd), search_path=path))
    scan.refresh()
    return scan


def is_first_party(file: str, root: str) -> bool:
    """Whether a file is the project's own source."""
    inside = file.startswith(root + os.sep) and file.endswith(".py")
    return inside and "site-packages" not in file


def missing(scan: Scan, root: str, imported: Imported, until: Until) -> list[str]:
    """The project's files that Python imported and the scan does not say so."""
    known = {os.path.realpath(f) for f in scan.imports_of(imported.file, until)}
    own = os.path.realpath(imported.file)
    return sorted(f for f in imported.files - known if is_first_party(f, root) and f != own)


def test_a_project_with_all_kinds_of_imports(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    write_files(root, parse_archive(PROJECT.lstrip())[1])
    scan = scan_of(Path(sys.executable), root)
    assert len(scan.paths) == 4
    for imported in really_imported(Path(sys.executable), root, scan.paths):
        assert not missing(scan, str(root.resolve()), imported, "imported")
        # Every import of this project is executed: no more may be claimed either.
        assert not set(scan.imports_of(imported.file, "imported")) - imported.files


@pytest.mark.suites
@pytest.mark.parametrize("suite", suites.available(), ids=lambda suite: suite.name)
def test_a_real_suite(suite: suites.Suite) -> None:
    _compare(suite, CI_FILES)


@pytest.mark.long
@pytest.mark.suites
@pytest.mark.parametrize("suite", suites.available(), ids=lambda suite: suite.name)
def test_all_files_of_a_real_suite(suite: suites.Suite) -> None:
    _compare(suite, None)


def _compare(suite: suites.Suite, limit: int | None) -> None:
    """Compare `limit` files, evenly spread over the suite."""
    cwd, python = suite.project.root, suite.project.python
    scan = scan_of(python, cwd)
    files = scan.paths
    step = max(1, len(files) // limit) if limit else 1
    answers = really_imported(python, cwd, files[::step])
    root, unnamed = os.path.realpath(cwd), BY_CONVENTION.get(suite.name, set())
    first_party = sum(is_first_party(f, root) for answer in answers for f in answer.files)
    at_import = sum(len(missing(scan, root, answer, "imported")) for answer in answers)
    # A conftest.py may call what imports: "called" is the promise.
    wrong = {
        found
        for answer in answers
        for found in missing(scan, root, answer, "called")
        if os.path.basename(found) not in unnamed
    }
    print(
        f"{suite.name}: {len(answers)} files import {first_party}, of which {at_import} by calls, "
        f"not known {len(wrong)}"
    )
    assert first_party > 0
    assert not wrong
