"""What can be wrong with a project's server, and what to do about it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

from . import __version__, client, rendezvous
from .rendezvous import Place
from .status import from_json


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    what: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return dataclasses.asdict(self)


def examine(place: Place) -> list[Finding]:
    """Look at the rendezvous and ask the server; no server at all is healthy."""
    try:
        rendezvous.check_owned(place.directory, allowed=0o700)
    except FileNotFoundError:
        return []
    except (rendezvous.Unsafe, OSError) as error:
        return [Finding(str(error), "remove it, or set FASTCOLLECT_DIR to a directory of your own")]
    try:
        answer = client.ask(place, "status", client.DECISION_TIMEOUT)
    except client.Unavailable as error:
        holder = rendezvous.read_holder(place).get("pid", "unknown")
        return [Finding(f"{error} (pid {holder})", f"end it: kill -9 {holder}")]
    if answer is None:
        return _leftovers(place)
    try:
        status = from_json(answer)
    except (KeyError, TypeError):
        return [Finding("a server of another version answers", "run: fastcollect restart")]
    findings = []
    if status.version != __version__:
        what = f"the server is v{status.version}, this is v{__version__}"
        findings.append(Finding(what, "run: fastcollect restart"))
    if status.state == "degraded":
        remedy = "runs are cold meanwhile; after a change: fastcollect restart"
        findings.append(Finding(f"nothing is warm: {status.detail}", remedy))
    return findings


def _leftovers(place: Place) -> list[Finding]:
    if rendezvous.is_locked(place):
        holder = rendezvous.read_holder(place).get("pid", "unknown")
        return [Finding(f"pid {holder} holds the lock but does not listen", f"kill -9 {holder}")]
    if place.socket.exists() or os.path.lexists(place.lock):
        return [
            Finding(
                f"a server ended without cleaning up in {place.directory}",
                "nothing to do: the next run starts a new one; or run: fastcollect start",
            )
        ]
    return []
