"""Random modules, scanned and collected by real pytest: what is not dynamic is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.scanner.generated_sources import (
    CLASS_PRELUDE,
    PRELUDE,
    named_module,
    parametrized_module,
)
from tests.unit.scanner.scanner_support import Oracle, Tree, compare, scan_tree, write_files

BATCH = 12
"""Modules per collection: one of them that fails leaves the others alone."""

NUMBERS = itertools.count()

QUICK = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a failing module is small, and collecting is too slow to shrink it
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=200, derandomize=False, print_blob=True)


def check(sources: list[str], root: Path, oracle: Oracle) -> Tree:
    """Compare scan and collection of these modules, each in a file of its own; the scan's tree."""
    project = root / f"project_{next(NUMBERS)}"
    files = {f"test_{n}.py": source for n, source in enumerate(sources)}
    write_files(project, {"pytest.ini": "[pytest]\nmarkers = slow\n", **files})
    tree, collected = scan_tree(project), oracle.collect(project)
    differences = compare(tree, collected)
    for number, source in enumerate(sources):
        name = f"test_{number}.py"
        mine = [item for item in tree.items if item["id"].split("::")[0] == name]
        ids = [node for node in collected.ids if node.split("::")[0] == name]
        failed = [node for node in collected.failed if node.split("::")[0] == name]
        wrong = [node for node in differences.wrong if node.split("::")[0] == name]
        undeclared = [node for node in differences.undeclared if node.split("::")[0] == name]
        errors = [item["id"] for item in mine if "error" in item]
        text = source.removeprefix(CLASS_PRELUDE).removeprefix(PRELUDE)
        shown = f"{text}\npytest: {ids} {failed}\nscan: {mine}"
        assert not wrong, f"{wrong}\n{shown}"
        assert not undeclared, f"{undeclared}\n{shown}"
        if any(item["dynamic"] for item in mine):
            continue
        assert sorted(errors) == sorted(failed), shown
        leaves = [item["id"] for item in tree.leaves if item["id"].split("::")[0] == name]
        assert leaves == ids, shown
    return tree


def judge(
    module: st.SearchStrategy[str], profile: settings, least: float
) -> Callable[[Path, Oracle], None]:
    """A test: batches of modules; at least a share of `least` has to be decided by the scan."""

    def run(root: Path, oracle: Oracle) -> None:
        counts = [0, 0]

        @profile
        @given(st.lists(module, min_size=BATCH, max_size=BATCH))
        def batch(sources: list[str]) -> None:
            tree = check(sources, root, oracle)
            dynamic = {i["id"].split("::")[0] for i in tree.items if i["dynamic"]}
            counts[0] += len(sources)
            counts[1] += len(sources) - len(dynamic)

        batch()
        assert counts[1] >= counts[0] * least, f"{counts[1]} of {counts[0]} are decided"

    return run


def test_parametrized(root: Path, oracle: Oracle) -> None:
    judge(parametrized_module(), QUICK, 0.6)(root, oracle)


def test_names(root: Path, oracle: Oracle) -> None:
    judge(named_module(), QUICK, 0.6)(root, oracle)


@pytest.mark.long
def test_parametrized_at_length(root: Path, oracle: Oracle) -> None:
    judge(parametrized_module(), LONG, 0.6)(root, oracle)


@pytest.mark.long
def test_names_at_length(root: Path, oracle: Oracle) -> None:
    judge(named_module(), LONG, 0.6)(root, oracle)
