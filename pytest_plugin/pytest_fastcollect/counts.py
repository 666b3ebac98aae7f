"""What pytest's cache only keeps count of: which tests there are, and which of them failed last.

`_pytest.cacheprovider` reads both when a session begins and writes them when it ends. Unless a
command line asks for them (`--lf`, `--nf`) they say nothing of what is run, so they are no inputs
of a session that is collected ahead of time: each run has the plugins know what the last one left.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from _pytest import cacheprovider

from .audit import Audit


class Counts:
    """Those of one session."""

    def __init__(self) -> None:
        self._counted: set[object] = set()
        """What `NFPlugin` has counted in this session: strings, from pytest 9.2 on `NodeId`."""
        self._read: tuple[bytes | None, set[object]] | None = None
        """What the file of all ids held when it was read ahead, and those ids."""

    def files(self, session: pytest.Session) -> set[str]:
        """Where they are kept, as far as they say nothing of what is run."""
        cache: Any = getattr(session.config, "cache", None)
        if cache is None:
            return set()
        directory = os.path.join(os.path.abspath(cache._cachedir), "v", "cache")
        names = [name for name, plugin in _bystanders(session).items() if plugin is not None]
        return {os.path.join(directory, name) for name in names}

    def collected(self, session: pytest.Session) -> None:
        """The session has collected, and will not count again."""
        new_first = _bystanders(session)["nodeids"]
        if new_first is not None:
            selected = {item.nodeid for item in session.items}
            self._counted = {one for one in new_first.cached_nodeids if str(one) in selected}

    def read_ahead(self, session: pytest.Session) -> None:
        """In a process that waits for its run: most runs leave the ids as they were."""
        new_first = _bystanders(session)["nodeids"]
        if new_first is not None and not session.config.option.collectonly:
            content = _content(session)
            ids = type(new_first)(session.config).cached_nodeids
            if _content(session) == content:
                self._read = content, ids

    def renew(self, session: pytest.Session, reports: Iterable[pytest.CollectReport]) -> None:
        """In a run child: have the plugins know what the last run has left, as if they had been
        made only now. `reports`: those of the collection."""
        plugins = _bystanders(session)
        if (last_failed := plugins["lastfailed"]) is not None:
            last_failed.lastfailed = type(last_failed)(session.config).lastfailed
            if last_failed.lastfailed:
                for report in reports:
                    last_failed.pytest_collectreport(report)
        # What is only listed is not counted: going through ten thousand ids would be most of it.
        if (new_first := plugins["nodeids"]) is not None and not session.config.option.collectonly:
            if self._read is not None and self._read[0] == _content(session):
                new_first.cached_nodeids = self._read[1]
            else:
                new_first.cached_nodeids = type(new_first)(session.config).cached_nodeids
            new_first.cached_nodeids.update(self._counted)


def overlook(audit: Audit) -> None:
    """In a probe: the plugins read files that are no inputs; anybody else may read the same."""
    original = cacheprovider.Cache.get

    def get(self: cacheprovider.Cache, key: str, default: Any) -> Any:
        reader: Any = sys._getframe(1).f_locals.get("self")
        kinds = (cacheprovider.LFPlugin, cacheprovider.NFPlugin)
        if type(reader) in kinds and not reader.active:
            with audit.paused():
                return original(self, key, default)
        return original(self, key, default)

    cacheprovider.Cache.get = get  # type: ignore[method-assign]


def _bystanders(session: pytest.Session) -> dict[str, Any]:
    """Plugins that only keep count, by the file that they keep."""
    manager = session.config.pluginmanager
    found: dict[str, Any] = {}
    for file, name in (("lastfailed", "lfplugin"), ("nodeids", "nfplugin")):
        plugin: Any = manager.get_plugin(name)
        found[file] = plugin if plugin is not None and not plugin.active else None
    return found


def _content(session: pytest.Session) -> bytes | None:
    cache: Any = session.config.cache
    try:
        with open(cache._getvaluepath("cache/nodeids"), "rb") as file:
            return file.read()
    except OSError:
        return None
