"""Where checkpoints are made, and which one a run may be forked from."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace

import pytest

from fastcollect_lsp import policy
from fastcollect_lsp.policy import Stage, Warmth
from fastcollect_lsp.protocol import Record, RunKey, RunRequest, Segment

TODAY = datetime.date(2026, 5, 4)
KEY = RunKey(
    base=json.dumps({"root": "/p", "plugins": []}),
    selection=json.dumps({"paths": []}),
    conftests=("/p/conftest.py",),
    dynamic=False,
)


def segment(kind: str, path: str | None = None) -> Segment:
    return Segment(kind, path, None, [], [], [], [])


def record(*segments: Segment, conftests: tuple[str, ...] = ("/p/conftest.py",)) -> Record:
    return Record(
        key=replace(KEY, conftests=conftests), identity="{}", argv=[], cwd="/p", root="/p",
        import_mode="prepend", consider_namespace_packages=False, python_files=[],
        rewrite_marks=[], rewritten=[], warning_filters=[], warning_options=[],
        segments=list(segments), directories=[], tests=1, hooks=None, idle_timeout_min=30.0,
    )  # fmt: skip


def request(key: RunKey = KEY, /, **env: str) -> RunRequest:
    return RunRequest(
        argv=[], orig_argv=[], cwd="/p", env=env, sys_path=[], identity="{}", umask=0o22,
        ignored_signals=[], blocked_signals=[], rlimits={}, nice=0, affinity=[],
        streams=[None, None, None], key=key,
    )  # fmt: skip


def warmth(name: str = "modules", **changes: object) -> Warmth:
    made = Warmth(
        name=name, key=KEY, conftests=KEY.conftests, environ={}, whole_environ=None, day=TODAY,
        saves_ms=500.0,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


NAMES, CONFTEST = segment("names"), segment("conftest", "/p/conftest.py")
SUB, MODULE = segment("conftest", "/p/sub/conftest.py"), segment("module", "/p/test_a.py")


def test_three_stages() -> None:
    found = policy.stages(record(NAMES, NAMES, CONFTEST, NAMES, MODULE, MODULE))
    assert found == [Stage("plugins", 2), Stage("conftests", 3), Stage("modules", 6)]


def test_conftest_found_during_collection_is_not_an_initial_one() -> None:
    found = policy.stages(record(NAMES, CONFTEST, SUB, MODULE))
    assert found == [Stage("plugins", 1), Stage("conftests", 2), Stage("modules", 4)]
    both = record(NAMES, CONFTEST, SUB, MODULE, conftests=("/p/conftest.py", "/p/sub/conftest.py"))
    assert policy.stages(both)[1] == Stage("conftests", 3)


def test_stages_that_would_hold_nothing_are_left_out() -> None:
    assert policy.stages(record(NAMES, MODULE)) == [Stage("plugins", 1), Stage("modules", 2)]
    assert policy.stages(record(NAMES)) == [Stage("plugins", 1)]
    assert policy.stages(record()) == []


@pytest.mark.parametrize("name", ["plugins", "conftests", "modules"])
def test_same_run_matches(name: str) -> None:
    assert policy.mismatch(warmth(name), request(), TODAY) is None


def test_other_base_never_matches() -> None:
    other = replace(KEY, base=json.dumps({"root": "/p", "plugins": ["x"]}))
    for name in ("plugins", "conftests", "modules"):
        assert policy.mismatch(warmth(name), request(other), TODAY) == "plugins differs"


def test_another_selection_matches_all_but_modules() -> None:
    other = replace(KEY, selection=json.dumps({"paths": ["x"]}))
    assert policy.mismatch(warmth(), request(other), TODAY) == "another selection of files"
    assert policy.mismatch(warmth("conftests"), request(other), TODAY) is None


def test_last_failed_does_not_match_modules() -> None:
    dynamic = replace(KEY, dynamic=True)
    assert "--lf" in str(policy.mismatch(warmth(), request(dynamic), TODAY))
    assert policy.mismatch(warmth("conftests"), request(dynamic), TODAY) is None


def test_conftests_have_to_be_a_prefix() -> None:
    more = replace(KEY, conftests=("/p/conftest.py", "/p/sub/conftest.py"))
    others = replace(KEY, conftests=("/p/sub/conftest.py", "/p/conftest.py"))
    assert policy.mismatch(warmth("conftests"), request(more), TODAY) is None
    for key in (others, replace(KEY, conftests=())):
        assert policy.mismatch(warmth("conftests"), request(key), TODAY) is not None
        assert policy.mismatch(warmth("plugins", conftests=()), request(key), TODAY) is None


def test_yesterday_does_not_match() -> None:
    tomorrow = TODAY + datetime.timedelta(days=1)
    assert policy.mismatch(warmth(), request(), tomorrow) == "made before midnight"


@pytest.mark.parametrize(
    ("read", "now"), [("one", {"MODE": "two"}), ("one", {}), (None, {"MODE": ""})]
)
def test_variable_that_was_read(read: str | None, now: dict[str, str]) -> None:
    made = warmth(environ={"MODE": read})
    assert policy.mismatch(made, request(KEY, **now), TODAY) == "environment variable MODE changed"
    same = request(KEY, **({} if read is None else {"MODE": read}), OTHER="x")
    assert policy.mismatch(made, same, TODAY) is None


def test_all_of_the_environment_was_read() -> None:
    made = warmth(whole_environ={"A": "1", "SHLVL": "1"})
    assert policy.mismatch(made, request(A="1", SHLVL="2"), TODAY) is None
    assert "NEW" in str(policy.mismatch(made, request(A="1", NEW="1"), TODAY))
    assert "A" in str(policy.mismatch(made, request(), TODAY))


def test_prefix_of_records() -> None:
    old, new = record(NAMES, CONFTEST, MODULE), record(NAMES, CONFTEST, SUB)
    assert policy.same_prefix(old, new, 2)
    assert not policy.same_prefix(old, new, 3)
    assert policy.changed_paths(old, ["/p/test_a.py", "/p/else.py"]) == ["/p/test_a.py"]
