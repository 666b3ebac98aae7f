import pytest


@pytest.fixture
def letter():
    return "only here"
