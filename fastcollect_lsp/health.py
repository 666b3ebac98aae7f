"""What can be wrong with a project's server, and what to do about it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__, client, rendezvous
from .rendezvous import Place
from .status import Status, from_json

_NOT_WATCHING = "answers stay right, but what is warm is made again only at runs and saves; {}"
_REMEDIES = {
    "fs.inotify.max_user_watches": "raise it: sysctl fs.inotify.max_user_watches=524288",
    "fs.inotify.max_user_instances": "raise it: sysctl fs.inotify.max_user_instances=1024",
}
"""By the setting that is named in what is wrong."""
LEAST_DESCRIPTORS = 40
"""What a server needs to have left: runs that come at once bring four each, and it keeps one for
each warm process."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    what: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Health:
    """What was found."""

    findings: list[Finding]
    """What is wrong; nothing: healthy."""
    watch: str | None = None
    """Whether the server hears of changes of files; None where no server runs."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        findings = [finding.to_json() for finding in self.findings]
        return {"ok": not findings, "findings": findings, "watch": self.watch}


def examine(place: Place) -> Health:
    """Look at the rendezvous and ask the server; no server at all is healthy."""
    try:
        rendezvous.check(place.directory)
        if not _has_room(place.directory):
            return Health([_no_room(place.directory)])
    except FileNotFoundError:
        return Health(_obstacles(place.directory))
    except (rendezvous.Unsafe, OSError) as error:
        remedy = "remove it, or set FASTCOLLECT_DIR to a directory of your own"
        return Health([Finding(str(error), remedy)])
    try:
        answer = client.ask(place, "status", client.DECISION_TIMEOUT)
    except client.Unavailable as error:
        holder = rendezvous.read_holder(place).get("pid", "unknown")
        remedy = f"end it: kill -9 {holder}"
        if _is_stopped(holder):
            remedy = f"it was stopped; have it go on: kill -CONT {holder}; or {remedy}"
        return Health([Finding(f"{error} (pid {holder})", remedy)])
    if answer is None:
        return Health(_leftovers(place))
    try:
        status = from_json(answer)
    except (KeyError, TypeError):
        return Health([Finding("a server of another version answers", "run: fastcollect restart")])
    findings = []
    if status.version != __version__:
        what = f"the server is v{status.version}, this is v{__version__}"
        findings.append(Finding(what, "run: fastcollect restart"))
    if status.state == "degraded":
        remedy = "runs are cold meanwhile; after a change: fastcollect restart"
        findings.append(Finding(f"nothing is warm: {status.detail}", remedy))
    if status.watch is not None and status.watch.trouble is not None:
        hints = [hint for name, hint in _REMEDIES.items() if name in status.watch.trouble]
        remedy = _NOT_WATCHING.format("; ".join(hints) or "see: fastcollect logs")
        findings.append(Finding(status.watch.text, remedy))
    findings += _stopped(status) + _few_descriptors(status)
    return Health(findings, status.watch.text if status.watch is not None else None)


def _stopped(status: Status) -> list[Finding]:
    return [
        Finding(
            f"the warm process {point.name} (pid {point.pid}) was stopped: a run that comes to it"
            " is cold, after a wait",
            f"have it go on: kill -CONT {point.pid}; or run: fastcollect restart",
        )
        for point in status.checkpoints
        if _is_stopped(point.pid)
    ]


def _few_descriptors(status: Status) -> list[Finding]:
    """Whether the server was started where few may be open: it lets nobody in when there are none
    left, and keeps few warm."""
    try:
        used = len(os.listdir(f"/proc/{status.pid}/fd"))
        with open(f"/proc/{status.pid}/limits", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("Max open files"))
    except (OSError, StopIteration):
        return []
    soft = line.removeprefix("Max open files").split()[0]
    if not soft.isdecimal() or int(soft) - used >= LEAST_DESCRIPTORS:
        return []
    what = f"the server may have {soft} descriptors, of which {used} are open: runs may be cold"
    return [Finding(what, "ulimit -n 1024, then run: fastcollect restart")]


def _obstacles(directory: Path) -> list[Finding]:
    """Why no server could have this directory, which is not there yet."""
    there = next(above for above in directory.parents if os.path.lexists(above))
    remedy = "set FASTCOLLECT_DIR to a directory of your own"
    try:
        rendezvous.check_above(there / "x")
    except (rendezvous.Unsafe, OSError) as error:
        return [Finding(f"no server can be started: {error}", remedy)]
    if not os.access(there, os.W_OK | os.X_OK) or os.statvfs(there).f_flag & os.ST_RDONLY:
        return [Finding(f"no server can be started: {there} cannot be written to", remedy)]
    return [] if _has_room(there) else [_no_room(there)]


def _has_room(directory: Path) -> bool:
    return not client.is_full(directory)


def _no_room(directory: Path) -> Finding:
    what = f"no space is left on the file system of {directory}: new servers cannot start"
    return Finding(what, "make room, or set FASTCOLLECT_DIR to a directory elsewhere")


def _is_stopped(pid: object) -> bool:
    """Whether a process has got SIGSTOP, or is held by a debugger."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


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
