"""Where checkpoints are made, and which one a run may be forked from."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        streams=[None, None, None], key=key, executables=[],
    )  # fmt: skip


def warmth(shared: bool = False, **changes: object) -> Warmth:
    made = Warmth(
        shared=shared, key=KEY, conftests=KEY.conftests, environ={}, whole_environ=None,
        captured=False, day=TODAY, saves_ms=500.0,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


NAMES, CONFTEST = segment("names"), segment("conftest", "/p/conftest.py")
SUB, MODULE = segment("conftest", "/p/sub/conftest.py"), segment("module", "/p/test_a.py")


PLUGINS, CONFTESTS = Stage("plugins", 1), Stage("conftests", 2)
LIBRARIES = Stage("libraries", 1, libraries=True)


def modules(last: int) -> Stage:
    return Stage("modules", last, shared=False)


def test_stages() -> None:
    found = policy.stages(record(NAMES, NAMES, CONFTEST, NAMES, MODULE, MODULE))
    libraries = Stage("libraries", 2, libraries=True)
    assert found == [Stage("plugins", 2), libraries, Stage("conftests", 3), modules(6)]


def test_conftest_found_during_collection_is_not_an_initial_one() -> None:
    found = policy.stages(record(NAMES, CONFTEST, SUB, MODULE))
    assert found == [PLUGINS, LIBRARIES, CONFTESTS, modules(4)]
    both = record(NAMES, CONFTEST, SUB, MODULE, conftests=("/p/conftest.py", "/p/sub/conftest.py"))
    assert policy.stages(both)[2] == Stage("conftests", 3)


def test_stages_that_would_hold_nothing_are_left_out() -> None:
    own = Stage("libraries", 1, libraries=True, shared=False)
    assert policy.stages(record(NAMES, MODULE)) == [PLUGINS, own, modules(2)]
    assert policy.stages(record(NAMES)) == [PLUGINS]
    assert policy.stages(record()) == []


def test_a_process_that_cannot_be_forked_has_one_stage() -> None:
    assert policy.stages(record(NAMES, CONFTEST, MODULE), shared=False) == [modules(3)]


def test_stages_at_cuts() -> None:
    found = policy.stages(record(NAMES, CONFTEST, MODULE, MODULE, MODULE), cuts=[2, 4])
    assert found[3:] == [
        Stage("libraries 2/5", 2, libraries=True, shared=False),
        Stage("modules 4/5", 4, shared=False),
        Stage("libraries 4/5", 4, libraries=True, shared=False),
        modules(5),
    ]


def test_cuts_lie_before_what_was_edited_last() -> None:
    cheap = [10.0] * 8
    assert policy.cuts(cheap, 2, volatile=[6, 3, 4], kept=[]) == [3, 6]
    assert policy.cuts(cheap, 2, volatile=[2], kept=[]) == [2]
    assert policy.cuts(cheap, 2, volatile=[0, 1, 9], kept=[]) == []


def test_cuts_are_spread_where_imports_take_time() -> None:
    assert policy.cuts([0.0, 0.0, *[100.0] * 8], 2, volatile=[], kept=[]) == [4, 6, 8]
    assert policy.cuts([0.0, 0.0, *[100.0] * 8], 2, volatile=[], kept=[5]) == [4, 5, 6, 8]
    assert policy.cuts([0.0, 0.0, 90.0, 1.0, 1.0], 2, volatile=[], kept=[]) == []
    many = policy.cuts([100.0] * 50, 0, volatile=[7, 9], kept=range(20, 40))
    assert len(many) == policy.MAX_CUTS + policy.MAX_VOLATILE and {7, 9} <= set(many)


def test_a_cut_lies_before_what_costs_most() -> None:
    assert policy.cuts([900.0, 0.0, 1.0, 500.0, 1.0], 2, volatile=[], kept=[]) == [3]
    assert policy.cuts([0.0, 0.0, 500.0, 1.0, 1.0], 2, volatile=[4], kept=[]) == [2, 4]


def test_eviction_takes_the_tail_of_what_was_used_least_lately() -> None:
    def point(depth: int, used: float, size: int = 1) -> policy.Point:
        return policy.Point(depth, used, size)

    shared = [point(depth, float("inf")) for depth in (1, 2, 3)]
    few = [*shared, point(4, 1.0), point(5, 1.0), point(4, 2.0)]
    assert policy.evict(few) == []
    fat = [*shared, point(4, 1.0, policy.MAX_BYTES), point(5, 1.0), point(4, 2.0)]
    assert policy.evict(fat) == [4, 3]
    many = [*shared, *(point(4 + i, 1.0) for i in range(policy.MAX_PROCESSES))]
    assert policy.evict(many) == [len(many) - 1, len(many) - 2, len(many) - 3]


def test_waiting_has_to_pay() -> None:
    assert policy.worth_waiting(left_ms=100, gain_ms=500)
    assert not policy.worth_waiting(left_ms=400, gain_ms=500)
    assert not policy.worth_waiting(left_ms=0, gain_ms=20)


def test_fits_the_environment() -> None:
    assert policy.fits(warmth(environ={"MODE": None}), {"OTHER": "1"})
    assert not policy.fits(warmth(environ={"MODE": None}), {"MODE": "1"})
    assert policy.fits(warmth(whole_environ={"A": "1", "SHLVL": "1"}), {"A": "1", "SHLVL": "2"})
    assert not policy.fits(warmth(whole_environ={"A": "1"}), {"A": "2"})


@pytest.mark.parametrize("shared", [True, False])
def test_same_run_matches(shared: bool) -> None:
    assert policy.mismatch(warmth(shared), request(), TODAY) is None


def test_other_base_never_matches() -> None:
    other = replace(KEY, base=json.dumps({"root": "/p", "plugins": ["x"]}))
    for shared in (True, False):
        assert policy.mismatch(warmth(shared), request(other), TODAY) == "plugins differs"


def test_another_selection_matches_all_but_modules() -> None:
    other = replace(KEY, selection=json.dumps({"paths": ["x"]}))
    assert policy.mismatch(warmth(), request(other), TODAY) == "another selection of files"
    assert policy.mismatch(warmth(shared=True), request(other), TODAY) is None


def test_last_failed_does_not_match_modules() -> None:
    dynamic = replace(KEY, dynamic=True)
    assert "--lf" in str(policy.mismatch(warmth(), request(dynamic), TODAY))
    assert policy.mismatch(warmth(shared=True), request(dynamic), TODAY) is None


def test_conftests_have_to_be_a_prefix() -> None:
    more = replace(KEY, conftests=("/p/conftest.py", "/p/sub/conftest.py"))
    others = replace(KEY, conftests=("/p/sub/conftest.py", "/p/conftest.py"))
    assert policy.mismatch(warmth(shared=True), request(more), TODAY) is None
    for key in (others, replace(KEY, conftests=())):
        assert policy.mismatch(warmth(shared=True), request(key), TODAY) is not None
        assert policy.mismatch(warmth(shared=True, conftests=()), request(key), TODAY) is None


def test_yesterday_does_not_match() -> None:
    tomorrow = TODAY + datetime.timedelta(days=1)
    assert policy.mismatch(warmth(), request(), tomorrow) == "made before midnight"


@pytest.mark.parametrize("shared", [False, True])
def test_a_run_that_is_not_captured_may_see_a_terminal(shared: bool) -> None:
    told = warmth(shared, captured=True)
    assert "captured" in str(policy.mismatch(told, request(), TODAY))
    assert policy.mismatch(told, replace(request(), captured=True), TODAY) is None
    assert policy.mismatch(warmth(shared), replace(request(), captured=True), TODAY) is None


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


@pytest.mark.parametrize(
    ("costs", "first", "volatile", "kept", "expected"),
    [
        ([100.0] * 4, 0, [], [], [1, 2, 3]),  # each just as far from the next as it has to be
        ([99.0] * 4, 0, [], [], [1]),  # the next too near, the last with too little behind it
        ([100.0] * 4, 1, [], [], [2, 3]),
        ([50.0] * 8, 0, [], [], [2, 4, 6]),
        ([50.0] * 8, 0, [4], [], [2, 4, 6]),
        ([50.0] * 8, 0, [5], [], [2, 5]),
        ([50.0] * 8, 0, [], [0, 8, 9, 7], [2, 4, 7]),
        ([50.0] * 8, 2, [1, 2, 8], [2], [2, 4]),
        ([1.0] * 9, 0, [1, 2, 3], [4, 5, 6, 7, 8], [1, 2, 4, 5, 6]),
        ([1.0] * 9, 0, [8, 0], [], [0, 8]),
        ([200.0, 0.0, 0.0, 200.0], 0, [], [], [0, 1]),
        ([300.0, 100.0], 0, [], [], [0, 1]),
        ([300.0, 99.0], 0, [], [], [0]),
        ([100.0, 0.0], 0, [], [], []),
        ([101.0], 0, [], [], [0]),
        ([1.0, 300.0, 300.0, 1.0], 0, [], [], [1, 2]),
        ([], 0, [0], [0], []),
    ],
)
def test_cuts_exactly(
    costs: list[float], first: int, volatile: list[int], kept: list[int], expected: list[int]
) -> None:
    assert policy.cuts(costs, first, volatile, kept) == expected


@given(
    st.lists(st.sampled_from([0.0, 10.0, 40.0, 99.0, 100.0, 101.0, 500.0]), max_size=12),
    st.integers(0, 12),
    st.lists(st.integers(0, 13), max_size=4),
    st.sets(st.integers(0, 13), max_size=8),
)
def test_cuts_keep_their_distance(
    costs: list[float], first: int, volatile: list[int], kept: set[int]
) -> None:
    end = len(costs)
    found = policy.cuts(costs, first, volatile, sorted(kept))
    assert found == sorted(set(found))
    assert len(found) <= policy.MAX_CUTS + policy.MAX_VOLATILE
    edited = [cut for cut in volatile if first <= cut < end][: policy.MAX_VOLATILE]
    assert set(edited) <= set(found)
    assert all(first <= cut < end for cut in found)
    dearest = max(range(first, end), key=costs.__getitem__, default=end)
    if dearest < end and costs[dearest] > policy.CUT_MS:
        assert dearest in found or len(found) == policy.MAX_CUTS + policy.MAX_VOLATILE
    spread = [cut for cut in found if cut not in (*edited, *kept, dearest)]
    assert len(spread) <= min(policy.MAX_CUTS, sum(costs[first:]) // policy.CUT_MS)
    for cut in spread:
        assert sum(costs[cut:]) >= policy.CUT_MS
        for other in found:
            if other != cut:
                between = sum(costs[min(cut, other) : max(cut, other)])
                assert between >= policy.CUT_MS


def test_eviction_at_the_bounds() -> None:
    full = [policy.Point(1, float(number), 1) for number in range(policy.MAX_PROCESSES)]
    assert policy.evict(full) == []
    assert policy.evict([*full, policy.Point(1, 99.0, 1)]) == [0]
    assert policy.evict([policy.Point(1, 1.0, policy.MAX_BYTES)]) == []
    assert policy.evict([policy.Point(1, 1.0, policy.MAX_BYTES + 1)]) == [0]
    point = policy.Point(1, 1.0, 1 << 20)
    assert policy.evict([point], 4 << 20) == []
    assert policy.evict([point], (4 << 20) - 4) == [0], "more than a quarter of what there is"
    assert policy.evict([policy.Point(1, 1.0, policy.MAX_BYTES)], policy.MAX_BYTES * 4) == []
    half = policy.MAX_BYTES // 2
    assert policy.evict([policy.Point(depth, 1.0, half) for depth in (1, 3, 2)]) == [1]
    assert policy.evict([policy.Point(1, used, half + 1) for used in (3.0, 1.0, 2.0)]) == [1, 2]


def test_waiting_at_the_bound() -> None:
    assert not policy.worth_waiting(80.0, 140.0)
    assert policy.worth_waiting(80.0, 140.1)
    assert not policy.worth_waiting(0.0, policy.HAND_OVER_COST_MS)


def test_conftests_that_are_loaded() -> None:
    made = record(NAMES, CONFTEST, SUB, MODULE)
    assert policy.loaded_conftests(made, 4) == ("/p/conftest.py", "/p/sub/conftest.py")
    assert policy.loaded_conftests(made, 2) == ("/p/conftest.py",)
    assert policy.loaded_conftests(made, 1) == ()
    assert policy.loaded_conftests(record(segment("conftest")), 1) == ("",)


def test_records_without_modules() -> None:
    made = record(NAMES, CONFTEST, SUB, MODULE)
    assert policy.first_module(made) == 2
    assert policy.without_modules(made).segments == [NAMES, CONFTEST]
    assert policy.first_module(record(NAMES, NAMES, MODULE, CONFTEST)) == 2
    assert policy.first_module(record(CONFTEST, NAMES, MODULE)) == 1
    assert policy.first_module(record(NAMES)) == 1


@pytest.mark.parametrize(
    ("read", "now", "expected"),
    [
        ({"A": "1"}, {"A": "1"}, None),
        ({"A": "1"}, {"A": "2"}, "A"),
        ({"A": None}, {"A": "1"}, "A"),
        ({"B": "1", "A": "1"}, {}, "A"),
        ({"PWD": "/a"}, {"PWD": "/b"}, "PWD"),
        ({"PYTEST_VERSION": "9"}, {}, None),
    ],
)
def test_the_first_variable_that_differs(
    read: dict[str, str | None], now: dict[str, str], expected: str | None
) -> None:
    assert policy.environ_difference(warmth(environ=read), now) == expected


def test_the_first_variable_that_differs_where_all_were_read() -> None:
    whole = warmth(whole_environ={"A": "1", "PWD": "/a"})
    assert policy.environ_difference(whole, {"A": "1", "PWD": "/b"}) is None
    assert policy.environ_difference(whole, {"A": "1", "Z": "1"}) == "Z"
    assert policy.differing_variable({"B": "1", "A": "1"}, {}) == "A"


def test_the_first_option_that_differs() -> None:
    assert policy.differing_option('{"a": 1, "b": 2}', '{"b": 3, "a": 1}') == "b"
    assert policy.differing_option('{"b": 2}', '{"a": 1, "b": 2}') == "a"
    assert policy.differing_option('{"b": 2}', '{ "b": 2}') == "the command line"
