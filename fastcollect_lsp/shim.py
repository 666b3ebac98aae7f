"""`fastcollect shim`: the `pytest` command of one environment becomes the native command.

pytest's own script moves to a directory beside it, from where cold runs are started. An upgrade of
pytest writes a script of its own over the shim: the next run puts the shim back (`restore`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


class NotShimmed(Exception):
    """It cannot be done, for the reason given as text."""


def _bin() -> Path:
    return Path(sys.executable).parent


def _original(directory: Path) -> Path:
    return directory / ".fastcollect" / "pytest"


def shim() -> str:
    """Put the native command in the place of `pytest`; what was done, in words.

    Raises NotShimmed, OSError.
    """
    directory = _bin()
    command, native = directory / "pytest", directory / "fastcollect"
    if sys.prefix == sys.base_prefix:
        raise NotShimmed("this is no virtual environment: others use its pytest as well")
    if not is_native(native):
        raise NotShimmed(f"{native} is not the native command: install fastcollect-lsp again")
    if command.is_symlink() and os.readlink(command) == native.name:
        return f"{command} is the native command already"
    if not command.is_file():
        raise NotShimmed(f"there is no {command}: install pytest first")
    _swap(command, native)
    return f"{command} is the native command now; pytest's own is {_original(directory)}"


def unshim() -> str:
    """Put pytest's own command back; what was done, in words. Raises OSError."""
    directory = _bin()
    command, original = directory / "pytest", _original(directory)
    if not original.is_file():
        return f"{command} is pytest's own already"
    if command.is_symlink() or not command.exists():
        os.replace(original, command)
    else:
        original.unlink()  # an upgrade of pytest has put its own there
    original.parent.rmdir()
    return f"{command} is pytest's own again"


def restore(script: str) -> None:
    """In a run of pytest's own `script`: put the shim back, where an upgrade has taken it away."""
    command = Path(script)
    native = command.parent / "fastcollect"
    if command.name == "pytest" and _original(command.parent).is_file() and is_native(native):
        _swap(command, native)


def _swap(command: Path, native: Path) -> None:
    original = _original(command.parent)
    original.parent.mkdir(exist_ok=True)
    link = original.with_name(f"link.{os.getpid()}")
    os.symlink(native.name, link)
    os.replace(command, original)
    os.replace(link, command)


def is_native(file: Path) -> bool:
    """Whether this is the native command, and not a script of Python's."""
    try:
        with open(file, "rb") as opened:
            return opened.read(4) == b"\x7fELF"
    except OSError:
        return False
