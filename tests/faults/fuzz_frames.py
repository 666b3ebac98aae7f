"""Any bytes as frames and as messages, with coverage for a guide: `pip install atheris`, then

    PYTHONPATH=. python tests/faults/fuzz_frames.py -max_total_time=300

Options are libFuzzer's. `test_fuzzing.py` has what needs no guide.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from collections.abc import Callable
from typing import Any

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports():
    from fastcollect_lsp import protocol
from fastcollect_lsp.protocol import FrameReader, ProtocolError
from tests.unit.test_messages import MESSAGES

PARSERS: list[Callable[[Any], Any]] = [
    protocol.parse_hello,
    protocol.parse_key,
    protocol.parse_run_request,
    protocol.parse_native_request,
    protocol.parse_record,
]


def one_input(data: bytes) -> None:
    """Bytes as they are, or a message that is almost right."""
    if data[:1] < b"\x40":
        any_bytes(data[1:])
    else:
        almost(atheris.FuzzedDataProvider(data[1:]))


def odd(given: Any, depth: int = 0) -> Any:
    """Anything that JSON can say."""
    kind = given.ConsumeIntInRange(0, 7 if depth < 3 else 4)
    if kind < 5:
        some = [None, True, given.ConsumeInt(9), given.ConsumeRegularFloat()]
        return [*some, given.ConsumeUnicodeNoSurrogates(9)][kind]
    values = [odd(given, depth + 1) for _ in range(given.ConsumeIntInRange(0, 3))]
    if kind == 5:
        return {given.ConsumeUnicodeNoSurrogates(5): value for value in values}
    return values


def almost(given: Any) -> None:
    """A message with some fields replaced, missing or too many."""
    name = given.PickValueInList(sorted(MESSAGES))
    parse, right = MESSAGES[name]
    message = dict(right)
    for _ in range(given.ConsumeIntInRange(0, 3)):
        field = given.PickValueInList(sorted(right))
        if given.ConsumeBool():
            message[field] = odd(given)
        elif given.ConsumeBool():
            message.pop(field, None)
        else:
            message[given.ConsumeUnicodeNoSurrogates(5)] = odd(given)
    arrived = FrameReader(begun=protocol.encode(message)).next_frame()
    with contextlib.suppress(ProtocolError):
        parsed = parse(arrived)
        assert parse(json.loads(json.dumps(protocol.to_json(parsed)))) == parsed


def any_bytes(data: bytes) -> None:
    """Frames as they are cut by chance, or one frame's body: an object, or ProtocolError."""
    body = struct.pack(">I", len(data)) + data
    for stream in (data, body):
        reader, found = FrameReader(begun=stream), []
        with contextlib.suppress(ProtocolError):
            while (message := reader.next_frame()) is not None:
                found.append(message)
        for message in found:
            assert isinstance(message, dict)
            again = FrameReader(begun=protocol.encode(message)).next_frame()
            assert json.dumps(again) == json.dumps(message)
            for parse in PARSERS:
                with contextlib.suppress(ProtocolError):
                    parsed = parse(message)
                    plain = json.loads(json.dumps(protocol.to_json(parsed)))
                    assert parse(plain) == parsed


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
