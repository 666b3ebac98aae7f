"""A run that is to be debugged: waits for a debugger before anything is collected."""

from __future__ import annotations

from collections.abc import Callable

from fastcollect_lsp.reports import Debugging, Report, Trouble


def wait_for_debugger(send: Callable[[Report], None]) -> None:
    """Have debugpy listen, say where, and wait for a client. Raises SystemExit without debugpy."""
    try:
        import debugpy
    except ImportError:
        send(Trouble("debugpy is not installed in this environment: pip install debugpy"))
        raise SystemExit(4) from None
    host, port = debugpy.listen(("127.0.0.1", 0))
    send(Debugging(host, port))
    debugpy.wait_for_client()
