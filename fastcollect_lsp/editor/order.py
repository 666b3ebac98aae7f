"""The order of files and directories in an editor. Pure."""

from __future__ import annotations

import os


def sort_text(name: str) -> str:
    """What sorts files and directories as pytest does, whichever way a client compares.

    The same as the scan gives (`rust_scanner/src/tree.rs`): hexadecimal, after an `__init__.py`.
    """
    return ("0" if name == "__init__.py" else "1") + os.fsencode(name).hex()
