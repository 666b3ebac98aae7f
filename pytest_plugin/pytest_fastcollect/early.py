"""Hands a repeated command over as soon as pytest loads its plugins, before it reads its options.

The server tells by the command, the directory and the environment whether this is a run whose
session it has collected ahead of time; the proof of that session's inputs stands for all that
pytest would still have looked at. Whatever is not known goes the usual way (`caller`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import FrameType

from .state import Active


def hand_over() -> None:
    """Returns if this run is none that the server knows; else the process ends as the run did."""
    if Active.depth is not None or Active.describe is not None or not _is_loading_plugins():
        return
    if getattr(sys.modules.get("pytest_fastcollect.start"), "asked", False):
        return
    forced = os.environ.get("FASTCOLLECT")
    if forced == "0" or (os.environ.get("CI") and forced != "1"):
        return
    from fastcollect_lsp import client, hints, rendezvous

    if client.RUN_VARIABLE in os.environ:
        return
    with contextlib.suppress(OSError, client.Unavailable, rendezvous.Unsafe):
        directory = hints.known_command(sys.argv, os.getcwd())
        if directory is None:
            return
        from . import eligibility
        from .handoff import native_request

        if eligibility.judge_early():
            client.hand_over(rendezvous.Place("", "", Path(directory)), native_request(), "recall")


def _is_loading_plugins() -> bool:
    """Whether this module is imported because pytest loads the plugins that are installed."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "load_setuptools_entrypoints":
            return True
        frame = frame.f_back
    return False
