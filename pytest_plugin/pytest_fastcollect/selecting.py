"""A session that goes on for another command line: with other node ids, another `-k` or `-m`.

It is the same up to its collection if nobody has asked for those before. Whether somebody does is
found out in the probe, where reading them is noticed; then the command has no such session.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import pytest
from _pytest.config import Config

from fastcollect_lsp import commands
from fastcollect_lsp.protocol import RunRequest

from .known import HARMLESS_ARGUMENTS

_OPTIONS = {"-k": "keyword", "-m": "markexpr"}
_NAMES = ("file_or_dir", *_OPTIONS.values())
_OWN = ("_pytest", "pytest", "pluggy", "pytest_fastcollect", "fastcollect_lsp", "runpy")
_BETWEEN = ("argparse", "copy", "copyreg", __name__)
_ASKING = ("getoption", "getvalue", "getvalueorskip")
"""Functions of `_pytest.config` that ask for somebody else."""


def watch(give_up: Callable[[str], NoReturn]) -> None:
    """In a probe, for good: have anybody but pytest give up who reads what tests are selected."""

    def notice(what: str) -> None:
        who = _who_asks(sys._getframe(2))
        if who is not None:
            give_up(f"{who} reads {what}")

    for kind in (Config, Config.InvocationParams):
        _notice_reads(kind, "args", lambda: notice("the arguments"))
    for name in _NAMES:
        _notice_reads(argparse.Namespace, name, lambda: notice("the selection"))
    for name in ("argv", "orig_argv"):
        watched = type("list", (list,), {read: _noticing(read, notice) for read in _READS})
        setattr(sys, name, watched(getattr(sys, name)))


_READS = ("__iter__", "__getitem__", "__len__", "__contains__", "__eq__", "__repr__", "__add__",
          "copy", "index", "count")  # fmt: skip


def _noticing(read: str, notice: Callable[[str], None]) -> Callable[..., object]:
    original = getattr(list, read)

    def reading(self: list[str], *args: Any) -> object:
        if args != (0,):  # the program is the same
            notice("sys.argv")
        return original(self, *args)

    return reading


def _notice_reads(kind: type, name: str, notice: Callable[[], None]) -> None:
    def get(self: Any) -> object:
        try:
            value = instance(self)[name]
        except KeyError:
            raise AttributeError(name) from None
        notice()
        return value

    def instance(self: Any) -> dict[str, object]:
        found: dict[str, object] = object.__getattribute__(self, "__dict__")
        return found

    def put(self: Any, value: object) -> None:
        instance(self)[name] = value

    setattr(kind, name, property(get, put))


def _who_asks(frame: FrameType | None) -> str | None:
    """The module that asks, unless it is pytest or ours."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        asks_for_another = name == "_pytest.config" and frame.f_code.co_name in _ASKING
        if name not in _BETWEEN and not asks_for_another:
            return None if name.partition(".")[0] in _OWN else name
        frame = frame.f_back
    return None


def look(config: pytest.Config, request: RunRequest) -> None:
    """Whether the tests that this command selects are all that decides. Raises Unclear."""
    commands.targets(request.argv, request.argv, config.option.file_or_dir or [])
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
    params = config.invocation_params
    own.invocation_params = Config.InvocationParams(
        args=request.argv[1:], plugins=params.plugins, dir=params.dir
    )
    sys.argv[1:] = request.argv[1:]
    sys.orig_argv[:] = request.orig_argv
