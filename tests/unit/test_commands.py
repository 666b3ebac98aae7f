"""Which command lines are alike, and what they select."""

from __future__ import annotations

import pytest

from fastcollect_lsp import commands
from tests.unit.test_recalling import known

A, B = "a.py::test_a", "a.py::B::test_b[x::y]"


@pytest.mark.parametrize(
    ("args", "shape"),
    [
        ((), ()),
        ((A,), ("a.py",)),
        ((A, B), ("a.py",)),
        ((A, "b.py", B), ("a.py", "b.py", "a.py")),
        (("-v", A, "-k", "x", "-x"), ("-v", "a.py", "-x")),
        (("-m", "slow", "-k", "a::b"), ()),
        (("-o", A, A), ("-o", A, "a.py")),
        (("--deselect=a.py::b", "a.py"), ("--deselect=a.py::b", "a.py")),
        (("-vx", "-pno:mark", "--mark"), ("-vx", "-pno:mark", "--mark")),
    ],
)
def test_shape(args: tuple[str, ...], shape: tuple[str, ...]) -> None:
    assert commands.shape_of(["pytest", *args]) == shape


@pytest.mark.parametrize(
    "args",
    [("-k",), ("-k", "-v"), ("--", A), ("@file",), ("-m", "--co"), ("-kx",), ("-vm", "slow")],
)
def test_only_pytest_can_tell(args: tuple[str, ...]) -> None:
    with pytest.raises(commands.Unclear):
        commands.shape_of(["pytest", *args])
    assert commands.family(known(*args)) is None


def test_families() -> None:
    same = [known(A), known(A, B), known("-k", "x", "a.py"), known(B, "-m", "y")]
    assert len({commands.family(request) for request in same}) == 1
    others = [known(), known("b.py"), known("-v", A), known(A, cwd="/tmp"), known("a.py", "a.py")]
    names = {commands.family(request) for request in [*same, *others]}
    assert len(names) == 1 + len(others)
    assert commands.family(known(A)) not in {commands.fingerprint(one) for one in same}


def test_where_the_runs_of_a_family_part() -> None:
    for args in ((A,), ("a.py",), ("a.yaml::case",), ("--pyargs", "-v", "a::test_a")):
        assert commands.parting(known(*args)) == "configured"
    assert commands.parting(known()) == "items"
    for args in (("a.yaml",), ("tests", "-k", "a::b")):
        assert commands.parting(known(*args)) == "items"
    assert commands.family(known("a.yaml")) != commands.family(known("a.yaml::case"))


def test_family_of_an_interpreter_with_other_arguments() -> None:
    assert commands.family(known(A, orig_argv=["python", "script.py"])) is None


def test_unselected() -> None:
    request = known("-v", "-k", "x", A, "-m", "y")
    whole = commands.unselected(request)
    assert whole.argv[1:] == ["-v", A]
    assert whole.orig_argv == [*request.orig_argv[:2], "-v", A]
    assert commands.family(whole) == commands.family(request)


def test_the_last_expression_counts() -> None:
    argv = ["pytest", "-k", "a", "-m", "b", "-k", "c", "-v"]
    assert commands.expressions(argv) == {"-k": "c", "-m": "b"}


@pytest.mark.parametrize(
    ("args", "known_args", "positional", "found"),
    [
        ((B,), (A,), [A], [B]),
        ((A, B), ("a.py",), ["a.py"], [A, B]),
        (("-v", "-k", "a.py", A), ("-v", "a.py"), ["a.py"], [A]),
        (("-v",), ("-v",), [], []),
    ],
)
def test_targets(
    args: tuple[str, ...], known_args: tuple[str, ...], positional: list[str], found: list[str]
) -> None:
    assert commands.targets(["p", *args], ["p", *known_args], positional) == found


@pytest.mark.parametrize(
    ("args", "known_args", "positional"),
    [
        ((A,), ("a.py",), ["tests", "a.py"]),  # one comes from the configuration
        (("-c", "a.py", A), ("-c", "a.py", A), [A]),  # a value that looks like one
        ((A,), ("b.py",), ["b.py"]),
        (("--files", "x", A), ("--files", "x", A), []),  # one more value
    ],
)
def test_targets_that_are_unclear(
    args: tuple[str, ...], known_args: tuple[str, ...], positional: list[str]
) -> None:
    with pytest.raises(commands.Unclear):
        commands.targets(["p", *args], ["p", *known_args], positional)
