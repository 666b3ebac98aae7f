"""Tracebacks as they would be without our hook wrappers."""

from __future__ import annotations

import os
import traceback
import types
from typing import Any

import pluggy
import pytest

_OURS = os.path.dirname(__file__) + os.sep
_PLUGGY = os.path.dirname(pluggy.__file__) + os.sep


def clean_report(excrepr: Any, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Have the report of an INTERNALERROR, already made, show no frames of ours.

    It is text by then (`_pytest._code.code.ReprEntryNative`); with `--full-trace` it is another
    kind, and stays as it is."""
    entries: Any = getattr(getattr(excrepr, "reprtraceback", None), "reprentries", ())
    if len(entries) != 1 or getattr(entries[0], "style", None) != "native":
        return
    error: BaseException | None = excinfo.value
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = _without_ours(error.__traceback__)
        error = error.__cause__ or error.__context__
    # pytest's begins at the frame in which the exception was caught, as this one still does.
    value = excinfo.value
    entries[0].lines = traceback.format_exception(type(value), value, value.__traceback__)


def _without_ours(first: types.TracebackType | None) -> types.TracebackType | None:
    """Drop each frame of ours, and the one of pluggy's that had thrown the exception into it."""
    entries: list[types.TracebackType] = []
    while first is not None:
        code = first.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            entries.append(first)
        elif entries and entries[-1].tb_frame.f_code.co_filename.startswith(_PLUGGY):
            entries.pop()
        first = first.tb_next
    chain: types.TracebackType | None = None
    for entry in reversed(entries):
        chain = types.TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return chain
