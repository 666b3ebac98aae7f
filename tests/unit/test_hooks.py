"""Which hooks can do nothing but configure pytest."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from pytest_fastcollect import hooks

Hook = Callable[..., Any]


def adds_option(parser: Any) -> None:
    group = parser.getgroup("mine")
    group.addoption("--slow", action="store_true", default=False)
    parser.addini("name", "text", type="bool", default=True)


def adds_marker(config: Any) -> None:
    config.addinivalue_line("markers", "slow: takes its time")


def parametrizes(metafunc: Any) -> None:
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", [int(text) for text in ("1", "2")])


def empty(config: Any) -> None:
    """Nothing."""


def sets_flag(config: Any) -> None:
    sys._called_from_test = True  # type: ignore[attr-defined]


def sets_variable(config: Any) -> None:
    os.environ["MODE"] = "test"


def imports(config: Any) -> None:
    import decimal  # noqa: F401


def calls_another(config: Any) -> None:
    sets_flag(config)


def hides_it(config: Any) -> None:
    def inner() -> None:
        sys.setrecursionlimit(10_000)

    int(inner())  # type: ignore[func-returns-value]


def _closure() -> Hook:
    action = print

    def hook(config: Any) -> None:
        action(config)

    return hook


class Plugin:
    def harmless(self, config: Any) -> None:
        config.addinivalue_line("markers", "x")

    def harmful(self, config: Any) -> None:
        config.cache.set("x", 1)


class Callable_:
    def __call__(self, config: Any) -> None:
        """Harmless or not: who knows."""


@pytest.mark.parametrize("hook", [adds_option, adds_marker, parametrizes, empty, Plugin().harmless])
def test_harmless(hook: Hook) -> None:
    assert hooks.is_harmless(hook)


@pytest.mark.parametrize(
    "hook",
    [
        sets_flag, sets_variable, imports, calls_another, hides_it, _closure(), Plugin().harmful,
        Callable_(), print, None,
    ],
)  # fmt: skip
def test_not_harmless(hook: object) -> None:
    assert not hooks.is_harmless(hook)


def _plugin(name: str, **attributes: object) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(attributes)
    return module


def _ours(name: str) -> bool:
    return name.startswith("conftest")


def _which(*plugins: object, configured: bool = True, **options: object) -> str | None:
    return hooks.which_matter(plugins, _ours, configured, options)


def test_only_hooks_before_imports_of_first_party_plugins_matter() -> None:
    flagging = _plugin("conftest", pytest_configure=sets_flag)
    assert _which(flagging) == "conftest.pytest_configure"
    assert _which(_plugin("foreign", pytest_configure=sets_flag)) is None
    assert _which(_plugin("conftest", pytest_configure=adds_marker)) is None
    assert _which(_plugin("conftest", pytest_runtest_setup=sets_flag)) is None
    assert _which() is None


def test_hooks_that_have_not_run_yet_do_not_matter() -> None:
    configuring = _plugin("conftest", pytest_configure=sets_flag)
    adding = _plugin("conftest", pytest_addoption=sets_flag)
    assert _which(configuring, configured=False) is None
    assert _which(adding, configured=False) == "conftest.pytest_addoption"


def test_hook_of_another_name_and_hooks_that_are_not_known() -> None:
    @pytest.hookimpl(specname="pytest_configure")
    def pytest_of_mine(config: Any) -> None:
        sets_flag(config)

    assert _which(_plugin("conftest", pytest_of_mine=pytest_of_mine)) == "conftest.pytest_configure"
    reporting = _plugin("conftest", pytest_report_header=sets_flag)
    assert _which(reporting) == "conftest.pytest_report_header"
    foreign = _plugin("conftest", pytest_metadata=sets_flag, pytest_plugins=["other"])
    assert _which(foreign) == "conftest.pytest_metadata"


def test_plugin_that_configures_where_an_option_is_given() -> None:
    plugin = _plugin("_hypothesis_pytestplugin")
    assert _which(plugin, hypothesis_profile="ci") == "_hypothesis_pytestplugin"
    assert _which(plugin, hypothesis_profile=None) is None


def test_plugins_that_configure_frameworks_always_matter() -> None:
    assert _which(_plugin("pytest_django.plugin"), configured=False) == "pytest_django.plugin"
    assert _which(_plugin("pytest_djangoesque")) is None
