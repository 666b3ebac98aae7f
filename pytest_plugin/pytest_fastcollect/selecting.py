"""A session that goes on for another command line: with other node ids, another `-k` or `-m`.

It is the same up to its collection if nobody has asked for those before. Whether somebody does is
found out in the probe, where reading them is noticed; then the command has no such session.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

import pytest
from _pytest.config import Config

from fastcollect_lsp import commands
from fastcollect_lsp.protocol import RunRequest

from . import tracing
from .known import HARMLESS_ARGUMENTS
from .tracing import TracedList, set_in_class

_OPTIONS = {"-k": "keyword", "-m": "markexpr"}
_NAMES = ("file_or_dir", *_OPTIONS.values())
_OWN = ("_pytest", "pytest", "pluggy", "pytest_fastcollect", "fastcollect_lsp", "runpy")
_BETWEEN = ("argparse", "copy", "copyreg", "functools", tracing.__name__, __name__)
_ASKING = ("getoption", "getvalue", "getvalueorskip")
"""Functions of `_pytest.config` that ask for somebody else."""


def watch(give_up: Callable[[str], NoReturn]) -> None:
    """In a probe, for good: have anybody but pytest give up who reads, or sets, what tests are
    selected."""

    def notice(what: str) -> None:
        who = _who_asks(sys._getframe(1))
        if who is not None:
            give_up(f"{who} reads {what}")

    for kind, names, what in (
        (Config, ("args",), "the arguments"),
        (Config.InvocationParams, ("args",), "the arguments"),
        (argparse.Namespace, _NAMES, "the selection"),
    ):
        _notice_reads(kind, names, functools.partial(notice, what))
    for name in ("argv", "orig_argv"):
        traced = TracedList(getattr(sys, name), functools.partial(notice, "sys.argv"), False)
        setattr(sys, name, traced)


def _notice_reads(kind: type, names: Sequence[str], notice: Callable[[], None]) -> None:
    """Of some attributes of all instances, and of all that they have at once."""
    holder = next(base for base in kind.__mro__ if "__dict__" in vars(base))
    dictionary = vars(holder)["__dict__"].__get__

    def all_of(self: object) -> object:
        notice()
        return dictionary(self)

    def reduce(self: object, protocol: Any) -> object:
        notice()
        return object.__reduce_ex__(self, protocol)

    def attribute(name: str) -> property:
        def get(self: object) -> object:
            try:
                value = dictionary(self)[name]
            except KeyError:
                raise AttributeError(name) from None
            notice()
            return value

        def put(self: object, value: object) -> None:
            notice()
            dictionary(self)[name] = value

        return property(get, put)

    for name in names:
        setattr(kind, name, attribute(name))
    set_in_class(kind, "__dict__", property(all_of))
    setattr(kind, "__reduce_ex__", reduce)  # noqa: B010  # what `copy.copy` asks for


def _who_asks(frame: FrameType | None) -> str | None:
    """The module that asks, unless it is pytest or ours."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        asks_for_another = name == "_pytest.config" and frame.f_code.co_name in _ASKING
        if name not in _BETWEEN and not asks_for_another:
            return None if name.partition(".")[0] in _OWN else name
        frame = frame.f_back
    return None


Arguments = tuple[list[str], list[str]]
"""`sys.argv` and `sys.orig_argv`."""


def look(config: pytest.Config, request: RunRequest, arguments: Arguments) -> None:
    """Whether the tests that this command selects are all that decides. Raises Unclear.

    `arguments`: as they were before the session."""
    commands.targets(request.argv, request.argv, config.option.file_or_dir or [])
    if config.known_args_namespace.file_or_dir != config.option.file_or_dir:
        raise commands.Unclear("an option that a conftest adds is taken for a file")
    wanted = (request.argv, request.orig_argv)
    for now, before, items in zip((sys.argv, sys.orig_argv), arguments, wanted, strict=True):
        if now is not before or list.__getitem__(now, slice(1, None)) != items[1:]:
            raise commands.Unclear("sys.argv is changed")
    if config.args_source is not Config.ArgsSource.ARGS and config.option.file_or_dir:
        raise commands.Unclear("its arguments come from elsewhere")
    for name in ("pytest_load_initial_conftests", "pytest_cmdline_parse"):
        for implementation in getattr(config.hook, name).get_hookimpls():
            module = str(getattr(implementation.function, "__module__", None))
            if "args" in implementation.argnames and not (
                module.partition(".")[0] in _OWN or module in HARMLESS_ARGUMENTS
            ):
                raise commands.Unclear(f"{module} is given the arguments ({name})")


def select(config: pytest.Config, before: RunRequest, request: RunRequest) -> None:
    """In a run child: have the session go on with what this command line selects."""
    own: Any = config
    if (positional := config.option.file_or_dir) is not None:
        targets = commands.targets(request.argv, before.argv, positional)
        if targets:
            own.args = targets
        for namespace in (config.option, config.known_args_namespace):
            namespace.file_or_dir = list(targets)
    for option, value in commands.expressions(request.argv).items():
        for namespace in (config.option, config.known_args_namespace):
            setattr(namespace, _OPTIONS[option], value)
    # The object itself, which somebody may keep; it means not to be changed.
    object.__setattr__(config.invocation_params, "args", tuple(request.argv[1:]))
    sys.argv[1:] = request.argv[1:]
    sys.orig_argv[:] = request.orig_argv
