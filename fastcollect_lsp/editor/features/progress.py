"""`$/progress`: how far a run is, for clients that show work in progress."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from lsprotocol import types

from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.asking import Later, ask
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.results import counted
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.run import Listener, Run
from fastcollect_lsp.run import Progress as Told

REPORT_S = 0.1
"""Seconds for which events are gathered before they are shown."""
_numbers = itertools.count(1)


class Shown:
    """One run as a client sees it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.token = f"fastcollect/{next(_numbers)}"
        """Ours: run ids are clients' own, who may use one again."""
        self.states: dict[wire.NodeId, str] = {}
        self.enqueued: set[wire.NodeId] = set()
        self.open = False
        """The client has agreed to show it."""
        self.changed = False
        self.ended = False

    def take(self, event: wire.RunEvent) -> None:
        """Count an event."""
        if isinstance(event, wire.Enqueued):
            self.enqueued.add(event.id)
        elif isinstance(event, (wire.Passed, wire.Failed, wire.Skipped)):
            self.states[event.id] = event.event
        self.changed = True

    @property
    def value(self) -> Mapping[str, object]:
        """`WorkDoneProgressReport`."""
        done, total = len(self.states), len(self.enqueued | self.states.keys())
        counts = counted(self.states.values())
        message = f"{done}/{total}{f', {counts}' if counts else ''}" if total else "collecting"
        percentage = 100 * done // total if total else 0
        return {"kind": "report", "message": message, "percentage": percentage}

    @property
    def begin(self) -> Mapping[str, object]:
        """`WorkDoneProgressBegin`."""
        title = f"pytest {' '.join(self.run.args)}".strip()
        return {
            "kind": "begin",
            "title": title if len(title) <= 60 else f"{title[:59]}…",
            "cancellable": self.run.process is not None,
            "percentage": 0,
        }

    @property
    def end(self) -> Mapping[str, object]:
        """`WorkDoneProgressEnd`."""
        return {"kind": "end", "message": counted(self.states.values()) or "no tests ran"}


class Progress(Listener):
    """The runs that one client is shown."""

    def __init__(self, peer: EditorPeer) -> None:
        self._peer = peer
        self._shown: dict[str, Shown] = {}
        self._later = Later(peer, self._report, REPORT_S)

    def begin(self) -> None:
        """The client is ready."""
        if self._peer.can.progress:
            runs = self._peer.host.runs
            runs.listeners.append(self)
            self._peer.at_end(lambda: runs.listeners.remove(self))

    def started(self, run: Run) -> None:
        """A run has begun."""
        shown = self._shown[run.id] = Shown(run)
        self._peer.spawn(self._open(shown))

    async def _open(self, shown: Shown) -> None:
        """Ask the client to show a run; one that is over by then is shown all the same."""
        params = types.WorkDoneProgressCreateParams(shown.token)
        create = types.WINDOW_WORK_DONE_PROGRESS_CREATE
        shown.open, _ = await ask(self._peer.protocol, create, params)
        if shown.open:
            self._send(shown, shown.begin)
            if shown.ended:
                self._send(shown, shown.end)

    def progress(self, run: Run, progress: Told) -> None:
        """Something has happened in it."""
        if (shown := self._shown.get(run.id)) is None:
            return
        for event in progress.events:
            shown.take(event)
        if isinstance(progress.events[-1], wire.Ended):
            del self._shown[run.id]
            shown.ended = True
            if shown.open:
                self._send(shown, shown.end)
        else:
            self._later.due()

    def _report(self) -> None:
        for shown in self._shown.values():
            if shown.open and shown.changed:
                shown.changed = False
                self._send(shown, shown.value)

    def _send(self, shown: Shown, value: Mapping[str, object]) -> None:
        params = {"token": shown.token, "value": value}
        self._peer.protocol.notify_plain(types.PROGRESS, params)

    def cancel(self, token: str) -> None:
        """The client is tired of a run: an editor's is cancelled, a terminal's goes on."""
        for run_id in [shown.run.id for shown in self._shown.values() if shown.token == token]:
            self._peer.host.runs.cancel(run_id)


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""
    progress = Progress(peer)
    peer.at_beginning(progress.begin)

    @server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def cancel(params: types.WorkDoneProgressCancelParams) -> None:
        progress.cancel(str(params.token))
