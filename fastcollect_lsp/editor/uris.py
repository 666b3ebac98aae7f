"""`file:` URIs and paths."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes, urlsplit


def path_of(uri: str) -> str | None:
    """The absolute path of a `file:` URI, as the editor wrote it; None for any other URI.

    `pygls.uris.to_fs_path` cuts a path at a `;` and cannot return names that are not UTF-8.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or not parts.path:
        return None
    return os.path.normpath(os.fsdecode(unquote_to_bytes(parts.path)))
