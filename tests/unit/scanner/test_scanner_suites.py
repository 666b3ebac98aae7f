"""The scanner against pytest on real suites, as `FASTCOLLECT_SUITES` has them set up.

What a static scan cannot know it has to declare: every function that only pytest has lies in
something dynamic with a reason, everything that only the scan has as well, and what is not dynamic
is exact: the same cases in the same order. The order is that of collection; plugins and fixtures of
higher scope may have tests run in another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from suites import Suite, available

from fastcollect_lsp._core import Scan, project_config
from tests.unit.scanner.scanner_support import Collected, Tree, ancestors, function_of, unique

pytestmark = pytest.mark.suites

DUMP_PLUGIN = """
import json, os

collected, failed = [], []

def pytest_itemcollected(item):
    collected.append(item)

def pytest_collectreport(report):
    if not report.passed:
        failed.append(report.nodeid)

def pytest_collection_finish(session):
    left = set(session.items)
    ids = [item.nodeid for item in collected if item in left]
    with open(os.environ["SCANNER_SUITE_DUMP"], "w") as file:
        json.dump({"ids": ids, "failed": failed}, file)
"""


def environment() -> dict[str, str]:
    """Nothing of the pytest that runs this."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON"))
    }


def collect(suite: Suite, scratch: Path) -> Collected:
    """What pytest collects, in the order of collection."""
    (scratch / "scanner_suite_dump.py").write_text(DUMP_PLUGIN)
    dump = scratch / "dump.json"
    env = environment() | {"PYTHONPATH": str(scratch), "SCANNER_SUITE_DUMP": str(dump)}
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "scanner_suite_dump"]
    project = suite.project
    command = [str(project.python), "-B", "-m", "pytest", "-p", "no:fastcollect", *options]
    done = subprocess.run(
        [*command, *project.args], cwd=project.root, env=env, capture_output=True, text=True
    )
    assert dump.exists(), done.stdout + done.stderr
    return Collected(**orjson.loads(dump.read_bytes()))


def search_path(python: Path) -> list[str]:
    """The interpreter's own `sys.path`."""
    command = [str(python), "-c", "import sys; print(*sys.path[1:], sep='\\n')"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def scanned(suite: Suite) -> Tree:
    """The tree before anything is imported."""
    python = suite.project.python
    config = project_config(str(suite.project.root), search_path=search_path(python))
    scan = Scan(config)
    scan.refresh()
    return Tree.of(scan)


@dataclass(frozen=True)
class Verdict:
    """A scan held against what pytest collected."""

    functions: int
    missing: Sequence[str]
    """Functions that only pytest has."""
    invented: Sequence[str]
    """Functions that only the scan has, of files that pytest could import."""
    undeclared: Sequence[str]
    """Those of both that are not dynamic, or without a reason."""
    wrong_cases: Sequence[str]
    """Functions that are not dynamic and whose cases are not pytest's, in its order."""
    certain: int
    """Tests that are not dynamic."""
    tests: int
    is_ordered: bool
    """Whether tests that are not dynamic are in the order of collection."""
    reasons: Counter[str]


def judge(tree: Tree, collected: Collected) -> Verdict:
    """Compare a scan with pytest."""

    def is_declared(node_id: str) -> bool:
        known = [tree.by_id[above] for above in ancestors(node_id) if above in tree.by_id]
        return any(item["dynamic"] and item["reason"] for item in known)

    def by_function(ids: Sequence[str]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for node_id in ids:
            grouped.setdefault(function_of(node_id), []).append(node_id)
        return grouped

    real = by_function(collected.ids)
    ours = by_function([leaf["id"] for leaf in tree.leaves])
    failed = set(collected.failed)
    imported = [name for name in tree.functions if not failed & set(ancestors(name))]
    missing = [name for name in real if name not in ours]
    invented = [name for name in unique(imported) if name not in real]
    certain = [leaf["id"] for leaf in tree.leaves if not is_declared(leaf["id"])]
    both = set(certain) & set(collected.ids)
    return Verdict(
        functions=len(real),
        missing=missing,
        invented=invented,
        undeclared=[name for name in [*missing, *invented] if not is_declared(name)],
        wrong_cases=[
            name
            for name in real
            if name in ours and not is_declared(name) and real[name] != ours[name]
        ],
        certain=len(both),
        tests=len(collected.ids),
        is_ordered=unique([i for i in certain if i in both])
        == unique([i for i in collected.ids if i in both]),
        reasons=Counter(
            kind(i["reason"]) for i in tree.items if i["dynamic"] and i["kind"] != "case"
        ),
    )


def kind(reason: str) -> str:
    """A reason without the names in it."""
    return " ".join(word for word in reason.split() if word.isalpha() and word.islower())


TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print what was found, all suites together."""
    yield
    if TABLE:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            heads = "suite", "functions", "missing", "invented", "cases equal", "dynamic, by reason"
            print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", *TABLE, sep="\n")


@pytest.mark.skipif(sys.platform == "win32", reason="suites are set up for Unix")
@pytest.mark.parametrize("suite", available(), ids=lambda suite: suite.name)
def test_suite(suite: Suite, scratch: Path) -> None:
    collected = collect(suite, scratch)
    verdict = judge(scanned(suite), collected)
    reasons = ", ".join(f"{count} {reason}" for reason, count in verdict.reasons.most_common())
    row = [
        suite.name,
        verdict.functions,
        f"{len(verdict.missing)} (declared)" if verdict.missing else 0,
        f"{len(verdict.invented)} (declared)" if verdict.invented else 0,
        f"{verdict.certain} of {verdict.tests}",
        reasons,
    ]
    TABLE.append(f"| {' | '.join(map(str, row))} |")
    assert not verdict.undeclared
    assert not verdict.wrong_cases
    assert verdict.is_ordered
    assert verdict.certain or not verdict.tests or verdict.reasons
