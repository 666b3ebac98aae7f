"""What an editor connection needs of the server that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastcollect_lsp.following import Following
    from fastcollect_lsp.runs import Runs
    from fastcollect_lsp.tree import ProjectTree


class EditorHost(Protocol):
    """The server, as its editor connections see it; called in the event loop's thread only."""

    @property
    def root(self) -> str:
        """pytest's rootdir, absolute."""

    @property
    def interpreter(self) -> str:
        """The project's Python, absolute."""

    @property
    def version(self) -> str:
        """The server's version."""

    @property
    def tree(self) -> ProjectTree:
        """The project's tests."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment in which this editor wants runs to be."""

    @property
    def static_only(self) -> bool:
        """Whether this editor was started for a project that may not be imported."""

    @property
    def runs(self) -> Runs:
        """The project's runs."""

    @property
    def following(self) -> Following:
        """What is collected and run by itself when files change."""

    def status(self) -> Mapping[str, object]:
        """The object that `fastcollect status --json` prints."""

    def saved(self, path: str) -> None:
        """An editor has written this file (absolute): a hint to warm up again. Must not block."""

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change of `status()`; returns what ends that."""
