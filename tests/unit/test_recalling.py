"""Which runs of the native command are the same as one that is known."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from fastcollect_lsp import protocol, sessions
from fastcollect_lsp.commands import fingerprint
from fastcollect_lsp.protocol import NativeRequest, RunRequest
from fastcollect_lsp.sessions import Sessions

SCRIPT = "/env/bin/pytest"
STREAM = {
    "encoding": "utf-8", "errors": "strict", "line_buffering": True, "write_through": False,
    "kind": "tty", "size": [80, 24],
}  # fmt: skip
COMMON: dict[str, Any] = {
    "cwd": "/", "env": {"A": "1", "_": "pytest"}, "umask": 18, "ignored_signals": [13],
    "blocked_signals": [], "rlimits": {"RLIMIT_CORE": [0, -1]}, "nice": 0, "affinity": [0],
    "inherited": [],
}  # fmt: skip


def known(*args: str, **change: Any) -> RunRequest:
    argv = [SCRIPT, *args]
    plain = {
        **COMMON, "argv": argv, "orig_argv": ["/env/bin/python", *argv], "sys_path": [],
        "executables": ["/env/bin/python", "/usr/bin/python"],
        "identity": json.dumps({"user": [[0] * 3, [0] * 3, [0]], "namespaces": ["mnt:[1]"]}),
        "streams": [STREAM] * 3,
        "key": {"base": "{}", "selection": "{}", "conftests": [], "dynamic": False},
    }  # fmt: skip
    return protocol.parse_run_request({**plain, **change})


def native(*args: str, **change: Any) -> NativeRequest:
    argv = [SCRIPT, *args]
    plain = {
        **COMMON, "argv": argv, "orig_argv": ["/env/bin/python", *argv],
        "python": "/env/bin/python",
        "streams": [{"kind": "tty", "size": [80, 24]}] * 3,
        "user": [[0] * 3, [0] * 3, [0]], "namespaces": ["mnt:[1]"],
    }  # fmt: skip
    return protocol.parse_native_request({**plain, **change})


def recall(request: RunRequest, asked: NativeRequest) -> RunRequest | None:
    kept = Sessions({}, lambda _: None, lambda _: None, lambda: None, lambda: True)
    kept.want(request)
    return kept.recall(asked)


def test_the_same_command() -> None:
    found = recall(known("a.py"), native("a.py", env={"A": "1", "_": "fastcollect"}))
    assert found is not None
    assert found.env["_"] == "fastcollect", "a run has its caller's environment"


@pytest.mark.parametrize(
    "args",
    [
        ("a.py::test_b",), ("-v", "a.py::test_b"), ("-x", "a.py::B::c[1]"), ("a.py",),
        ("a.py::test_b", "a.py::test_c"), ("-k", "b or c", "a.py"), ("a.py", "-m", "slow"),
    ],
)  # fmt: skip
def test_another_test_of_the_same_file(args: tuple[str, ...]) -> None:
    before = (*[arg for arg in args if arg in ("-v", "-x")], "a.py::test_a")
    assert recall(known(*before), native(*args)) is not None


@pytest.mark.parametrize(
    "args",
    [
        ("b.py::test_a",),
        ("a.py", "b.py"),
        ("-k",),
        ("@a.py::test_b",),
        ("-v", "a.py::test_a"),
        ("-o", "a.py::test_a"),
        (),
    ],
)
def test_another_command(args: tuple[str, ...]) -> None:
    assert recall(known("a.py::test_a"), native(*args)) is None


def test_a_value_of_an_option_is_no_node_id() -> None:
    assert recall(known("-o", "x=a::b"), native("-o", "x=a::c")) is None


@pytest.mark.parametrize(
    "change",
    [
        {"cwd": "/tmp"}, {"umask": 0}, {"ignored_signals": []}, {"blocked_signals": [2]},
        {"rlimits": {"RLIMIT_CORE": [1, -1]}}, {"nice": 5}, {"affinity": [1]},
        {"env": {"A": "2"}}, {"env": {"A": "1", "B": ""}}, {"python": "/env/bin/python3"},
        {"user": [[1] * 3, [0] * 3, [0]]}, {"namespaces": ["mnt:[2]"]},
        {"orig_argv": ["/env/bin/python", "-X", "dev", SCRIPT, "a.py"]},
        {"streams": [{"kind": "tty", "size": [80, 25]}] * 3},
        {"streams": [{"kind": "pipe", "size": None}] * 3},
    ],
    ids=str,
)  # fmt: skip
def test_another_process(change: dict[str, Any]) -> None:
    assert recall(known("a.py"), native("a.py")) is not None
    assert recall(known("a.py"), native("a.py", **change)) is None


def test_descriptors_of_a_parent_are_to_be_the_same() -> None:
    assert recall(known("a.py", inherited=[3]), native("a.py")) is None
    assert recall(known("a.py"), native("a.py", inherited=[3])) is None
    assert recall(known("a.py", inherited=[3]), native("a.py", inherited=[3])) is not None


def test_the_latest_is_recalled() -> None:
    """An interpreter that has started since then may have another `sys.path`."""
    kept = Sessions({}, lambda _: None, lambda _: None, lambda: None, lambda: True)
    for path in ("/old", "/new"):
        kept.want(known("a.py", sys_path=[path]))
    for command in (native("a.py"), native("a.py::test_other")):
        found = kept.recall(command)
        assert found is not None and found.sys_path == ["/new"]
    kept.want(known("a.py", sys_path=["/old"]))
    found = kept.recall(native("a.py"))
    assert found is not None and found.sys_path == ["/old"]


def test_a_fingerprint_is_of_all_but_the_environment() -> None:
    request = known("a.py")
    same = dataclasses.replace(request, env={}, run="7")
    assert fingerprint(same) == fingerprint(request)
    for field in dataclasses.fields(RunRequest):
        if field.name not in ("env", "run"):
            change: dict[str, Any] = {field.name: ["other"]}
            if field.name == "key":
                change = {"key": dataclasses.replace(request.key, base="x")}
            elif field.name == "streams":
                change = {"streams": [None, *request.streams[1:]]}
            other = dataclasses.replace(request, **change)
            assert fingerprint(other) != fingerprint(request), field.name


def test_commands_beyond_the_limit_are_forgotten() -> None:
    kept = Sessions({}, lambda _: None, lambda _: None, lambda: None, lambda: True)
    for number in range(sessions.MAX_SESSIONS + 1):
        kept.want(known(f"{number}.py"))
    assert kept.recall(native("0.py")) is None
    assert kept.recall(native("1.py")) is not None
