"""The server's children: their ends are seen, all at once, without a thread for each."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from fastcollect_lsp.children import end_of

MANY = 40
"""More than a loop has threads."""


@pytest.mark.parametrize("pidfd", [True, False])
def test_many_at_once(pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")

    async def wait() -> list[int]:
        children = [subprocess.Popen(["cat"], stdin=subprocess.PIPE) for _ in range(MANY)]
        before = await asyncio.to_thread(threading.active_count)
        waiting = [asyncio.ensure_future(end_of(child)) for child in children]
        assert await asyncio.to_thread(threading.active_count) == before
        children[0].kill()
        assert await waiting[0] == -signal.SIGKILL
        assert not any(one.done() for one in waiting[1:])
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
        return await asyncio.gather(*waiting)

    assert asyncio.run(asyncio.wait_for(wait(), 60)) == [-signal.SIGKILL, *[0] * (MANY - 1)]


def test_one_that_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    assert child.wait() == 3
    assert asyncio.run(end_of(child)) == 3
