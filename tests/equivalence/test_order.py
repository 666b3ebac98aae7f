"""A module that is left to each run comes, with all that it does, before what follows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled
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
    "a setting changed by a function of a test module": {
        **_SETTINGS,
        "conftest.py": f"import {SLOW}, settings\n",
        "test_a.py": "import settings, time\nNOW = time.time()\n"
        "def change(): settings.DEBUG = True\nchange()\ndef test_a(): pass\n",
        "test_b.py": "import product\ndef test_b(): assert product.DEBUG\n",
    },
    "a setting changed by a hook of another name": {
        **_SETTINGS,
        "conftest.py": f"import {SLOW}, pytest, settings\n"
        "@pytest.hookimpl(specname='pytest_configure')\n"
        "def pytest_of_mine(): settings.DEBUG = True\n",
        "test_a.py": "import product\ndef test_a(): assert product.DEBUG\n",
    },
    "a setting changed by a hook that reports": {
        **_SETTINGS,
        "conftest.py": f"import {SLOW}, settings\n"
        "def pytest_report_header(): settings.DEBUG = True\n",
        "test_a.py": "import product\ndef test_a(): assert product.DEBUG\n",
    },
    "the context of arithmetic set by a test module": {
        "test_a.py": f"import {SLOW}, time, decimal\nNOW = time.time()\n"
        "decimal.setcontext(decimal.Context(prec=3))\ndef test_a(): pass\n",
        "test_b.py": "import decimal\nTHIRD = decimal.Decimal(1) / 3\n"
        "def test_b(): assert str(THIRD) == '0.333'\n",
    },
    "an attribute patched for good by a test module": {
        "test_a.py": f"import {SLOW}, time, pytest\nNOW = time.time()\n"
        "PATCH = pytest.MonkeyPatch()\nPATCH.setattr('math.pi', 3)\ndef test_a(): pass\n",
        "test_b.py": "import math\nPI = math.pi\ndef test_b(): assert PI == 3\n",
    },
    "a format registered by a test module": {
        "test_a.py": f"import {SLOW}, time, shutil\nNOW = time.time()\n"
        "shutil.register_archive_format('mine', print)\ndef test_a(): pass\n",
        "test_b.py": "import shutil\nFORMATS = [name for name, _ in shutil.get_archive_formats()]\n"
        "def test_b(): assert 'mine' in FORMATS\n",
    },
    "a setting changed by what is imported relatively": {
        "tests/__init__.py": "",
        "tests/settings.py": "DEBUG = []\n",
        "tests/conftest.py": f"import {SLOW}\nfrom . import settings\n",
        "tests/test_a.py": "from .settings import DEBUG\nimport time\nNOW = time.time()\n"
        "DEBUG.append(1)\ndef test_a(): pass\n",
        "tests/test_b.py": "from . import settings\nSEEN = list(settings.DEBUG)\n"
        "def test_b(): assert SEEN == [1]\n",
    },
}


BEFORE: dict[str, Mapping[str, str]] = {
    "the context of arithmetic": {
        "test_a.py": f"import {SLOW}, time, decimal\nNOW = time.time()\n"
        "THIRD = decimal.Decimal(1) / decimal.Decimal(3)\n"
        "def test_a(): assert len(str(THIRD)) > 9\n",
        "test_b.py": "import decimal\ndecimal.getcontext().prec = 3\ndef test_b(): pass\n",
    },
    "an attribute of a class of the standard library": {
        "test_a.py": f"import {SLOW}, time, unittest\nNOW = time.time()\n"
        "MOST = unittest.TestCase.maxDiff\ndef test_a(): assert MOST == 640\n",
        "test_b.py": "import unittest\nunittest.TestCase.maxDiff = None\ndef test_b(): pass\n",
    },
    "a level of logging": {
        "conftest.py": f"import {SLOW}, logging\n"
        "def pytest_report_header(): return f'level {logging.getLogger().level}'\n",
        "test_a.py": "import logging\nlogging.basicConfig(level=logging.INFO)\n"
        "def test_a(): pass\n",
    },
}


@pytest.mark.parametrize("name", sampled(list(BEFORE), 1))
def test_what_comes_before_does_not_see_it(name: str, project: MakeProject) -> None:
    """What was executed ahead of a module that is left to the run, or of a hook."""
    bench = project(BEFORE[name])
    bench.warm_up()
    compared = bench.compare_warm()
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == 0


def test_plugin_that_is_developed_beside_the_project(project: MakeProject, tmp_path: Path) -> None:
    """Its hooks may be the project's own as well."""
    bench = project({"test_a.py": f"import {SLOW}, corp\nX = corp.X\ndef test_a(): assert X\n"})
    (tmp_path / "corp.py").write_text("X = False\n")
    (tmp_path / "corp_plugin.py").write_text("import corp\ndef pytest_configure(): corp.X = True\n")
    bench.extra_env["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    bench.warm_up("-p", "corp_plugin")
    compared = bench.compare_warm("-p", "corp_plugin")
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == 0


def test_profile_of_hypothesis(project: MakeProject) -> None:
    """Settings that are made at import take theirs from the profile that its plugin loads."""
    pytest.importorskip("hypothesis")
    bench = project(
        {
            "conftest.py": "from hypothesis import settings\n"
            "settings.register_profile('few', max_examples=7)\n",
            "test_a.py": f"import {SLOW}\nfrom hypothesis import settings\n"
            "MINE = settings(deadline=None)\ndef test_a(): assert MINE.max_examples == 7\n",
        }
    )
    options = bench.extra_env["PYTEST_ADDOPTS"].replace("-p no:hypothesispytest", "")
    bench.extra_env["PYTEST_ADDOPTS"] = options
    bench.warm_up("--hypothesis-profile=few")
    compared = bench.compare_warm("--hypothesis-profile=few")
    assert not compared.differences, compared.differences[-1]
    assert compared.cold.exit == 0


@pytest.mark.parametrize("name", sampled(list(CASES), 1))
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


def test_what_follows_a_module_that_keeps_to_itself_is_had_ahead(project: MakeProject) -> None:
    bench = project(
        {
            "product.py": "MODE = 'a'\n",
            "conftest.py": f"import {SLOW}, product\n",
            "test_a.py": """
                import argparse, time, warnings
                from product import MODE

                if __name__ == "__main__":
                    argparse.ArgumentParser().parse_args()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    import product
                def double(value):
                    return value * 2
                CASES = {}
                if MODE in ("a", "b"):
                    CASES["now"] = [double(time.time())]
                def test_a(): assert 0 < time.time() - CASES["now"][0] / 2 < 600
            """,
            "after.py": "",
            "test_b.py": "import after\ndef test_b(): pass\n",
        }
    )
    bench.warm_up()
    last = bench.status()["checkpoints"][-1]
    assert last["name"] == "modules", last
    assert [reason.partition(": ")[2] for reason in last["left_out"]] == [
        "asks for the time at import"
    ]
    compared = bench.compare_warm()
    assert not compared.differences, compared.differences[-1]
