"""Where the scanner keeps what it has read, for the next process.

It outlives servers and is shared by all of the user's processes; the Rust core
(`rust_scanner/src/cache/`) makes and checks the directory, bounds it, and trusts nothing in it.
"""

from __future__ import annotations

import os
from pathlib import Path


def directory() -> str | None:
    """`$FASTCOLLECT_DIR/cache`, `$XDG_CACHE_HOME/fastcollect` or `~/.cache/fastcollect`.

    None where there is no home either. Not beside the sockets by default: `$XDG_RUNTIME_DIR` is in
    memory, and emptied when the user logs out.
    """
    if explicit := os.environ.get("FASTCOLLECT_DIR"):
        return str(Path(explicit, "cache").absolute())
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():  # the specification: relative ones are to be ignored
        return str(Path(base, "fastcollect"))
    try:
        return str(Path.home() / ".cache" / "fastcollect")
    except RuntimeError:
        return None
