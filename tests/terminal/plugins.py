"""Plugins that people use: a small suite for each, how it is run, and how that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SLOW = "import slow_to_import\n"


@dataclass(frozen=True)
class Plugin:
    """One plugin at work."""

    entry_points: tuple[str, ...]
    """Names under which pytest loads it and what it needs."""
    files: Mapping[str, str]
    args: str = ""
    served: str = "warm"
    """`warm`, or the reason in the header for being cold."""
    shows: str = "passed"
    """What cold pytest has to print."""
    varies: tuple[str, ...] = ()
    """Regular expressions of what two cold runs do not agree upon."""
    env: Mapping[str, str] = field(default_factory=dict)
    terminal: bool = False
    """Whether it is to be seen at a terminal; else its output goes to a pipe."""
    leaves: tuple[str, ...] = ()
    """Beginnings of names of files whose contents no two runs agree upon."""


_CODE = {
    "code_under_test.py": "def f(x):\n    if x:\n        return 1\n    return 2\n",
    "test_it.py": SLOW + "from code_under_test import f\ndef test_f(): assert f(1) == 1\n",
}
_MANY = {
    # Workers import the test modules: without this the controller has nothing worth a hand-over.
    "conftest.py": SLOW,
    "test_a.py": SLOW + "import pytest\n"
    "@pytest.mark.parametrize('i', range(4))\ndef test_many(i): assert i != 2\n",
    "test_b.py": "import pytest\n@pytest.mark.xdist_group('g')\ndef test_b(): pass\n",
}
_XDIST = (r"(?m)^[.F]+ +\[100%\]\r?$", r"\[gw\d\] \w+ -- Python.*")

PLUGINS = {
    "pytest-cov": Plugin(
        ("pytest_cov",),
        _CODE,
        "--cov=. --cov-report=term-missing --cov-report=json",
        "--cov measures imports",
        shows="75%",
        leaves=(".coverage",),
    ),
    "pytest-cov, branches": Plugin(
        ("pytest_cov",),
        _CODE,
        "--cov=. --cov-branch --cov-report=term-missing --cov-report=json",
        "--cov measures imports",
        shows="Branch",
        leaves=(".coverage",),
    ),
    "pytest-cov, not asked to measure": Plugin(("pytest_cov",), _CODE),
    **{
        f"pytest-xdist --dist={mode}": Plugin(
            ("xdist", "xdist.looponfail"),
            _MANY,
            f"-n 2 --dist={mode} -q",
            shows="1 failed, 4 passed",
            varies=_XDIST,
        )
        for mode in ("load", "loadscope", "loadfile", "loadgroup", "worksteal", "each", "no")
        if mode != "each"
    },
    "pytest-xdist --dist=each": Plugin(
        ("xdist", "xdist.looponfail"),
        _MANY,
        "--tx 2*popen --dist=each -q",
        shows="2 failed, 8 passed",
        varies=_XDIST,
    ),
    "pytest-asyncio": Plugin(
        ("asyncio",),
        {
            "pytest.ini": "[pytest]\nasyncio_mode = auto\n",
            "test_it.py": SLOW + "import asyncio, pytest\n"
            "@pytest.fixture\nasync def value():\n    await asyncio.sleep(0)\n    yield 3\n"
            "async def test_it(value):\n    await asyncio.sleep(0)\n    assert value == 3\n"
            "async def test_fails(): assert asyncio.get_running_loop() is None\n",
        },
        shows="1 failed, 1 passed",
    ),
    "anyio": Plugin(
        ("anyio",),
        {
            "test_it.py": SLOW + "import anyio, pytest\npytestmark = pytest.mark.anyio\n"
            "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
            "async def test_it():\n    async with anyio.create_task_group() as group:\n"
            "        group.start_soon(anyio.sleep, 0)\n",
        },
    ),
    "pytest-django": Plugin(
        ("django",),
        {
            "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\npythonpath = .\n",
            "manage.py": "",
            "site_settings.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['app']\n"
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', "
            "'NAME': ':memory:'}}\nDEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n",
            "app/__init__.py": "",
            "app/models.py": "from django.db import models\n"
            "class Thing(models.Model):\n    name = models.CharField(max_length=9)\n",
            "test_it.py": SLOW + "import pytest\nfrom app.models import Thing\n"
            "@pytest.mark.django_db\ndef test_database():\n"
            "    Thing.objects.create(name='a')\n    assert Thing.objects.count() == 1\n"
            "@pytest.mark.django_db\ndef test_again(): assert Thing.objects.count() == 0\n"
            "def test_client(client): assert client.get('/nothing').status_code == 404\n"
            "def test_settings(settings):\n    settings.DEBUG = True\n",
        },
        # What the plugin imports alone may take less than a hand-over on a fast machine.
        "-p slow_to_import",
        shows="passed",
    ),
    "pytest-mock": Plugin(
        ("pytest_mock",),
        {
            "test_it.py": SLOW + "import os\ndef test_it(mocker):\n"
            "    mocker.patch('os.getcwd', return_value='x')\n    assert os.getcwd() == 'x'\n"
            "def test_spy(mocker):\n    spy = mocker.spy(os.path, 'join')\n"
            "    os.path.join('a', 'b')\n    spy.assert_called_once_with('a', 'c')\n",
        },
        shows="1 failed, 1 passed",
    ),
    **{
        f"pytest-timeout, {method}": Plugin(
            ("timeout",),
            {
                "test_it.py": SLOW + "import time\ndef test_quick(): pass\n"
                "def test_slow(): time.sleep(60)\n",
            },
            f"--timeout=1 --timeout-method={method}",
            shows="Timeout",
            varies=(r"\+\++", r"~~+", r"\(\d{10,}\)"),
        )
        for method in ("signal", "thread")
    },
    "pytest-randomly": Plugin(
        ("randomly",),
        {
            "test_it.py": SLOW + "import random, pytest\n"
            "@pytest.mark.parametrize('i', range(5))\ndef test_it(i): print(random.random())\n",
        },
        "-v -rP --randomly-seed=42",
        shows="--randomly-seed=42",
    ),
    "pytest-benchmark": Plugin(
        ("benchmark",),
        {
            "test_it.py": SLOW + "def test_it(benchmark):\n"
            "    assert benchmark.pedantic(sum, args=([1, 2],), rounds=3) == 3\n",
        },
        "--benchmark-columns=rounds,iterations --benchmark-disable-gc",
        shows="1 passed",
        varies=(r"(?m)^-* ?benchmark.*$", r"(?m)^-{20,}$"),
    ),
    "pytest-rerunfailures": Plugin(
        ("rerunfailures",),
        {
            "test_it.py": SLOW + "import pytest\nTRIES = []\ndef test_it():\n"
            "    TRIES.append(1)\n    assert len(TRIES) > 2\n"
            "def test_never(): assert 0\n",
        },
        "--reruns 2 -rR",
        shows="1 failed, 1 passed, 4 rerun",
    ),
    "pytest-sugar": Plugin(("sugar",), _MANY, "--force-sugar", shows="100%"),
    "pytest-html": Plugin(
        ("html", "html_fixtures", "metadata"),
        _MANY,
        "--html=report.html --self-contained-html",
        shows="report.html",
        leaves=("report.html",),
    ),
    "syrupy": Plugin(
        ("syrupy",),
        {
            "test_it.py": SLOW + "def test_new(snapshot): assert {'a': 1} == snapshot\n",
            "__snapshots__/test_it.ambr": "# serializer version: 1\n# name: test_new\n"
            "  dict({\n    'a': 1,\n  })\n# ---\n",
        },
        shows="1 snapshot passed",
    ),
    "syrupy, update": Plugin(
        ("syrupy",),
        {"test_it.py": SLOW + "def test_new(snapshot): assert {'a': 1} == snapshot\n"},
        "--snapshot-update",
        shows="1 snapshot generated",
    ),
    "pytest-snapshot": Plugin(
        ("snapshot",),
        {
            "test_it.py": SLOW + "def test_it(snapshot):\n"
            "    snapshot.snapshot_dir = 'kept'\n    snapshot.assert_match('a', 'text')\n"
            "def test_other(snapshot):\n"
            "    snapshot.snapshot_dir = 'kept'\n    snapshot.assert_match('b', 'text')\n",
            "kept/text": "a",
        },
        shows="1 failed, 1 passed",
    ),
    "pytest-snapshot, update": Plugin(
        ("snapshot",),
        {
            "test_it.py": SLOW + "def test_it(snapshot):\n"
            "    snapshot.snapshot_dir = 'kept'\n    snapshot.assert_match('a', 'text')\n",
        },
        "--snapshot-update",
        shows="Created snapshots",
    ),
    # Its options, fixtures and driver; no browser is installed, which both say.
    "pytest-playwright, without browsers": Plugin(
        ("playwright",),
        {
            "conftest.py": SLOW + "import pytest\n"
            "@pytest.fixture(scope='session')\ndef browser_type_launch_args("
            "browser_type_launch_args): return {**browser_type_launch_args, 'slow_mo': 1}\n",
            "test_it.py": "from playwright.sync_api import Page, expect\n"
            "def test_options(browser_name, browser_type_launch_args, device, base_url):\n"
            "    assert browser_type_launch_args == {'headless': False, 'slow_mo': 1}\n"
            "    print(browser_name, device, base_url)\n"
            "def test_driver(playwright):\n"
            "    assert playwright.devices['Pixel 5']['viewport']['width'] == 393\n"
            "def test_page(page: Page): page.goto('about:blank')\n",
        },
        "-v -rP --browser=webkit --headed --device='Pixel 5'",
        shows="2 passed, 1 warning, 1 error",
        env={"PLAYWRIGHT_BROWSERS_PATH": "/nowhere"},
    ),
    "hypothesis": Plugin(
        ("hypothesispytest",),
        {
            "test_it.py": SLOW + "from hypothesis import given, strategies as st, settings\n"
            "@given(st.integers())\ndef test_all(n): assert isinstance(n, int)\n"
            "@given(st.lists(st.integers()))\ndef test_fails(ns): assert sum(ns) < 100\n",
        },
        "--hypothesis-seed=7",
        shows="assert sum(ns) < 100",
        leaves=(".hypothesis/constants/", ".hypothesis/unicode_data", ".hypothesis/tmp"),
    ),
    "pytest-bdd": Plugin(
        ("pytest-bdd",),
        {
            "sums.feature": "Feature: Sums\n  Scenario: Adding\n    Given two\n"
            "    When I add three\n    Then I have five\n",
            "test_it.py": SLOW + "from pytest_bdd import given, when, then, scenarios\n"
            "scenarios('sums.feature')\n@given('two', target_fixture='n')\ndef two(): return [2]\n"
            "@when('I add three')\ndef add(n): n.append(3)\n"
            "@then('I have five')\ndef five(n): assert sum(n) == 5\n",
        },
    ),
    "allure-pytest": Plugin(
        ("allure_pytest",), _MANY, "--alluredir=allure", shows="1 failed", leaves=("allure/",)
    ),
    "pytest-env": Plugin(
        ("env",),
        {
            "pytest.ini": "[pytest]\nenv =\n    GREETING=hello\n",
            "config.py": "import os\nGREETING = os.environ['GREETING']\n",
            "conftest.py": SLOW,
            "test_it.py": "import config\ndef test_it(): assert config.GREETING == 'hello'\n",
        },
    ),
    "pytest-dotenv": Plugin(
        ("dotenv",),
        {
            "pytest.ini": "[pytest]\nenv_files = settings.env\n",
            "settings.env": "GREETING=hello\n",
            "conftest.py": SLOW,
            "test_it.py": "import os\nGREETING = os.environ['GREETING']\n"
            "def test_it(): assert GREETING == 'hello'\n",
        },
    ),
    "pytest-httpserver": Plugin(
        ("pytest_httpserver",),
        {
            "test_it.py": SLOW + "import urllib.request\ndef test_it(httpserver):\n"
            "    httpserver.expect_request('/a').respond_with_data('b')\n"
            "    with urllib.request.urlopen(httpserver.url_for('/a')) as answer:\n"
            "        assert answer.read() == b'b'\n",
        },
    ),
    "pytest-reportlog": Plugin(
        ("pytest_reportlog",),
        _MANY,
        "--report-log=log.jsonl",
        shows="1 failed",
        leaves=("log.jsonl",),
    ),
    "built-in subtests": Plugin(
        (),
        {
            "test_it.py": SLOW + "def test_it(subtests):\n    for i in range(3):\n"
            "        with subtests.test(i=i):\n            assert i != 1\n",
        },
        shows="SUBFAILED",
    ),
}
