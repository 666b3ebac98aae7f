"""What a directory holds, as far as a collection could depend on it. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .digest import blake2b

SHARED = frozenset(
    (
        "/", "/tmp", "/var/tmp", "/usr/tmp", os.environ.get("TMPDIR", "/tmp"),
        os.path.expanduser("~"),
    )
)  # fmt: skip
"""Directories in which others come and go, and that are there."""
_SUFFIXES = (".py", ".toml", ".ini", ".cfg", ".rst", ".txt", ".md")


def digest(directory: str) -> str:
    """Of the names of sub-directories and of files that are collected, or decide what is."""
    names = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__" and not entry.name.startswith("."):
                        names.append(f"{entry.name}/")
                elif entry.name.endswith(_SUFFIXES):
                    names.append(entry.name)
    except OSError as error:
        names = [str(error.errno)]
    return blake2b(os.fsencode("\0".join(sorted(names))), digest_size=8).hexdigest()


def holds(listings: Mapping[str, str]) -> bool:
    """Whether all directories still have the digest that was noted."""
    return all(digest(directory) == noted for directory, noted in listings.items())
