"""What watches a process, and would miss what a run that is handed over has done ahead of time."""

from __future__ import annotations

import os
import sys


def observer() -> str | None:
    """Who that is, in words: a tracer, profiler, debugger, or coverage that is on its way."""
    if sys.gettrace() is not None:
        return "a tracer or debugger is active"
    if sys.getprofile() is not None:
        return "a profiler is active"
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None and any(monitoring.get_tool(number) for number in range(6)):
        return "a monitoring tool is active"
    if "importtime" in sys._xoptions or os.environ.get("PYTHONPROFILEIMPORTTIME"):
        return "-X importtime measures imports"
    if "pydevd" in sys.modules or "debugpy" in sys.modules:
        return "a debugger is active"
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        if os.environ.get(name):
            return f"{name} is set: coverage measures imports"
    return None
