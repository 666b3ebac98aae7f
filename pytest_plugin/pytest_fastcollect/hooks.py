"""Could what hooks do before and during collection have an influence on the imports after it?"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping

_BEFORE_CONFTESTS = frozenset(
    """
    pytest_addhooks pytest_addoption pytest_cmdline_parse pytest_load_initial_conftests
    pytest_plugin_registered
    """.split()
)
_LATER = frozenset(
    """
    pytest_assertion_pass pytest_assertrepr_compare pytest_collection_finish
    pytest_collection_modifyitems pytest_deselected pytest_enter_pdb pytest_fixture_post_finalizer
    pytest_fixture_setup pytest_internalerror pytest_keyboard_interrupt pytest_leave_pdb
    pytest_markeval_namespace pytest_pyfunc_call pytest_report_collectionfinish
    pytest_report_from_serializable pytest_report_teststatus pytest_report_to_serializable
    pytest_runtest_call pytest_runtest_logfinish pytest_runtest_logreport pytest_runtest_logstart
    pytest_runtest_makereport pytest_runtest_protocol pytest_runtest_setup pytest_runtest_teardown
    pytest_runtestloop pytest_sessionfinish pytest_terminal_summary pytest_unconfigure
    """.split()
)
"""Called when all modules are imported. Any other hook, a plugin's own as well, may be before."""
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
_CONFIGURING_OPTIONS = {
    "_hypothesis_pytestplugin": ("hypothesis_profile", "hypothesis_verbosity"),
}
"""Plugins whose hooks do that where one of these options is given."""


def which_matter(
    plugins: Iterable[object],
    is_first_party: Callable[[str], bool],
    configured: bool,
    options: Mapping[str, object],
) -> str | None:
    """A hook that could change how the project's modules come out, as `module.hook`; None if none.

    `configured`: whether hooks that run once all initial conftests are loaded may have run.
    """
    for plugin in plugins:
        home = plugin if isinstance(plugin, types.ModuleType) else type(plugin)
        name: str = home.__name__ if home is plugin else home.__module__
        top = name.partition(".")[0]
        given = any(map(options.get, _CONFIGURING_OPTIONS.get(top, ())))
        if top in _CONFIGURING_PLUGINS or given:
            return name
        if top in {"_pytest", "pytest_fastcollect"} or not is_first_party(name):
            continue
        for hook, function in _hooks_of(plugin):
            early = hook in _BEFORE_CONFTESTS or (configured and hook not in _LATER)
            if early and not is_harmless(function):
                return f"{name}.{hook}"
    return None


def _hooks_of(plugin: object) -> Iterator[tuple[str, object]]:
    """(hook, function) as `PytestPluginManager.parse_hookimpl_opts` finds them."""
    for name in dir(plugin):
        if not name.startswith("pytest_") or name == "pytest_plugins":
            continue
        function = getattr(plugin, name, None)
        options = getattr(function, "pytest_impl", None)
        hook = options.get("specname") if isinstance(options, dict) else None
        if inspect.isroutine(function):
            yield hook or name, function


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
