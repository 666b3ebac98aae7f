"""What pytest's cache only keeps count of is in every run what the last one has left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SLOW, SmallBench, header

PLAIN = f"import {SLOW}\ndef test_one(): pass\n"


def repeated(bench: SmallBench, *args: str) -> Path:
    """Have a process wait that is to be the next run of this command; where the ids are kept."""
    for _ in range(2):
        bench.pytest(*args)
        bench.wait_until_warm()
    return bench.root / ".pytest_cache" / "v" / "cache" / "nodeids"


def test_ids_that_others_have_counted_meanwhile(project: MakeProject) -> None:
    """A process that waits for its run has read all that were ever counted, as they were then."""
    bench = project({"test_a.py": PLAIN, "test_b.py": PLAIN})
    kept = repeated(bench, "test_a.py")

    def files_after_a_run() -> set[str]:
        assert header(bench.pytest("test_a.py").output).startswith("Daemon: active, collected")
        bench.wait_until_warm()
        return {name.partition("::")[0] for name in json.loads(kept.read_text())}

    assert files_after_a_run() == {"test_a.py"}
    bench.cold("test_b.py")
    assert files_after_a_run() == {"test_a.py", "test_b.py"}
    kept.unlink()
    assert files_after_a_run() == {"test_a.py"}


@pytest.mark.parametrize("text", sampled(["[1]", "{", ""], 1))
def test_ids_that_cannot_be_read(text: str, project: MakeProject) -> None:
    """pytest ends with an error of its own, or counts anew."""
    bench = project({"test_a.py": PLAIN})
    kept = repeated(bench)
    for _ in range(2):  # by the run, then by the process that waits for one
        kept.write_text(text)
        warm = bench.pytest()
        bench.wait_until_warm()
        left = kept.read_text()
        kept.write_text(text)
        cold = bench.cold()
        assert not verify.differences(cold, warm), verify.differences(cold, warm)[-1]
        assert kept.read_text() == left, "written by a process that is no run"
