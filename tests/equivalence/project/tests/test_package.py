import sys

import package
import pytest


def test_package():
    assert package.MOCK is not None


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_cases(letter, number):
    assert letter * number in {"a", "aa", "b", "bb"}


def test_imported_under_its_own_name():
    assert sys.modules[__name__].test_package is test_package


@pytest.mark.xfail(strict=True)
def test_expected_to_fail():
    assert {"a": 1} == {"a": 2}


def test_configured():
    assert package.CONFIGURED
