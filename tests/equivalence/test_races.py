"""Edits at moments that random ones seldom meet."""

from __future__ import annotations

import time

from tests.conftest import MakeProject

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
