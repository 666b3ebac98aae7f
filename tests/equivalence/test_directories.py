"""Directories that code asks for at import: that they are there counts, not what is beside them."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled

ASKING = """
import pathlib, slow_to_import
THERE = (pathlib.Path(__file__).resolve().parent / {path!r}).is_dir()
def test_there(): assert THERE
"""


def deepest(status: dict[str, Any]) -> set[int]:
    """The processes that have executed all imports."""
    return {one["pid"] for one in status["checkpoints"] if one["name"] == "modules"}


@pytest.mark.parametrize("path", sampled(["../things/data", "../things/.data"], 1))
def test_directory_is_asked_for(path: str, project: MakeProject) -> None:
    bench = project({"test_a.py": ASKING.format(path=path), f"{path}/notes": ""})
    directory = bench.root / path  # pytest collects nothing there
    bench.pytest()
    warm = deepest(bench.wait_until_warm())

    (directory / "more").mkdir()
    (directory.parent / "neighbour").mkdir()
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    assert deepest(bench.wait_until_warm()) == warm, "nothing was made again"

    shutil.rmtree(directory)
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    assert compared.warm.exit == 1

    bench.wait_until_warm()
    directory.write_text("no directory")
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    directory.unlink()
    directory.mkdir()
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    assert compared.warm.exit == 0
