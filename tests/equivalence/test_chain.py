"""What is kept after an edit, and that a run forked from there is a cold one to all appearances."""

from __future__ import annotations

from typing import Any

import pytest
from harness import DEEPEST

from fastcollect_lsp.policy import MAX_PROCESSES
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import SmallBench, eventually

SAW = """
import sys
NAMES = ("slow_to_import", "pkg", "helper", "conftest", "test_")
def test_modules():
    here = [name for name in sys.modules if name.startswith(NAMES)]
    assert here == "what pytest shows", here
"""
FILES = {
    "pytest.ini": "[pytest]\npythonpath = src\n",
    "src/pkg/__init__.py": "from .core import CORE\n",
    "src/pkg/core.py": "import slow_to_import\nfrom pkg import leaf\nCORE = leaf.LEAF + 1\n",
    "src/pkg/leaf.py": "LEAF = 1\n",
    "conftest.py": """
        import json
        import pkg
        import pytest
        @pytest.fixture
        def core(): return pkg.CORE
    """,
    "helper.py": "import time\ntime.sleep(0.15)\nVALUE = 1\n",
    "test_a.py": "def test_a(core): assert core == 2\n" + SAW,
    "test_b.py": "import time\ntime.sleep(0.15)\ndef test_b(core): assert core == 2\n" + SAW,
    "test_c.py": "import helper\ndef test_c(core): assert core == helper.VALUE + 1\n" + SAW,
    "test_d.py": "import time\ntime.sleep(0.15)\ndef test_d(core): assert core == 2\n" + SAW,
}

EDITS = {
    # edited file, its new text, and a checkpoint that has to survive the edit
    "last test": ("test_d.py", FILES["test_d.py"] + "\ndef test_new(): assert 0\n", "conftests"),
    "helper": ("helper.py", "VALUE = 3\n", "conftests"),
    "conftest": ("conftest.py", FILES["conftest.py"].replace("pkg.CORE", "pkg.CORE + 1"),
                 "libraries"),
    "source": ("src/pkg/core.py", FILES["src/pkg/core.py"].replace("+ 1", "+ 2"), "libraries"),
    "source above its library": ("src/pkg/core.py", "import json\n" + FILES["src/pkg/core.py"],
                                 "plugins"),
    "source without its library": ("src/pkg/core.py", "CORE = 5\n", "plugins"),
    "source before the library": ("src/pkg/__init__.py",
                                  "X = max(1, 2)\nfrom .core import CORE\nCORE += X\n", "plugins"),
    "configuration": ("pytest.ini", "[pytest]\npythonpath = src\naddopts = -v\n", "pytest"),
}  # fmt: skip


def pids(status: dict[str, Any]) -> dict[str, int]:
    """Checkpoints of imports; several sessions may go by the same name."""
    sessions = ("configured", "items", "collected")
    points = [point for point in status["checkpoints"] if point["name"] not in sessions]
    return {point["name"]: point["pid"] for point in points}


@pytest.fixture
def bench(project: MakeProject) -> SmallBench:
    made = project(FILES)
    made.warm_up()
    return made


@pytest.mark.parametrize("name", sampled(list(EDITS), 1))
def test_edit(name: str, bench: SmallBench) -> None:
    path, text, survivor = EDITS[name]
    before = pids(bench.status())
    bench.write({path: text})
    at_once = bench.compare()
    assert not at_once.differences, at_once.differences[-1]
    after = pids(bench.wait_until_warm())
    assert after[survivor] == before[survivor]
    again = bench.compare_warm()
    assert not again.differences, again.differences[-1]
    assert again.served["checkpoint"] in DEEPEST, again.served


def test_what_was_edited_last_has_a_checkpoint_before_it(bench: SmallBench) -> None:
    for number in range(2):
        bench.write({"test_d.py": FILES["test_d.py"] + f"\ndef test_new{number}(): assert 0\n"})
        at_once = bench.compare()
        assert not at_once.differences, at_once.differences[-1]
        status = bench.wait_until_warm()
    assert status["warmups"][-1]["kept"].startswith(("modules", "libraries")), status["warmups"]
    assert status["warmups"][-1]["modules"] == 1
    assert "test_d.py changed" in status["warmups"][-1]["cause"]


def test_two_selections_do_not_take_from_each_other(bench: SmallBench) -> None:
    bench.pytest("test_b.py")
    before = pids(bench.wait_until_warm())
    for args in ((), ("test_b.py",)):
        compared = bench.compare_warm(*args)
        assert not compared.differences, compared.differences[-1]
        assert compared.served["checkpoint"] in DEEPEST
    assert pids(bench.status()) == before


def test_warming_is_overtaken(bench: SmallBench) -> None:
    """Edits in quick succession, each followed by a run: each run is right, the end is warm."""
    for number in range(3):
        bench.write({"src/pkg/leaf.py": f"LEAF = {number}\n"})
        compared = bench.compare()
        assert not compared.differences, compared.differences[-1]
    bench.wait_until_warm()
    eventually(lambda: bench.status()["state"] == "warm", "warm")
    again = bench.compare_warm()
    assert not again.differences, again.differences[-1]


@pytest.mark.long
def test_what_other_configurations_share_gives_way(bench: SmallBench) -> None:
    """Each has shared checkpoints of its own: those of long ago must not fill the pool."""
    for number in range(6):
        option = f"junit_suite_name=n{number}"
        bench.warm_up("-o", option, "--collect-only", "-q")
        compared = bench.compare_warm("-o", option)
        assert not compared.differences, compared.differences[-1]
        assert compared.served["checkpoint"] in DEEPEST
    assert len(bench.checkpoint_pids()) <= MAX_PROCESSES + 1  # and the zygote
