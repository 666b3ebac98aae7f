"""Command lines that are alike: the same but for the tests that they select. Pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from . import protocol
from .protocol import NativeRequest, RunRequest

_FLAGS = frozenset("-v -vv -q -x -s -l -rA --lf --ff --pdb --co --collect-only".split())
"""Options that take no value: what follows them is an argument of its own."""
_EXPRESSIONS = ("-k", "-m")
"""Options whose values only select among what was collected."""
_WITH_VALUE = "cnoprW"
"""Short options that take a value: what follows in the same argument is that."""


class Unclear(Exception):
    """A command line of which only pytest's own parse can tell what it selects."""


def fingerprint(request: RunRequest) -> str:
    """Equal for runs that do the same up to their first test, files and environment apart."""
    plain = protocol.to_json(request)
    return repr({name: plain[name] for name in sorted(plain) if name not in ("env", "run")})


def family(request: RunRequest) -> str | None:
    """Equal for runs that do the same up to their collection, but for which tests of which of the
    same files they select; None where that cannot be told."""
    try:
        shape = shape_of(request.argv)
        prefix = _prefix(request)
    except Unclear:
        return None
    alike = dataclasses.replace(request, argv=[request.argv[0], *shape], orig_argv=prefix)
    return f"family, {parting(request)}: {fingerprint(alike)}"


def parting(request: RunRequest) -> str:
    """Where runs of a family part: `configured`, before anything is collected, if node ids decide
    what is; `items`, before any of what is collected is deselected. Raises Unclear."""
    names_tests = any(is_node for _, is_node in _arguments(request.argv))
    names_files = any(one.endswith(".py") for one in shape_of(request.argv))
    return "configured" if names_tests or names_files else "items"


def is_alike(request: RunRequest, native: NativeRequest) -> bool:
    """Whether a command line of the native command is of the same family."""
    try:
        return shape_of(request.argv) == shape_of(native.argv) and _prefix(request) == _prefix(
            native
        )
    except Unclear:
        return list(request.argv) == list(native.argv) and list(request.orig_argv) == list(
            native.orig_argv
        )


def unselected(request: RunRequest) -> RunRequest:
    """The run without its expressions. Raises Unclear."""
    argv = [request.argv[0], *(argument for argument, _ in _arguments(request.argv))]
    return dataclasses.replace(request, argv=argv, orig_argv=[*_prefix(request), *argv[1:]], run="")


def shape_of(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line's arguments, of its node ids only what decides which modules are imported
    (`runkey`), without its expressions. Raises Unclear."""
    found: list[str] = []
    for argument, is_node in _arguments(argv):
        cut = path_of(argument) if is_node else argument
        if not is_node or found[-1:] != [cut]:
            found.append(cut)
    return tuple(found)


def expressions(argv: Sequence[str]) -> dict[str, str]:
    """The value of each of `-k` and `-m` that there is; the last one counts."""
    return {name: value for name, value in itertools.pairwise(argv[1:]) if name in _EXPRESSIONS}


def targets(argv: Sequence[str], known: Sequence[str], positional: Sequence[str]) -> list[str]:
    """The positional arguments of a command line, those of one of the same shape being known.

    Raises Unclear.
    """
    paths = {path_of(one) for one in positional}
    if any(is_node and path_of(one) not in paths for one, is_node in _arguments(argv)):
        raise Unclear("a node id is the value of an option")

    def of(arguments: Sequence[str]) -> list[str]:
        return [one for one, _ in _arguments(arguments) if path_of(one) in paths]

    if of(known) != list(positional) or shape_of(argv) != shape_of(known):
        raise Unclear("its arguments are not all on the command line")
    return of(argv)


def path_of(argument: str) -> str:
    """What stands before the `::` of a node id."""
    return argument.partition("::")[0]


def _arguments(argv: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """(argument, whether it is a node id), without expressions. Raises Unclear."""
    rest = iter(argv[1:])
    before = ""
    for argument in rest:
        if argument in _EXPRESSIONS:
            value = next(rest, "-")
            if value.startswith("-"):
                raise Unclear(f"{argument} has no value")
            before = ""
            continue
        if argument == "--" or argument.startswith("@"):
            raise Unclear(f"{argument} changes what the others mean")
        if _holds_expression(argument):
            raise Unclear(f"{argument} holds an expression")
        is_value = before.startswith("-") and before not in _FLAGS
        yield argument, "::" in argument and not is_value and not argument.startswith("-")
        before = argument


def _holds_expression(argument: str) -> bool:
    """Whether there is a `-k` or `-m` among short options in one argument: `-vk`, `-mslow`."""
    if argument.startswith("--") or not argument.startswith("-"):
        return False
    flags = itertools.takewhile(lambda letter: letter not in _WITH_VALUE, argument[1:])
    return any(f"-{letter}" in _EXPRESSIONS for letter in flags)


def _prefix(request: RunRequest | NativeRequest) -> list[str]:
    """What stands before the arguments in the interpreter's own command line."""
    count = len(request.argv) - 1
    if request.orig_argv[len(request.orig_argv) - count :] != list(request.argv[1:]):
        raise Unclear("the interpreter was started with other arguments")
    return list(request.orig_argv[: len(request.orig_argv) - count])
