"""The corpus, and random modules, with all pytests that are supported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.scanner.scanner_support import (
    Oracle,
    collect,
    compare,
    parse_archive,
    scan_tree,
    write_files,
)

pytestmark = pytest.mark.long

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.txt"))
VERSIONS = ["8.0.2", "8.2.2", "8.3.5", "8.4.2", "9.0.1", "9.1.1", "9.2.0"]


@pytest.fixture(scope="session", params=VERSIONS)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with this pytest."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    made = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(made), "install", "--quiet"]
    subprocess.run([*pip, f"pytest=={request.param}"], check=True)
    return made


@pytest.fixture(scope="session")
def search_path(python: Path) -> list[str]:
    """Its `sys.path`."""
    code = "import sys; print('\\n'.join(sys.path))"
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return [path for path in done.stdout.splitlines() if path]


@pytest.fixture(scope="session")
def oracle(python: Path) -> Iterator[Oracle]:
    made = Oracle(python)
    yield made
    made.close()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(
    path: Path, root: Path, scratch: Path, python: Path, search_path: list[str]
) -> None:
    _, files = parse_archive(path.read_text(encoding="utf-8"))
    write_files(root, files)
    tree, collected = scan_tree(root, (), search_path), collect(python, root, scratch)
    differences = compare(tree, collected)
    assert not differences.wrong
    assert not differences.undeclared
