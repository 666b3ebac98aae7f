"""LSP's base protocol: header lines, an empty line, `Content-Length` bytes of JSON (LSP 3.17)."""

from __future__ import annotations

import asyncio

MAX_FRAME = 64 << 20
"""Bytes of one message's JSON."""

MAX_HEADERS = 64
"""Header lines of one message; the specification knows two."""


class FramingError(Exception):
    """The peer does not speak LSP's base protocol: where its next message begins is unknown."""


class FrameTooLarge(FramingError):
    """A message over `MAX_FRAME`."""


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The JSON of the next message; None at the end of the stream, in the midst of one or not.

    Raises FramingError, OSError.
    """
    length: int | None = None
    for _ in range(MAX_HEADERS):
        try:
            line = await reader.readline()
        except ValueError:  # no end of line within the reader's limit
            raise FramingError("header line too long") from None
        if not line.endswith(b"\n"):
            return None
        name, colon, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = _length(value)
        elif not line.strip():
            break
        elif not colon:
            raise FramingError(f"not a header: {line[:80]!r}")
    else:
        raise FramingError("too many headers")
    if length is None:
        raise FramingError("no Content-Length")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None


def _length(value: bytes) -> int:
    """The value of `Content-Length`."""
    digits = value.strip()
    if not digits.isdigit() or len(digits) > 20:
        raise FramingError(f"bad Content-Length: {value[:80]!r}")
    if (length := int(digits)) > MAX_FRAME:
        raise FrameTooLarge(f"a message of {length} bytes")
    return length


def frame(body: bytes) -> bytes:
    """A message's header and JSON."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
