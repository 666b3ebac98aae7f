"""Runs of the native command: what they are is found out by a fork, by pytest's own parse."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from . import policy, protocol
from .link import next_frame
from .protocol import NativeRequest, RunRequest

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .warm import Warm

ANSWER_TIMEOUT = 4.0
"""Seconds for it; the caller waits five for all."""


class Undescribed(Exception):
    """The run is left to pytest itself, for the reason given as text."""


async def describe(warm: Warm, native: NativeRequest, root: str) -> RunRequest:
    """The run as pytest's plugin would have described it. Raises Undescribed."""
    found = await asyncio.to_thread(_parent, warm, native)
    if found is None:
        raise Undescribed("no interpreter is warm yet")
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        try:
            with theirs:
                message = {"do": "describe", "native": protocol.to_json(native)}
                await found.link.send(message, [theirs.fileno()])
            answer = await asyncio.wait_for(
                next_frame(ours, protocol.FrameReader(protocol.MAX_CONTROL_FRAME)), ANSWER_TIMEOUT
            )
        except (OSError, asyncio.TimeoutError, protocol.ProtocolError) as error:
            raise Undescribed(f"the interpreter does not answer ({error!r})") from None
    if answer is None or "request" not in answer:
        raise Undescribed(str((answer or {}).get("cold", "the interpreter ended")))
    if os.path.realpath(str(answer["root"])) != os.path.realpath(root):
        raise Undescribed("it belongs to another root")
    return protocol.parse_run_request(answer["request"])


def _parent(warm: Warm, native: NativeRequest) -> Checkpoint | None:
    """What has imported most of what it takes, and is proven. Blocks meanwhile."""
    pool = warm.pool
    plugins = (point for point in pool.points if point.name == "plugins" and point.warmth)
    for point in (*plugins, pool.zygote):
        if (
            point is not None
            and point.alive
            and not point.spare
            and (point.warmth is None or policy.fits(point.warmth, native.env))
            and not point.changed()
        ):
            return point
    return None
