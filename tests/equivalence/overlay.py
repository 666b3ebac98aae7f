"""A small project with one of everything that an import can depend on.

Alone it is a project of its own; laid over a real suite it gives each kind of edit something to
change whose effect shows in a node id. Every text holds a number of three digits (`VALUE = 100`),
so that any edit can keep the size of its file.
"""

from __future__ import annotations

TOP = "probe"
"""The directory, below the project's root, that holds all of this."""
TESTS = f"{TOP}/tests"
BULK = 60
"""Modules that a switch of branches changes at once."""

_CONFTEST = """\
import os
import pathlib
import sys
import time

import probe_slow
import pytest

VALUE = 100
_HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(_HERE / "lib"))
sys.path.append(str(_HERE / "lib" / "packed.zip"))


@pytest.fixture
def number():
    return VALUE


def pytest_sessionfinish():
    gate = os.environ.get("PROBE_GATE")
    if gate:
        open(os.path.join(gate, "reached"), "w").close()
        while not os.path.exists(os.path.join(gate, "go")):
            time.sleep(0.002)
"""

_TEST_VALUES = """\
import probe_product
import pytest
from probe_helper import VALUE as helper_value
from probe_product.core import VALUE as core_value

VALUE = 100


@pytest.mark.parametrize("value", [VALUE, helper_value, core_value, probe_product.VALUE])
def test_value(value):
    assert value == 100


def test_double():
    assert probe_product.double(2) == 4


def test_number(number):
    assert number == 100


def test_late():
    from probe_product import late

    assert late.VALUE == 100


def check_collected_by_configuration_only():
    pass
"""

_TEST_DATA = """\
import csv
import glob
import importlib.resources
import json
import os
import pathlib
import sys

import pytest

VALUE = 100
DATA = pathlib.Path(__file__).parent / "data"
CASES = json.loads((DATA / "cases.json").read_text())
with open(DATA / "cases.csv", newline="") as _file:
    ROWS = [row[0] for row in csv.reader(_file)]
LINES = (DATA / "cases.txt").read_text().split()
ENV = dict(line.split("=") for line in (DATA / "settings.env").read_text().split())
RESOURCE = importlib.resources.files("probe_product").joinpath("resource.txt").read_text().strip()
NAMES = sorted(path.stem for path in (DATA / "globbed").glob("*.case"))
WALKED = sum(len(files) for _, _, files in os.walk(DATA / "tree"))
SIZE = (DATA / "sized.bin").stat().st_size
FLAG = os.path.exists(DATA / "flag")
TARGET = os.readlink(DATA / "links/pointer")
with os.scandir(DATA / "entries") as _entries:
    WEIGHT = sum(entry.stat().st_size for entry in _entries)


@pytest.mark.parametrize("case", [*CASES, *ROWS, *LINES, *ENV.values(), RESOURCE])
def test_case(case):
    assert int(case.strip("VALUE= ")) < 999


@pytest.mark.parametrize("name", [*NAMES, f"files{WALKED}", f"size{SIZE}", f"flag{FLAG}"])
def test_found(name):
    assert name


@pytest.mark.parametrize("name", [TARGET, f"weight{WEIGHT}"])
def test_looked_at(name):
    assert name


@pytest.mark.skipif(not glob.glob(str(DATA / "large/big*")), reason="no big file")
def test_big():
    pass
"""

_TEST_WORLD = """\
import builtins
import colorsys
import importlib.metadata
import os
import pkgutil

import linked
import linked_directory.inside
import probe_bulk
import probe_installed
import probe_packed
import probe_single
import probe_slow
import pytest

try:
    from probe_absent import VALUE as ABSENT
except ImportError:
    ABSENT = "absent"
try:
    from probe_optional import VALUE as OPTIONAL
except ImportError:
    OPTIONAL = "absent"

VALUE = 100
MODE = os.environ.get("PROBE_MODE", "unset")
OTHER = os.getenv("PROBE_OTHER")
FROM_PTH = os.environ.get("PROBE_PTH")
SITE = getattr(builtins, "PROBE_SITE", None)
BULK = len(list(pkgutil.iter_modules(probe_bulk.__path__)))
VERSION = importlib.metadata.version("probe-installed")
SHADOWED = getattr(colorsys, "VALUE", "standard")


@pytest.mark.parametrize(
    "seen",
    [
        f"mode-{MODE}-{OTHER}",
        f"site-{FROM_PTH}-{SITE}-{VERSION}-{probe_installed.VALUE}",
        f"links-{linked.VALUE}-{linked_directory.inside.VALUE}",
        f"absent-{ABSENT}-{OPTIONAL}-{SHADOWED}",
        f"single-{probe_single.VALUE}-{probe_packed.VALUE}-{probe_slow.VALUE}",
        f"bulk-{BULK}-{probe_bulk.TOTAL}",
    ],
)
def test_seen(seen):
    assert VALUE == 100
"""

_TEST_INNER = """\
import pytest

VALUE = 100


def test_inner(number, request):
    assert number == 100


@pytest.mark.parametrize("name", [__name__, str(VALUE)])
def test_name(name):
    assert name
"""

FIXTURE = "import pytest\n\nVALUE = {}\n\n\n@pytest.fixture\ndef number():\n    return VALUE\n"
VALUE = "VALUE = {}\n"

_BULK_INIT = (
    "\n".join(f"from probe_bulk import m{i:03}" for i in range(BULK))
    + "\n\nTOTAL = "
    + " + ".join(f"m{i:03}.VALUE" for i in range(BULK))
    + "\n"
)

_PRODUCT = {
    "__init__.py": "import time\n\ntime.sleep(0.05)\nfrom .core import double\n\nVALUE = 100\n",
    "core.py": "VALUE = 100\n\n\ndef double(x):\n    return x * 2\n",
    "late.py": VALUE.format(100),
    "resource.txt": VALUE.format(100),
}

FILES: dict[str, str] = {
    f"{TESTS}/conftest.py": _CONFTEST,
    f"{TESTS}/lib/probe_helper.py": VALUE.format(100),
    f"{TESTS}/test_probe_values.py": _TEST_VALUES,
    f"{TESTS}/test_probe_data.py": _TEST_DATA,
    f"{TESTS}/test_probe_world.py": _TEST_WORLD,
    f"{TESTS}/inner/conftest.py": FIXTURE.format(100),
    f"{TESTS}/inner/test_probe_inner.py": _TEST_INNER,
    f"{TESTS}/data/cases.json": '["100", "101"]\n',
    f"{TESTS}/data/cases.csv": "100,one\n102,two\n",
    f"{TESTS}/data/cases.txt": "100 103\n",
    f"{TESTS}/data/settings.env": "NUMBER=100\n",
    f"{TESTS}/data/sized.bin": "100",
    f"{TESTS}/data/entries/one": "100",
    f"{TESTS}/data/large/small.file": "100",
    f"{TESTS}/data/globbed/one.case": "100",
    f"{TESTS}/data/globbed/two.case": "100",
    f"{TESTS}/data/tree/branch/leaf": "100",
    f"{TESTS}/variants/a.py": VALUE.format(101),
    f"{TESTS}/variants/b.py": VALUE.format(102),
    f"{TESTS}/variants/one/__init__.py": "",
    f"{TESTS}/variants/one/inside.py": VALUE.format(101),
    f"{TESTS}/variants/two/__init__.py": "",
    f"{TESTS}/variants/two/inside.py": VALUE.format(102),
    f"{TOP}/extra/probe_optional.py": VALUE.format(100),
    f"{TOP}/src/probe_single.py": VALUE.format(100),
    f"{TOP}/src/probe_bulk/__init__.py": _BULK_INIT,
    **{f"{TOP}/src/probe_bulk/m{i:03}.py": VALUE.format(100) for i in range(BULK)},
    **{f"{TOP}/src/probe_product/{name}": text for name, text in _PRODUCT.items()},
    **{
        f"{TOP}/src2/probe_product/{name}": text.replace("100", "200")
        for name, text in _PRODUCT.items()
    },
}

LINKS = {
    f"{TESTS}/lib/linked.py": "../variants/a.py",
    f"{TESTS}/lib/linked_directory": "../variants/one",
    f"{TESTS}/data/links/pointer": "../cases.txt",
}

SITE: dict[str, str] = {
    "probe_slow.py": "import time\n\ntime.sleep(0.12)\nVALUE = 100\n",
    "probe_installed.py": VALUE.format(100),
    "probe_installed-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: probe-installed\nVersion: 1.0\n"
    ),
    "probe_installed-1.0.dist-info/RECORD": "probe_installed.py,,\n",
}
"""What is installed in the environment, in site-packages."""

PLUGIN = {
    "probe_plugin.py": (
        "VALUE = 100\n\n\ndef pytest_report_header():\n    return f'probe plugin {VALUE}'\n\n\n"
        "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda item: item.name)\n"
    ),
    "probe_plugin-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: probe-plugin\nVersion: 1.0\n"
    ),
    "probe_plugin-1.0.dist-info/entry_points.txt": "[pytest11]\nprobe = probe_plugin\n",
    "probe_plugin-1.0.dist-info/RECORD": "probe_plugin.py,,\n",
}
"""A plugin that may be installed there as well."""
