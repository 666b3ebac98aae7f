"""Coverage of a run, by the project's own coverage.py."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from editor_client import RefusedError
from runs_client import Make, lsp, run

from tests.sampling import sampled

pytestmark = pytest.mark.asyncio


COVERED = {
    ".coveragerc": "[run]\nomit = */slow_to_import.py\n",
    "code.py": "",
    "covered.py": """\
        def sign(n):
            if n < 0:
                return -1
            return 1


        def unused():
            return 0
        """,
    "test_covered.py": """\
        import pytest
        from covered import sign

        def test_positive():
            assert sign(3) == 1

        @pytest.mark.parametrize("n", [-1])
        def test_negative(n):
            assert sign(n) == -1
        """,
}


@pytest.mark.parametrize("args", sampled([[], ["-n2"]], 1), ids=["alone", "xdist"])
async def test_coverage(make: Make, args: list[str]) -> None:
    pytest.importorskip("coverage")
    bench = make(COVERED, PYTEST_ADDOPTS="-p no:asyncio" if args else "-p no:xdist")
    async with lsp(bench) as client:
        answer, seen = await run(client, "v", kind="coverage", args=args)
        assert answer["served"] == "cold"
        assert seen.of("ended") == [{"event": "ended", "exit": 0}]
        result = await client.request("fastcollect/coverage", {"runId": "v"})
        files = {file["uri"].rpartition("/")[2]: file for file in result["files"]}
        assert set(files) == {"covered.py", "test_covered.py"}
        assert files["covered.py"]["statements"] == {"covered": 5, "total": 6}
        assert files["covered.py"]["branches"] == {"covered": 2, "total": 2}
        assert files["covered.py"]["declarations"] == {"covered": 1, "total": 2}
        negative = "test_covered.py::test_negative[-1]"
        assert files["covered.py"]["tests"] == [negative, "test_covered.py::test_positive"]
        uri = (bench.root / "covered.py").as_uri()
        params = {"runId": "v", "uri": uri, "testId": negative}
        (file,) = (await client.request("fastcollect/coverage", params))["files"]
        executed = {line["line"]: line["executed"] for line in file["lines"]}
        assert executed == {1: True, 2: True, 3: False, 7: False}  # not what importing executes
        with pytest.raises(RefusedError, match="no coverage of a run 'x'"):
            await client.request("fastcollect/coverage", {"runId": "x"})


@pytest.mark.long
async def test_equal_to_pytest_cov(make: Make, tmp_path: Path) -> None:
    """Line by line and branch by branch, under the project's own configuration."""
    pytest.importorskip("pytest_cov")
    ini = "[run]\nomit = test_*\n[report]\nexclude_also = return -1\n"
    bench = make({**COVERED, ".coveragerc": ini}, PYTEST_ADDOPTS="-p no:asyncio -p no:xdist")
    report = tmp_path / "report.json"
    args = ("--cov=.", "--cov-branch", f"--cov-report=json:{report}")
    assert bench.cold(*args).exit == 0
    wanted = orjson.loads(report.read_bytes())["files"]["covered.py"]
    async with lsp(bench) as client:
        await run(client, "v", kind="coverage")
        uri = (bench.root / "covered.py").as_uri()
        params = {"runId": "v", "uri": uri}
        (file,) = (await client.request("fastcollect/coverage", params))["files"]
    lines = {line["line"] + 1: line["executed"] for line in file["lines"]}
    assert [n for n, executed in lines.items() if executed] == wanted["executed_lines"]
    assert [n for n, executed in lines.items() if not executed] == wanted["missing_lines"]
    branches = [branch["executed"] for line in file["lines"] for branch in line["branches"]]
    summary = wanted["summary"]
    assert (branches.count(True), len(branches)) == (
        summary["covered_branches"],
        summary["num_branches"],
    )
    assert file["statements"] == {
        "covered": summary["covered_lines"],
        "total": summary["num_statements"],
    }
