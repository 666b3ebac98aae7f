"""Requests of ours to the client, which may refuse, answer nonsense, or never answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pygls.exceptions import JsonRpcException

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorProtocol

logger = logging.getLogger(__name__)


async def ask(protocol: EditorProtocol, method: str, params: object = None) -> tuple[bool, Any]:
    """(whether the client has done it, its answer). Never raises but when cancelled."""
    answer = protocol.send_request(method, params)
    try:
        return True, await asyncio.wrap_future(answer)
    except JsonRpcException as error:
        logger.info("%s refused by the client: %s", method, error)
    except asyncio.CancelledError:
        if not answer.cancelled():
            raise
        logger.info("%s answered by nonsense", method)  # pygls cancels what it cannot read
    return False, None


class Refresh:
    """Asks a client now and then to ask again, `workspace/…/refresh`, when something has changed.

    One request at a time, however many changes there are, so that a client that does not answer is
    not flooded; what changes while it thinks is told when it has answered.
    """

    def __init__(self, peer: EditorPeer, method: str, delay_s: float) -> None:
        """`delay_s`: seconds for which changes are gathered."""
        self._peer = peer
        self._method = method
        self._delay_s = delay_s
        self._asking = False
        self._again = False

    def due(self) -> None:
        """Something has changed."""
        if self._asking:
            self._again = True
        else:
            self._asking = True
            self._peer.spawn(self._ask())

    async def _ask(self) -> None:
        try:
            await asyncio.sleep(self._delay_s)
            self._again = False
            await ask(self._peer.protocol, self._method)
        finally:
            self._asking = False
        if self._again:
            self.due()


class Later:
    """One call for many requests for it, a little later; not after the connection has ended."""

    def __init__(self, peer: EditorPeer, work: Callable[[], None], delay_s: float) -> None:
        """`delay_s`: seconds from the first request for it to the call."""
        self._work = work
        self._delay_s = delay_s
        self._timer: asyncio.TimerHandle | None = None
        peer.at_end(self._end)

    def due(self) -> None:
        """Have it called."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._call)

    def _call(self) -> None:
        self._timer = None
        self._work()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
