"""What the plugin knows of the run that it is loaded in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fastcollect_lsp.rendezvous import Place

    from .ahead import Ahead
    from .keeping import Keeping
    from .record import Recorder
    from .reporting import Reporter
    from .selective import Selective


class State:
    """One run, from the plugin's point of view. Every pytest makes one: no dataclass, which would
    be compiled."""

    silent: bool = True
    """Whether to do and show nothing."""
    daemon: str = ""
    """What the header says after the version: `Daemon: …` or `cold: …`."""
    starting: bool = False
    """Whether this run has started the server."""
    place: Place | None = None
    recorder: Recorder | None = None
    keeping: Keeping | None = None
    selective: Selective | None = None
    reporter: Reporter | None = None
    """Where somebody looks on."""
    began: float
    """When the collection began."""
    stamp: str = ""
    """What was added to pytest's line about the collection."""
    ahead: Ahead | None = None
    """Where this session is collected ahead of the run that will need it."""

    def __init__(self) -> None:
        self.began = time.perf_counter()


STATE = pytest.StashKey[State]()


class Active:
    """What the plugin has to know when it runs inside a run child."""

    depth: str | None = None
    """`warm` or `collected` inside a run child, else None."""
    ahead: Ahead | None = None
    """As `State.ahead`."""
    describe: Callable[[pytest.Config], None] | None = None
    """Where this process is only to tell what the run of a command line would be."""
    run: str = ""
    """The id under which the server wants to be told of this run; empty: it does not."""
    record: bool = False
    """Whether the server wants this run's import path, because it was not served all of it."""
