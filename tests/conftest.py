"""Fixtures: small projects, each with a server of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "equivalence"))

from tests.support import SLOW, Shared, SmallBench, small_bench

MakeProject = Callable[..., SmallBench]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """The slow module, and bytecode of everything but projects."""
    library = tmp_path_factory.mktemp("library")
    (library / f"{SLOW}.py").write_text("import time\n\ntime.sleep(0.12)\nVALUE = 1\n")
    made = Shared(Path(sys.executable), library, tmp_path_factory.mktemp("bytecode"))
    with small_bench(made, {"test_nothing.py": "def test_nothing(): assert 1 + 1 == 3\n"}) as bench:
        env = {**bench.env, "PYTHONPYCACHEPREFIX": str(made.bytecode)}
        options = ["-p", "no:fastcollect", "-p", "no:cacheprovider", "--junitxml=report.xml"]
        done = subprocess.run([*bench.command, *options], cwd=bench.root, env=env)
        assert done.returncode == 1
    return made


@pytest.fixture
def project(shared: Shared) -> Iterator[MakeProject]:
    """Make a project of these files: `project({"test_a.py": "…"}, NAME="value of a variable")`."""
    with contextlib.ExitStack() as stack:

        def make(files: Mapping[str, str], **env: str) -> SmallBench:
            return stack.enter_context(small_bench(shared, files, **env))

        yield make
