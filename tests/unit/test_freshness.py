"""What is made again because of a change, and when: without any process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fastcollect_lsp import warming
from fastcollect_lsp.freshness import Freshness
from fastcollect_lsp.warm import Warm
from fastcollect_lsp.watch import Changes
from tests.support import HANG

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def warm() -> Warm:
    """Of a project whose conftest cannot be imported."""
    made = Warm(dict(os.environ))
    made.warming.failure = "conftest.py: ModuleNotFoundError when imported ahead of time"
    return made


@pytest_asyncio.fixture
async def freshness(warm: Warm, tmp_path: Path) -> AsyncIterator[Freshness]:
    made = Freshness(str(tmp_path), warm)
    yield made
    await made.close()


async def looks(freshness: Freshness, changes: Changes) -> None:
    """Have it look at what these changes put in doubt."""
    freshness._changed(changes)
    looking = asyncio.ensure_future(freshness.work())
    while freshness._doubt.is_set():
        await asyncio.sleep(0)
    await asyncio.to_thread(lambda: None)  # where it proves what is warm
    looking.cancel()


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        (Changes(("/tmp/tmpabc",)), False),
        (Changes(("/tmp/tmpabc", "/elsewhere/module.py")), True),
        (Changes(("ROOT/module.py",)), True),
        (Changes((), everything=True), True),
    ],
)
async def test_what_has_failed_is_tried_again_for_a_reason(
    changes: Changes,
    again: bool,
    freshness: Freshness,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Others who come and go in a shared directory that is watched are none."""
    caplog.set_level("INFO")
    paths = tuple(path.replace("ROOT", str(tmp_path)) for path in changes.paths)
    await looks(freshness, Changes(paths, changes.everything))
    assert ("warming again" in caplog.text) is again
    caplog.clear()
    await looks(freshness, Changes(("/tmp/tmpdef",)))
    assert not caplog.text, "the reason is used up"


async def test_a_root_is_shared_with_nobody(warm: Warm, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    freshness = Freshness("/tmp", warm)
    await looks(freshness, Changes(("/tmp/conftest.py",)))
    await freshness.close()
    assert "warming again" in caplog.text


async def test_whoever_waits_is_not_held_back(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes all the time is followed slowly, until somebody asks."""
    monkeypatch.setattr(warming, "MAX_DELAY", 100 * HANG)
    warm.warming._unasked = 100
    held = asyncio.ensure_future(warm.warming._hold_back())
    await asyncio.sleep(0)
    assert not held.done()
    warm.warming.asked()
    await asyncio.wait_for(held, HANG)
