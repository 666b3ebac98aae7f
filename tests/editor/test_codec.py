"""Wire types to JSON and back."""

from __future__ import annotations

import orjson
import pytest

from fastcollect_lsp.editor import codec, wire

ITEM = wire.TestItem(
    "test_a.py::test_x",
    "test_x",
    "function",
    ["slow"],
    dynamic=True,
    canResolveChildren=False,
    range=wire.Range(wire.Position(0, 4), wire.Position(2, 0)),
)


def test_absent_fields_are_left_out_and_nullable_ones_are_not() -> None:
    assert orjson.loads(codec.encode(ITEM)) == {
        "id": "test_a.py::test_x",
        "label": "test_x",
        "kind": "function",
        "tags": ["slow"],
        "dynamic": True,
        "canResolveChildren": False,
        "range": {"start": {"line": 0, "character": 4}, "end": {"line": 2, "character": 0}},
    }
    run = wire.LastRunStatus("cold", None, None, None, 1.5, 0)
    assert orjson.loads(codec.encode(run))["reason"] is None


def test_tags_of_events_are_written() -> None:
    events: list[wire.RunEvent] = [
        wire.Started("a"),
        wire.Failed("a", [], 0.5, "errored"),
        wire.Ended(1),
    ]
    progress = orjson.loads(codec.encode(wire.RunProgress("r", 0, events)))
    assert [event["event"] for event in progress["events"]] == ["started", "errored", "ended"]


def test_there_and_back() -> None:
    item = codec.decode_json(wire.TestItem, codec.encode(ITEM))
    assert codec.encode(item) == codec.encode(ITEM)
    assert item.range == ITEM.range
    (again,) = codec.decode_json(list[wire.TestItem], codec.encode([ITEM]))
    assert again == item


def test_json_that_exists_already_is_embedded() -> None:
    embedded = {"tests": orjson.Fragment(b"[1,2]")}
    assert codec.encode(embedded) == b'{"tests":[1,2]}'


def test_unknown_keys_are_ignored() -> None:
    params = codec.decode(wire.DiscoverTestsParams, {"parent": "a", "later": 1})
    assert params == wire.DiscoverTestsParams("a")


@pytest.mark.parametrize(
    ("cls", "data", "where"),
    [
        (wire.DiscoverTestsParams, {"parent": 3}, "params.parent"),
        (wire.DiscoverTestsParams, {"depth": "3"}, "params.depth"),
        (wire.DiscoverTestsParams, {"depth": 1.0}, "params.depth"),
        (wire.DiscoverTestsParams, {"depth": True}, "params.depth"),
        (wire.DiscoverTestsParams, [], "params"),
        (wire.RunTestsParams, {"runId": "1"}, "params.kind"),
        (wire.RunTestsParams, {"runId": "1", "kind": "walk"}, "params.kind"),
        (wire.RunTestsParams, {"runId": "1", "kind": "run", "include": "abc"}, "params.include"),
        (wire.RunTestsParams, {"runId": "1", "kind": "run", "args": ["a", 1]}, "params.args"),
    ],
)
def test_wrong_types_are_refused(cls: type, data: object, where: str) -> None:
    with pytest.raises(codec.InvalidParams, match=f"@ {where}$"):
        codec.decode(cls, data)


def test_what_is_no_json() -> None:
    with pytest.raises(codec.InvalidParams):
        codec.decode_json(wire.TestItem, b"{")
    with pytest.raises(TypeError):
        codec.encode(object())
