"""Edits at moments that random ones seldom meet."""

from __future__ import annotations

import time

import pytest

from tests.conftest import MakeProject
from tests.support import eventually

_READER = """\
import pathlib, pytest
CASES = (pathlib.Path(__file__).parent / "{}.txt").read_text().split()
@pytest.mark.parametrize("case", CASES)
def test_case(case): pass
"""


def test_edit_between_the_probe_and_the_execution(project: MakeProject) -> None:
    """The probe has seen a module read one file; then the module is made to read another."""
    bench = project(
        {
            "one.txt": "1 2",
            "two.txt": "3 4",
            "test_a.py": _READER.format("one"),
            "test_b.py": "import time\ntime.sleep(1)\ndef test_b(): pass\n",
        }
    )
    bench.warm_up()
    bench.write({"test_a.py": _READER.format("one") + "# edited\n"})
    bench.pytest()
    time.sleep(0.5)  # the probe is most likely at test_b.py now; if not, this tests nothing
    bench.write({"test_a.py": _READER.format("two")})
    bench.wait_until_warm()
    before = bench.compare()
    assert not before.differences, before.differences[-1]

    bench.write({"two.txt": "3 4 5"})
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]


HELPER = "VALUE = 1\n"
USES_HELPER = "import helper\nVALUE = helper.VALUE\ndef test_a(): assert VALUE == 1\n"
EXTENDS = "import sys\nsys.path.insert(0, __file__.rpartition('/')[0] + '/lib')\n"
CONFTEST = "import slow_to_import\n"
AFTER_RECORD = {
    # conftest before, conftest after, place of the helper, exit status
    "path no longer extended": (EXTENDS + CONFTEST, "import sys\n" + CONFTEST, "lib", 2),
    "path extended": (CONFTEST, EXTENDS + CONFTEST, ".", 1),
    "hook that sets something": (
        CONFTEST,
        CONFTEST + "def pytest_configure():\n    import helper\n    helper.VALUE = 2\n",
        ".",
        1,
    ),
    "sets something": (CONFTEST, CONFTEST + "import helper\nhelper.VALUE = 2\n", ".", 1),
}


@pytest.mark.parametrize("name", AFTER_RECORD)
def test_edit_that_the_record_does_not_know_of(name: str, project: MakeProject) -> None:
    """What is warmed again after an edit, without a run, has only the record of runs before it."""
    before, after, place, status = AFTER_RECORD[name]
    bench = project({"conftest.py": before, f"{place}/helper.py": HELPER, "test_a.py": USES_HELPER})
    if name == "path extended":
        bench.write({"lib/helper.py": "VALUE = 2\n"})
    bench.warm_up()
    pids = bench.checkpoint_pids()
    bench.write({"conftest.py": after})
    eventually(lambda: bench.checkpoint_pids() != pids, "warming because of the edit")
    bench.wait_until_warm()
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == status
