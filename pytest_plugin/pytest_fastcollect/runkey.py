"""What of a command line decides which modules a run imports: `RunKey` from pytest's own parse."""

from __future__ import annotations

import glob
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fastcollect_lsp.digest import blake2b
from fastcollect_lsp.protocol import RunKey

# Options of pytest itself that change neither which modules are imported nor the conditions of
# their import. What is not named here, above all every option of other plugins, is part of the key.
_IRRELEVANT = frozenset(
    """
    verbose quiet no_header no_summary no_fold_skipped force_short_summary reportchars
    disable_warnings showlocals tbstyle xfail_tb show_capture fulltrace color code_highlight
    pastebin keyword markexpr deselect maxfail stepwise stepwise_skip stepwise_reset collectonly
    durations durations_min capture usepdb usepdb_cls trace runxfail xmlpath junitprefix
    basetemp cacheshow cacheclear newfirst last_failed_no_failures showfixtures
    show_fixtures_per_test setuponly setupshow setupplan strict strict_config strict_markers
    log_level log_format log_date_format log_cli_level log_cli_format log_cli_date_format
    log_file log_file_mode log_file_level log_file_format log_file_date_format log_auto_indent
    logger_disable version help traceconfig debug doctestreport doctest_ufail
    doctest_continue_on_failure markers fastcollect_auto_daemon fastcollect_action file_or_dir
    """.split()
)
_BASE = frozenset(
    """
    inifilename rootdir override_ini confcutdir noconftest importmode assertmode plugins
    disable_plugin_autoload pythonwarnings
    """.split()
)


def run_key(config: pytest.Config) -> RunKey:
    """The key of the run that `config` was parsed for; before any conftest is loaded."""
    options = vars(config.known_args_namespace)
    base = {name: options.get(name) for name in sorted(_BASE)}
    base |= {
        "root": str(config.rootpath),
        "inifile": _digest(config.inipath),
        "cwd": os.getcwd(),
        "sys.path": list(sys.path),
        "plugins from environment": os.environ.get("PYTEST_PLUGINS"),
        "autoload disabled": os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"),
    }
    selection: dict[str, Any] = {
        name: value
        for name, value in sorted(options.items())
        if name not in _BASE and name not in _IRRELEVANT
    }
    selection["paths"] = _paths(config)
    return RunKey(
        base=json.dumps(base, default=repr),
        selection=json.dumps(selection, default=repr),
        conftests=tuple(str(path) for path in initial_conftests(config)),
        dynamic=bool(options.get("lf") or options.get("failedfirst")),
    )


def is_captured(config: pytest.Config) -> bool:
    """Whether `_pytest.capture` puts files in the place of the standard descriptors."""
    return getattr(config.known_args_namespace, "capture", None) == "fd"


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return f"{path} {blake2b(path.read_bytes(), digest_size=16).hexdigest()}"
    except OSError as error:
        return f"{path} {error.errno}"


def _paths(config: pytest.Config) -> list[str]:
    """Positional arguments as absolute paths without their `::` parts, repetitions dropped."""
    pyargs = config.known_args_namespace.pyargs
    paths = []
    for argument in config.known_args_namespace.file_or_dir or []:
        path = argument.split("::")[0]
        paths.append(path if pyargs else os.path.join(config.invocation_params.dir, path))
    return list(dict.fromkeys(paths))


def initial_conftests(config: pytest.Config) -> list[Path]:
    """The conftest files pytest is about to load (`PytestPluginManager._set_initial_conftests`).

    A prediction: it is compared with what was loaded before anything is built on it.
    """
    options = config.known_args_namespace
    if options.noconftest:
        return []
    invocation_dir = config.invocation_params.dir
    anchors: list[Path] = []
    for argument in _effective_arguments(config):
        anchor = Path(os.path.abspath(invocation_dir / str(argument).split("::")[0]))
        try:
            if not anchor.exists():
                continue
        except OSError:
            continue
        anchors.append(anchor)
        if anchor.is_dir():
            anchors.extend(path for path in anchor.glob("test*") if path.is_dir())
    if not anchors:
        anchors.append(invocation_dir)
        anchors.extend(path for path in invocation_dir.glob("test*") if path.is_dir())
    cut = Path(os.path.abspath(invocation_dir / options.confcutdir)) if options.confcutdir else None
    found: dict[Path, None] = {}
    for anchor in anchors:
        directory = anchor if anchor.is_dir() else anchor.parent
        for parent in reversed((directory, *directory.parents)):
            if cut is not None and parent in cut.parents:
                continue
            conftest = parent / "conftest.py"
            if conftest.is_file():
                found.setdefault(conftest)
    return list(found)


def _effective_arguments(config: pytest.Config) -> list[str]:
    """`Config._decide_args`: the arguments, else testpaths when started in rootdir, else here."""
    options = config.known_args_namespace
    arguments = list(options.file_or_dir or [])
    if not arguments and config.invocation_params.dir == config.rootpath:
        for path in config.getini("testpaths"):
            arguments += [path] if options.pyargs else sorted(glob.iglob(path, recursive=True))
    return arguments or [str(config.invocation_params.dir)]
