import package
import pytest


@pytest.fixture(params=["a", "b"])
def letter(request):
    return request.param


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long")
    package.CONFIGURED = True
