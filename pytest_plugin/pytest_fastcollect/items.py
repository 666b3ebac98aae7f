"""What pytest has collected, file by file, as reports for the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastcollect_lsp.reports import FileCollected, Item


def file_reports(session: pytest.Session) -> Iterator[FileCollected]:
    """One report for each file in which there is anything to run.

    The run was asked for whole files: what the project's configuration deselects is not there.
    """
    files: dict[pytest.File, dict[str, Item]] = {}
    for item in session.items:
        chain = item.listchain()
        file = next((node for node in reversed(chain) if isinstance(node, pytest.File)), None)
        if file is None:
            continue
        known = files.setdefault(file, {})
        below = chain[chain.index(file) + 1 :]
        for node in below:
            if not isinstance(node, (pytest.Item, pytest.Collector)):
                continue
            for described in _describe(node, file.nodeid):
                known.setdefault(described.id, described)
    for file, found in files.items():
        yield FileCollected(file.nodeid, str(file.path), list(found.values()))


def _describe(node: pytest.Item | pytest.Collector, file: str) -> Iterator[Item]:
    """The node, with its function above it where it is one parameter set of that."""
    parent = node.parent.nodeid if node.parent is not None else file
    tags = sorted({mark.name for mark in node.iter_markers()})
    if not isinstance(node, pytest.Item):
        yield Item(node.nodeid, node.name, "class", parent, tags)
        return
    line = node.location[1]
    function = getattr(node, "originalname", None)
    if function and node.name.startswith(f"{function}["):
        above = node.nodeid[: len(node.nodeid) - len(node.name)] + function
        yield Item(above, function, "function", parent, tags, line)
        case = node.name[len(function) + 1 : -1]
        yield Item(node.nodeid, case, "case", above, tags, line)
    else:
        yield Item(node.nodeid, node.name, "function", parent, tags, line)
