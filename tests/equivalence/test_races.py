"""Edits at moments that random ones seldom meet."""

from __future__ import annotations

import pytest

from tests.conftest import MakeProject
from tests.gate import WAITS, closed
from tests.sampling import sampled
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
            "gate": "",
            "test_b.py": WAITS + "def test_b(): pass\n",
        }
    )
    bench.warm_up()
    with closed(bench) as gate:
        bench.write({"test_a.py": _READER.format("one") + "# edited\n"})
        gate.waiting()  # the probe is at test_b.py now
        bench.write({"test_a.py": _READER.format("two")})
    bench.wait_until_warm()
    before = bench.compare()
    assert not before.differences, before.differences[-1]

    bench.write({"two.txt": "3 4 5"})
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]


CONFTEST = "import slow_to_import\n"
EXTENDS = "import sys\nsys.path.insert(0, __file__.rpartition('/')[0] + '/lib')\n"
SETS = "import helper\nhelper.VALUE = 2\n"
HOOK = "def pytest_configure():\n    import helper\n    helper.VALUE = 2\n"
AFTER_RECORD = {
    # file edited, its content before (None: absent) and after, place of the helper, exit status
    "path no longer extended": (
        "conftest.py", EXTENDS + CONFTEST, "import sys\n" + CONFTEST, "lib", 2),
    "conftest sets something": ("conftest.py", CONFTEST, CONFTEST + SETS, ".", 1),
    "new hook sets something": ("conftest.py", CONFTEST, CONFTEST + HOOK, ".", 1),
    "new plugin": ("conftest.py", CONFTEST, CONFTEST + "pytest_plugins = ['plugin']\n", ".", 1),
    "new test file before others": ("test_0.py", None, SETS + "def test_0(): pass\n", ".", 1),
    "new conftest": ("sub/conftest.py", None, SETS, ".", 1),
    "test file no longer collected": (
        "conftest.py", CONFTEST, CONFTEST + "collect_ignore = ['test_1.py']\n", ".", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(list(AFTER_RECORD), 1))
def test_edit_that_the_record_does_not_know_of(name: str, project: MakeProject) -> None:
    """What is warmed again after an edit, without a run, has only the record of runs before it."""
    path, before, after, place, status = AFTER_RECORD[name]
    files = {
        "conftest.py": CONFTEST,
        f"{place}/helper.py": "VALUE = 1\nREGISTERED = []\n",
        "plugin.py": HOOK,
        "test_1.py": "import helper\nhelper.REGISTERED.append(1)\ndef test_1(): pass\n",
        "sub/test_a.py": "import helper\nVALUE, SEEN = helper.VALUE, list(helper.REGISTERED)\n"
        "def test_a(): assert (VALUE, SEEN) == (1, [1])\n",
    }
    bench = project({**files, **({path: before} if before is not None else {})})
    bench.warm_up()
    pids = bench.checkpoint_pids()
    bench.write({path: after})
    eventually(lambda: bench.checkpoint_pids() != pids, "warming because of the edit")
    bench.wait_until_warm()
    compared = bench.compare()
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == status
