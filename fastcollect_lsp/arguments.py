"""pytest's command line, as far as a scan that runs nothing can follow it."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ._core import ProjectConfig, project_config


class UsageError(Exception):
    """The command line or the configuration is wrong: one line for people."""


@dataclass(frozen=True)
class Arguments:
    """What a command line says about collection."""

    paths: tuple[str, ...]
    """Paths and node ids, as typed."""
    words: tuple[str, ...]
    """Options, those of `PYTEST_ADDOPTS` first, as the scanner reads them."""
    inifile: str | None
    """`-c`."""
    rootdir: str | None
    """`--rootdir`."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("-c", "--config-file", dest="inifile")
    parser.add_argument("--rootdir")
    for name in _VALUES:
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("-o", "--override-ini", action="append", default=[])
    for name in _FLAGS:
        parser.add_argument(name, action="count", default=0)
    for name in ("-k", "-m"):
        parser.add_argument(name)
    for name in ("-q", "--quiet", "-v", "--verbose", "--collect-only", "--co"):
        parser.add_argument(name, action="count", help=argparse.SUPPRESS)
    return parser


_VALUES = ("--ignore", "--ignore-glob", "--deselect", "--doctest-glob", "--confcutdir",
           "--import-mode", "-p")  # fmt: skip
_FLAGS = (
    "--doctest-modules",
    "--no-doctest-modules",
    "--noconftest",
    "--collect-in-virtualenv",
    "--disable-plugin-autoload",
)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Arguments:
    """Take a command line apart. Raises UsageError for what a static scan cannot follow."""
    found = _parser().parse_intermixed_args([*_from_environment(environ), *argv])
    for name in ("k", "m"):
        if getattr(found, name):
            raise UsageError(
                f"-{name} needs pytest: leave it out, or leave out --static and --diff"
            )
    options: list[str] = []
    for name in _FLAGS:
        if getattr(found, name[2:].replace("-", "_")):
            options.append(name)
    for name in _VALUES:
        for value in getattr(found, name.lstrip("-").replace("-", "_")):
            options += [name, value]
    for value in found.override_ini:
        if "=" not in value:
            raise UsageError(f"-o/--override-ini expects option=value (got: {value!r})")
        options += ["-o", value]
    return Arguments(tuple(found.paths), tuple(options), found.inifile, found.rootdir)


def of_project(root: str, environ: Mapping[str, str]) -> ProjectConfig:
    """The configuration of runs without arguments in the root; `error` says what is wrong."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--config-file", dest="inifile")
    try:
        known, rest = parser.parse_known_args(_from_environment(environ))
    except UsageError:
        # Each run says so; what there is to collect is shown all the same.
        return project_config(root)
    return project_config(root, inifile=known.inifile, options=rest)


def _from_environment(environ: Mapping[str, str]) -> list[str]:
    """What variables say, as options. Raises UsageError."""
    try:
        words = shlex.split(environ.get("PYTEST_ADDOPTS", ""))
    except ValueError as error:
        raise UsageError(f"PYTEST_ADDOPTS: {error}") from None
    if environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        words.append("--disable-plugin-autoload")
    for plugin in filter(None, environ.get("PYTEST_PLUGINS", "").split(",")):
        words += ["-p", plugin]
    return words


def configure(arguments: Arguments, cwd: Path) -> ProjectConfig:
    """The configuration for a command line. Raises UsageError where pytest would stop."""
    for value in (arguments.inifile,):
        if value is not None and not (cwd / value).is_file():
            raise UsageError(f"there is no configuration file {value}")
    if arguments.rootdir is not None and not (cwd / os.path.expandvars(arguments.rootdir)).is_dir():
        raise UsageError(f"directory '{arguments.rootdir}' not found: check --rootdir")
    for path in arguments.paths:
        if not (cwd / path.partition("::")[0]).exists():
            raise UsageError(f"file or directory not found: {path}")
    config = project_config(
        str(cwd),
        arguments.paths,
        inifile=arguments.inifile,
        rootdir=arguments.rootdir,
        options=arguments.words,
    )
    if config.error is not None:
        raise UsageError(config.error)
    return config
