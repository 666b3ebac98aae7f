"""Records in files that hold something else: dropped, and gone. A server that they ended would find
them there again when it starts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fastcollect_lsp import records
from tests.unit.test_messages import RECORD


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", "[" * 100_000, '{"a": ' * 100_000, "\0", "\udcff",
        json.dumps({**RECORD, "idle_timeout_min": float("nan")}),
        json.dumps({**RECORD, "idle_timeout_min": float("inf")}),
        json.dumps({**RECORD, "segments": [[]]}),
    ],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_nonsense(text: str, directory: Path) -> None:
    (directory / "0.json").write_text(text, errors="surrogateescape")
    (directory / "1.json").write_text(json.dumps(RECORD))
    found = records.read_records(directory)
    assert [record.tests for record in found] == [RECORD["tests"]]
    assert os.listdir(directory) == []


def test_what_is_still_being_written_stays(directory: Path) -> None:
    (directory / ".new").write_text("{")
    (directory / ".old").write_text("{")
    os.utime(directory / ".old", (1, 1))
    assert records.read_records(directory) == []
    assert os.listdir(directory) == [".new"]


def test_of_a_directory_that_is_open_to_others(directory: Path) -> None:
    (directory / "1.json").write_text(json.dumps(RECORD))
    directory.chmod(0o777)
    assert records.read_records(directory) == []
    assert records.read_records(directory / "missing") == []
