"""What is used at import: warm runs beside cold ones, and what is left to each run, and why.

One project has all of the standard library's hazards at once. Libraries of others have a project
each; they need `pip install --group libraries` (see pyproject.toml), and are skipped one by one
where they are missing.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import WARM
from hazards import STANDARD, Use
from libraries import LIBRARIES

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Result
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SLOW, SmallBench, eventually

SHOWING = ("-v", "-rP")
"""Names and outcomes of tests, and what those that passed have written."""
_CONFTEST = {"conftest.py": f"import {SLOW}\n"}


def _processes(bench: SmallBench) -> list[str]:
    """Command lines of all processes that have descended from runs in this bench."""
    mark = f"FASTCOLLECT_DIR={bench.directory}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() + b"\0":
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def _left_out(status: Mapping[str, Any]) -> list[str]:
    return [reason for point in status["checkpoints"] for reason in point["left_out"]]


def _reason(left_out: list[str], name: str) -> str | None:
    """Why a module was left to each run; None if a checkpoint has it."""
    pattern = re.compile(rf"(?:^|/)(?:test_|use_)?{name}(?:\.py)?: (.*)", re.DOTALL)
    return next((found[1] for text in left_out if (found := pattern.search(text))), None)


def _check_fate(use: Use, name: str, left_out: list[str]) -> None:
    reason = _reason(left_out, name)
    if use.left_out is None:
        assert reason is None
    elif use.left_out:
        assert reason is not None, f"{name} is in a checkpoint"
        assert re.search(use.left_out, reason), reason


def _cold(bench: SmallBench, *args: str) -> Result:
    """The oracle, with libraries' bytecode as it was installed: they take minutes to compile."""
    return verify.run(bench.project, ["-p", "no:fastcollect", *args], bench.env, ["-B"])


def _check(bench: SmallBench, uses: Mapping[str, Use], *args: str) -> None:
    """Two warm runs, each beside the oracle: what the first leaves behind, the second must not
    see. Then all is gone."""
    cold = _cold(bench, *args)
    assert cold.exit == 0, cold.output
    bench.warm_up(*args)
    for _ in range(2):
        warm = bench.pytest(*args)
        served = bench.status()["last_run"]
        assert served["served"] in WARM, served["reason"]
        differences = verify.differences(cold, warm)
        assert not differences, differences[-1]
        bench.wait_until_warm()
    left_out = _left_out(bench.status())
    # What follows a module that is left out, and that does not keep to itself, is not executed.
    end = max((name for name in uses if _reason(left_out, name) is not None), default="~")
    for name, use in uses.items():
        if name <= end:
            _check_fate(use, name, left_out)
    bench.fastcollect("stop")
    eventually(lambda: not _processes(bench), f"no process left: {_processes(bench)}")


def test_standard_library(project: MakeProject) -> None:
    files = dict(_CONFTEST)
    for name, use in STANDARD.items():
        files |= use.files(name)
    _check(project(files), STANDARD, *SHOWING)


@pytest.mark.parametrize(
    "name", sampled(list(STANDARD), 2, always=("terminal", "unseeded_generator"))
)
def test_standard_use(name: str, project: MakeProject) -> None:
    """Each alone: what became of it shows whatever the others do."""
    use = STANDARD[name]
    _check(project({**_CONFTEST, **use.files(name)}), {name: use}, *SHOWING)


@pytest.mark.long
@pytest.mark.parametrize("name", LIBRARIES)
def test_library(name: str, project: MakeProject, tmp_path_factory: pytest.TempPathFactory) -> None:
    use = LIBRARIES[name]
    for module in use.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install --group libraries)")
    # Plugins that libraries bring along are no part of this.
    options = " ".join(f"-p no:{name}" for name in ("anyio", "asyncio", "hypothesispytest"))
    files = {**_CONFTEST, **use.files(name)}
    bench = project(files, PYTEST_ADDOPTS=options, **dict(use.env))
    _check(bench, {name: use}, *SHOWING)


DRAWS = {
    "random": "random.random()",
    "numpy": "numpy.random.rand()",
    "numpy.random": "numpy.random.rand()",
    "torch": "torch.rand(1).item()",
}


@pytest.mark.parametrize(
    "library", ["random", *(pytest.param(n, marks=pytest.mark.long) for n in [*DRAWS][1:])]
)
def test_what_nobody_seeds_differs_from_run_to_run(
    library: str, project: MakeProject, tmp_path: Path
) -> None:
    """Drawn at import, and drawn in a test."""
    if importlib.util.find_spec(library.partition(".")[0]) is None:
        pytest.skip(f"{library} is not installed (pip install --group libraries)")
    out, draw = tmp_path / "drawn", DRAWS[library]
    bench = project(
        {
            "conftest.py": f"import {SLOW}, {library}\n",
            "test_a.py": f"""\
                import {library}
                DRAWN = {draw}
                def test_a():
                    with open({str(out)!r}, "a") as file:
                        print(DRAWN, {draw}, file=file)
            """,
        }
    )
    bench.warm_up()
    for _ in range(2):
        bench.pytest()
        assert bench.status()["last_run"]["served"] in WARM
        bench.wait_until_warm()
    drawn = out.read_text().split()
    assert len(drawn) == 6
    assert len(set(drawn)) == 6
