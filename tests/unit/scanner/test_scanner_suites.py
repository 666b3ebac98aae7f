"""The scanner against pytest on real suites, as `FASTCOLLECT_SUITES` has them set up.

What a static scan cannot know it has to declare; that share is reported, not judged.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.scanner.scanner_support import collect, compare, scan_tree

DIRECTORY = os.environ.get("FASTCOLLECT_SUITES")
SUITES = (
    "attrs",
    "click",
    "djangorestframework",
    "docutils",
    "importlib_resources",
    "jsonschema",
    "parso",
    "starlette",
    "sybil",
)

pytestmark = [
    pytest.mark.suites,
    pytest.mark.skipif(
        DIRECTORY is None, reason="FASTCOLLECT_SUITES does not say where suites are"
    ),
]


def place(name: str) -> tuple[Path, Path]:
    """The directory to collect in, and the interpreter."""
    base = Path(DIRECTORY or "")
    suite = base / "suites" / name
    if not suite.is_dir():
        pytest.skip(f"{name} is not set up")
    return suite / "test" if name == "docutils" else suite, base / "venvs" / name / "bin" / "python"


@pytest.mark.parametrize("name", SUITES)
def test_suite(
    name: str, scratch: Path, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cwd, python = place(name)
    collected = collect(python, cwd, scratch, autoload=True)
    tree = scan_tree(cwd)
    differences = compare(tree, collected)
    dynamic = Counter(
        item["reason"] for item in tree.items if item["dynamic"] and item["kind"] != "case"
    )
    report = {
        "pytest": len(collected.ids),
        "scan": len(tree.leaves),
        "dynamic tests": sum(leaf["dynamic"] for leaf in tree.leaves),
        "missing functions": len(differences.missing),
        "invented functions": len(differences.invented),
        "undeclared": len(differences.undeclared),
        "wrong": len(differences.wrong),
        "reasons": dict(dynamic.most_common(4)),
    }
    record_property("scan", orjson.dumps(report).decode())
    with capsys.disabled():
        print(f"\n{name}: {report}")
    assert not differences.wrong
    assert not differences.undeclared
    assert {item["id"] for item in tree.leaves} & set(collected.ids)
