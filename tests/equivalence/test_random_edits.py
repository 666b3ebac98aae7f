"""Random edits: no run is ever stale.

`FASTCOLLECT_EDITS` edits, shared out to the projects, begin with `FASTCOLLECT_SEED`. What fails is
shrunk, and printed as a script. With `FASTCOLLECT_SUITES` the long test edits real suites as well:

    FASTCOLLECT_EDITS=2000 FASTCOLLECT_SEED=1 pytest -m long tests/equivalence/test_random_edits.py
"""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import pytest
import suites
from edits import KINDS, Edit
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from playing import Stale, Tally, commands, play, prepare
from worlds import WAYS, Base, lay_out

SEED = int(os.environ.get("FASTCOLLECT_SEED", "0"))
EDITS = int(os.environ.get("FASTCOLLECT_EDITS", "2000"))
KEEP_GOING = bool(os.environ.get("FASTCOLLECT_KEEP_GOING"))
"""Count what is stale instead of stopping at the first and shrinking it."""
REPORT = os.environ.get("FASTCOLLECT_EDITS_REPORT")
"""A file for what is found, while a long run goes on."""
SLICE = 4
"""Edits in CI."""

SMALL = Base("small", Path(sys.executable))

EDITED = {
    "click": ("src", "src/click", "tests/test_defaults.py", "tests/test_commands.py"),
    "attrs": ("src", "src/attr", "tests/test_abc.py", "tests/test_hooks.py"),
    "parso": (".", "parso", "test/test_prefix.py", "test/test_get_code.py"),
    "docutils": (
        ".",
        "docutils",
        "test/test_statemachine.py",
        "test/test_parsers/test_rst/test_citations.py",
    ),
    "importlib_resources": (
        ".",
        "importlib_resources",
        "importlib_resources/tests/test_files.py",
        "importlib_resources/tests/test_read.py",
    ),
    "sybil": ("src", "src/sybil", "tests/test_document.py", "tests/test_skip.py"),
    "jsonschema": (
        ".",
        "jsonschema",
        "jsonschema/tests/test_types.py",
        "jsonschema/tests/test_utils.py",
    ),
}
"""Of real suites: what is on sys.path, what is edited, and the test files that are run."""


def _bases() -> list[Base]:
    top = suites.directory()
    found = [SMALL]
    for name, (source, package, *tests) in EDITED.items():
        python = top / "venvs" / name / "bin/python" if top else None
        if top is not None and python is not None and python.exists():
            files = top / "suites" / name
            cwd = "test" if name == "docutils" else "."
            found.append(Base(name, python, files, cwd, (), tuple(tests), (source,), (package,)))
    return found


def _steps(length: int) -> st.SearchStrategy[tuple[Edit | None, ...]]:
    """Edits in a row. Any of them may shrink to none at all."""
    edit = st.builds(
        Edit,
        kind=st.sampled_from(sorted(KINDS)),
        choice=st.integers(0, 999),
        way=st.sampled_from(WAYS),
        pause_ms=st.sampled_from((0, 0, 0, 10, 50, 200, 500)),
        wait=st.booleans(),
        settle=st.booleans(),
        late=st.sampled_from((False, False, False, True)),
        command=st.sampled_from((*[0] * 8, *range(len(commands(SMALL))))),
        during=st.sampled_from((*[""] * 7, "gate", "race", "race")),
    )
    return st.tuples(*[st.one_of(st.none(), edit, edit, edit, edit)] * length)


def _explore(base: Base, directory: Path, edits: int, length: int, number: int) -> Tally:
    """Play that many edits, some `length` of them in each world. Raises Stale, shrunk."""
    template = lay_out(base, directory)
    prepare(template)
    tally = Tally(report=Path(REPORT) if REPORT else None)

    # Not the same edits of each project.
    @seed(number + zlib.crc32(base.name.encode()))
    @settings(
        max_examples=10 * edits,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(_steps(length))
    def explore(steps: tuple[Edit | None, ...]) -> None:
        if not any(steps) or (tally.edits >= edits and (KEEP_GOING or not tally.stale)):
            return
        try:
            play(template, steps, tally)
        except Stale:
            if not KEEP_GOING:
                raise

    explore()
    return tally


def test_a_few_edits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = _explore(SMALL, tmp_path, SLICE, 10, SEED)
    with capsys.disabled():
        print(f"\n{tally.summary('small')}")
    warm = sum(count for what, count in tally.served.items() if "cold" not in what)
    assert warm > tally.compared / 4, f"too few runs were warm: {tally.served}"
    assert not tally.stale, tally.stale[0]


@pytest.mark.long
@pytest.mark.parametrize("base", _bases(), ids=lambda base: base.name)
def test_many_edits(base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = _explore(base, tmp_path, EDITS // len(_bases()), 16, SEED)
    with capsys.disabled():
        print(f"\n{tally.summary(base.name)}")
    assert not tally.stale, "\n\n".join(tally.stale)
