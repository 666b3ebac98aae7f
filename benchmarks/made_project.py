"""A project of 10,000 tests in 500 files: the same one every time."""

from __future__ import annotations

import random
from pathlib import Path

FILES = 500
FILES_IN_DIRECTORY = 20

HEAD = '''"""Tests."""
import os
import pytest
from unittest import mock
from app import {module}


@pytest.mark.parametrize('a, b', [(1, 'x'), (2, 'y'), (3, 'z'), (4, None)])
def test_param(a, b):
    assert a
'''

BODY = '''
{indent}def test_{name}({arguments}):
{indent}    """Whether {a} and {b} go together as they should."""
{indent}    value = {{'a': {a}, 'b': [1, 2, {b}], 'name': f'{{os.sep}}name'}}
{indent}    result = [key.upper() for key, item in value.items() if item != {b}]
{indent}    with mock.patch.object(os, 'getcwd', return_value='/') as patched:
{indent}        assert os.getcwd() == '/', f'{{patched}} is not in place'
{indent}    assert value['a'] == {a} and len(result) <= 3  # {b}
'''


def make(root: Path) -> None:
    """Write the project: 8 functions, 4 cases and 8 methods in each file."""
    numbers = random.Random(1)
    _write(root / "pytest.ini", "[pytest]\npythonpath = src\ntestpaths = tests\n")
    _write(root / "src" / "app" / "__init__.py", "")
    for module in range(50):
        _write(root / "src" / "app" / f"m{module}.py", f"value = {module}\n")
    for file in range(FILES):
        text = HEAD.format(module=f"m{numbers.randrange(50)}")
        text += "".join(_test(f"plain_{n}", "", "tmp_path", numbers) for n in range(8))
        text += "\n\nclass TestThing:"
        text += "".join(_test(f"method_{n}", "    ", "self", numbers) for n in range(8))
        _write(root / "tests" / f"d{file // FILES_IN_DIRECTORY}" / f"test_{file}.py", text)


def _test(name: str, indent: str, arguments: str, numbers: random.Random) -> str:
    a, b = numbers.randrange(100), numbers.randrange(100)
    return BODY.format(name=name, indent=indent, arguments=arguments, a=a, b=b)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
