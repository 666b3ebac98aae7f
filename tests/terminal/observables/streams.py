"""The standard streams."""

from __future__ import annotations

import sys
from typing import Any

from .asking import seen


def _stream(stream: Any) -> Any:
    if stream is None:
        return None
    return {
        name: str(getattr(stream, name, "absent"))
        for name in (
            "encoding",
            "errors",
            "line_buffering",
            "write_through",
            "newlines",
            "mode",
            "name",
        )
    } | {"type": str(type(stream)), "buffer": str(type(getattr(stream, "buffer", None)))}


@seen
def standard_streams() -> Any:
    return [_stream(stream) for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__)]


@seen
def present_streams() -> Any:
    return [_stream(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)]


@seen
def original_streams_are_present() -> Any:
    return [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__]


@seen
def buffer_sizes() -> Any:
    return [getattr(stream, "_CHUNK_SIZE", None) for stream in (sys.__stdin__, sys.__stdout__)]
