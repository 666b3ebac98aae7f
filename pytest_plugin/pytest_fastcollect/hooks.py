"""Could what hooks do before and during collection have an influence on the imports after it?"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable

_BEFORE_CONFTESTS = (
    "pytest_addhooks", "pytest_addoption", "pytest_cmdline_parse", "pytest_load_initial_conftests",
    "pytest_plugin_registered",
)  # fmt: skip
_BEFORE_TESTS = (
    "pytest_cmdline_main", "pytest_collect_directory", "pytest_collect_file", "pytest_collection",
    "pytest_collectreport", "pytest_collectstart", "pytest_configure", "pytest_generate_tests",
    "pytest_ignore_collect", "pytest_itemcollected", "pytest_make_collect_report",
    "pytest_make_parametrize_id", "pytest_pycollect_makeitem", "pytest_pycollect_makemodule",
    "pytest_sessionstart",
)  # fmt: skip
_HARMLESS_NAMES = frozenset(
    """
    addini addinivalue_line addoption append bool config definition dict fixturenames
    get_closest_marker getgroup getini getoption getvalue int len list metafunc name option
    parametrize parser str tuple
    """.split()
)
"""Global and attribute names of which a hook may be made without doing anything but configure
pytest itself. A hook that uses any other name (an import's included) is one to look after."""

_CONFIGURING_PLUGINS = frozenset(("pytest_django", "pytest_flask", "pytest_twisted", "pytest_qt"))
"""Plugins of others whose hooks configure a framework that project code then imports."""


def which_matter(
    plugins: Iterable[object], is_first_party: Callable[[str], bool], configured: bool
) -> str | None:
    """A hook that could change how the project's modules come out, as `module.hook`; None if none.

    `configured`: whether hooks that run once all initial conftests are loaded may have run.
    """
    names = _BEFORE_CONFTESTS + (_BEFORE_TESTS if configured else ())
    for plugin in plugins:
        home = plugin if isinstance(plugin, types.ModuleType) else type(plugin)
        name: str = home.__name__ if home is plugin else home.__module__
        top = name.partition(".")[0]
        if top in _CONFIGURING_PLUGINS:
            return name
        if top in {"_pytest", "pytest_fastcollect"} or not is_first_party(name):
            continue
        for hook in names:
            function = getattr(plugin, hook, None)
            if function is not None and not is_harmless(function):
                return f"{name}.{hook}"
    return None


def is_harmless(function: object) -> bool:
    """Whether a hook can do nothing but configure pytest, by the names that its code uses."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType) or function.__closure__:
        return False
    return _is_harmless_code(function.__code__)


def _is_harmless_code(code: types.CodeType) -> bool:
    return _HARMLESS_NAMES.issuperset(code.co_names) and all(
        _is_harmless_code(constant)
        for constant in code.co_consts
        if isinstance(constant, types.CodeType)
    )
