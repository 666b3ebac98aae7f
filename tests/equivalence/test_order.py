"""A module that is left to each run comes, with all that it does, before what follows it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.conftest import MakeProject
from tests.support import SLOW

_THREAD = (
    "import threading\nEVENT = threading.Event()\n"
    "threading.Thread(target=EVENT.wait, daemon=True).start()\n"
)
"""Code that is left to each run."""
_SETTINGS = {
    "settings.py": "DEBUG = False\n",
    "product.py": f"import {SLOW}, settings\nDEBUG = settings.DEBUG\n",
}
CASES: dict[str, Mapping[str, str]] = {
    "a variable set before an import": {
        "helper.py": "import os\nMODE = os.environ.get('MODE')\n",
        "conftest.py": f"import os, {SLOW}\nos.environ['MODE'] = 'tested'\nimport helper\n"
        + _THREAD,
        "test_a.py": "import helper\ndef test_a(): assert helper.MODE == 'tested'\n",
    },
    "a setting changed before an import": {
        **_SETTINGS,
        "conftest.py": f"import {SLOW}, settings\nsettings.DEBUG = True\nimport product\n"
        + _THREAD,
        "test_a.py": "import product\ndef test_a(): assert product.DEBUG\n",
    },
    "a setting changed by a conftest": {
        **_SETTINGS,
        "conftest.py": f"import {SLOW}, settings\nsettings.DEBUG = True\n" + _THREAD,
        "test_a.py": "import product\ndef test_a(): assert product.DEBUG\n",
    },
    "a setting changed by a test module": {
        **_SETTINGS,
        "test_a.py": f"import {SLOW}, settings\nsettings.DEBUG = True\nimport product\n"
        + _THREAD
        + "def test_a(): assert product.DEBUG\n",
    },
    "a setting changed by a test module before another": {
        **_SETTINGS,
        "test_a.py": f"import {SLOW}, settings\nsettings.DEBUG = True\n"
        + _THREAD
        + "def test_a(): pass\n",
        "test_b.py": "import product\ndef test_b(): assert product.DEBUG\n",
    },
}


IN_CI = ("a variable set before an import", "a setting changed by a conftest")


@pytest.mark.parametrize(
    "name", [n if n in IN_CI else pytest.param(n, marks=pytest.mark.long) for n in CASES]
)
def test_what_follows_sees_it(name: str, project: MakeProject) -> None:
    bench = project(CASES[name])
    bench.warm_up()
    compared = bench.compare_warm()
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == 0


def test_built_in_names_are_replaced_no_sooner_than_in_a_cold_run(project: MakeProject) -> None:
    bench = project(
        {
            "conftest.py": f"""
                import builtins, {SLOW}
                builtins.answer = 42
                builtins.sum = lambda values: "replaced"
                del builtins.license
            """,
            "early.py": """
                import builtins
                SEEN = [hasattr(builtins, "answer"), hasattr(builtins, "license"), sum([1])]
            """,
            "test_a.py": """
                import early
                def test_a(): assert [early.SEEN, answer, sum([1])] == "what pytest shows"
            """,
        }
    )
    bench.extra_env["PYTHONPATH"] += f":{bench.root}"
    bench.warm_up("-p", "early")
    compared = bench.compare_warm("-p", "early")
    assert not compared.differences, compared.differences[-1]
