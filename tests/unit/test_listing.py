"""What a directory holds, as far as a collection could depend on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastcollect_lsp import listing


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("test_b.py", True),
        ("conftest.py", True),
        ("doc.txt", True),
        ("sub/", True),
        ("data.json", False),
        (".coverage", False),
        (".git/", False),
        ("__pycache__/", False),
    ],
)
def test_new_name(name: str, counts: bool, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").touch()
    noted = {str(tmp_path): listing.digest(str(tmp_path))}
    assert listing.holds(noted)
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).touch()
    assert listing.holds(noted) is not counts


def test_directory_that_vanishes(tmp_path: Path) -> None:
    directory = tmp_path / "sub"
    directory.mkdir()
    noted = {str(directory): listing.digest(str(directory))}
    directory.rmdir()
    assert not listing.holds(noted)
