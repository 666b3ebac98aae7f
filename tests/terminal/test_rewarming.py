"""What is warm is made again by itself when files change, before anybody runs anything."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from harness import DEEPEST, warm_runs

from tests.conftest import MakeProject
from tests.support import SLOW, eventually, passed

TEST = f"""\
import {SLOW}
import helper

def test_value():
    assert helper.VALUE == {{}}
"""


def test_an_edit_by_whomever_warms_again(project: MakeProject) -> None:
    bench = project(
        {"conftest.py": "", "helper.py": "VALUE = 1\n", "test_it.py": TEST.format(1)},
    )
    bench.warm_up()
    before = bench.checkpoint_pids()
    assert "modules" in before
    health = bench.fastcollect("health", "--json")
    assert health.returncode == 0, health.stdout
    assert json.loads(health.stdout)["watch"].startswith("watching ")

    bench.write({"helper.py": "VALUE = 2\n", "test_it.py": TEST.format(2)})
    eventually(
        lambda: bench.checkpoint_pids().get("modules", before["modules"]) != before["modules"],
        "a checkpoint that nobody asked for",
    )
    bench.wait_until_warm()
    after = bench.checkpoint_pids()
    assert after["plugins"] == before["plugins"], "what had not changed was made again"
    bench.warm_runs = warm_runs(bench.status())
    assert passed(bench.pytest()) == ["test_it::test_value"]
    assert bench.served_warm()
    assert bench.status()["last_run"]["checkpoint"] in DEEPEST


def test_waiting_after_a_first_run_that_took_long(project: MakeProject) -> None:
    """Its server has long begun, and is not told what the run has left for it."""
    waits = """\
        import pathlib, time
        def test_waits():
            while not pathlib.Path("go").exists(): time.sleep(0.01)
    """
    bench = project({"conftest.py": f"import {SLOW}\n", "test_it.py": waits})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bench.pytest)
        try:
            eventually(lambda: bench.servers() and bench.status()["state"] != "stopped", "a server")
        finally:
            (bench.root / "go").touch()
        assert passed(first.result()) == ["test_it::test_waits"]
    assert bench.wait_until_warm()["state"] == "warm"
    assert "modules" in bench.checkpoint_pids()


def test_waiting_for_what_cannot_be_made_warm(project: MakeProject) -> None:
    """It is tried once more for whoever waits, however often that was in vain."""
    bench = project(
        {
            "conftest.py": "import helper\n",
            "helper.py": "VALUE = 1\n",
            "test_it.py": TEST.format(1),
        },
    )
    bench.warm_up()
    (server,) = bench.servers()

    def tries() -> int:
        return (server / "log").read_text().count("not warm:")

    bench.write({"helper.py": None})
    eventually(tries, "the module that is gone was missed")
    for _ in range(20):
        before = tries()
        assert bench.wait_until_warm()["state"] != "warming"
        assert tries() > before
    bench.write({"helper.py": "VALUE = 1\n"})
    eventually(lambda: "modules" in bench.checkpoint_pids(), "tried again when it was mended")
    bench.wait_until_warm()
    assert bench.compare_warm().warm.exit == 0
