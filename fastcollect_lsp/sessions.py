"""Sessions collected ahead of time: of the command that was run last, and of those run often.

A repeated command goes on from there with its first test. Whatever differs from the run that it was
made for is served a `warm` run: any other option, another terminal, a variable that was read.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import commands, protocol
from .checkpoint import MAX_CHANGES, Checkpoint, Failed, next_message, today
from .growth import STEP_TIMEOUT, abandon, fork, snapshot
from .link import Link
from .moment import Moment
from .placeholders import Placeholders
from .policy import Warmth, differing_variable, environ_difference
from .protocol import NativeRequest, RunRequest

log = logging.getLogger("fastcollect.sessions")

MAX_SESSIONS = 4
"""Commands whose sessions are kept."""
MAX_UNASKED = 8
"""Times that a session is made again because files change, without a run of its command."""
END = b"\0end of what was printed\0"
"""Written behind what a session has printed (`pytest_fastcollect.ahead`)."""
_PROGRESS = re.compile(rb"\rcollecting [^\r\n]*(?=\r|\Z)")
"""What pytest shows, on a terminal, of a collection that takes its time."""


@dataclass
class _Wanted:
    """A command whose session is wanted."""

    request: RunRequest
    stop: str = "collected"
    """Where it is to wait: `configured`, before anything is collected; `items`, before any of what
    is collected is deselected; `collected`, before the first test."""
    asked: int = 0
    """How often it was run."""
    made: int = 0
    """How often its session was made since it was asked for."""
    refused: str | None = None
    """Why it cannot be collected ahead of time ..."""
    refused_by: int = 0
    """... with this process as the parent: another may know better."""


@dataclass
class Sessions:
    """Has the sessions made that are wanted, and made again when they do not hold any more."""

    points: dict[str, Checkpoint]
    """What there is, by fingerprint."""
    parent_for: Callable[[RunRequest], Checkpoint | None]
    """The deepest checkpoint that a run could be forked from now; blocks."""
    on_event: Callable[[dict[str, Any]], None]
    """Called with what sessions tell about runs."""
    on_change: Callable[[], None]
    busy: Callable[[], bool]
    """Whether there is something more urgent to do."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing is being collected."""
    _wanted: collections.OrderedDict[str, _Wanted] = field(default_factory=collections.OrderedDict)
    _family: tuple[str, _Wanted] | None = None
    """What other selections of the command that was run last begin like."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: list[Checkpoint] = field(default_factory=list)
    """What has a process ready for the next run."""

    def __post_init__(self) -> None:
        self.idle.set()

    # ---------------------------------------------------------------- wishes

    def want(self, request: RunRequest) -> None:
        """This command may be repeated."""
        key = commands.fingerprint(request)
        wanted = self._wanted.pop(key, None) or _Wanted(request)
        wanted.request, wanted.made = request, 0  # with the environment as it is now
        wanted.asked += 1
        self._wanted[key] = wanted
        while len(self._wanted) > MAX_SESSIONS:
            old, _ = self._wanted.popitem(last=False)
            self._drop(old)
        self._want_family(request)
        self.look()

    def _want_family(self, request: RunRequest) -> None:
        """Have its beginning ready for what selects other tests of the same files."""
        name = commands.family(request)
        known = self._family
        if known is not None and known[0] != name:
            self._drop(known[0])
            known = None
        self._family = None
        if name is not None:
            whole = commands.unselected(request)
            wanted = known[1] if known is not None else _Wanted(whole, commands.parting(whole))
            wanted.made = 0
            wanted.request = whole
            self._family = name, wanted

    def look(self) -> None:
        """Something may have to be collected (again)."""
        if self._wanted:
            self.idle.clear()
            self._wake.set()

    def recall(self, native: NativeRequest) -> RunRequest | None:
        """A run that is known, of the same process as this one of the native command: the same
        command, else one that differs from it in nothing but which tests of a file it names. Its
        files are to be proven."""
        wanted = reversed(self._wanted.values())  # the latest first, as Python has started it
        known = [one.request for one in wanted if _is_same(one.request, native)]
        same = (request for request in known if request.argv == native.argv)
        found = next(same, known[0] if known else None)
        return None if found is None else dataclasses.replace(found, env=native.env)

    def find(self, request: RunRequest) -> tuple[Checkpoint | None, str | None]:
        """The session of a command as it is now; else why there is none, where that is known.

        Blocks while it is proven.
        """
        key = commands.fingerprint(request)
        point = self.points.get(key)
        if point is not None:
            doubt = _doubt(point, request)
            return (point, None) if doubt is None else (None, doubt)
        wanted = self._wanted.get(key)
        if wanted is not None and wanted.refused is not None:
            return None, wanted.refused
        if self._family is not None and self._family[0] in self.points:
            point = self.points[self._family[0]]
            if self._family[0] == commands.family(request) and _doubt(point, request) is None:
                return point, None
        return None, None

    def _drop(self, key: str) -> None:
        point = self.points.pop(key, None)
        if point is not None:
            point.link.close()

    # ---------------------------------------------------------------- work

    async def work(self) -> None:
        """Collect what is wanted until cancelled; the latest command first."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self.busy():
                stale, job = await asyncio.to_thread(self._missing)
                for key in stale:
                    self._drop(key)
                if job is None:
                    break
                await self._make(*job)
                self.on_change()
            if not self.busy() and not self._wake.is_set():
                await self._stand_by()
                self.idle.set()

    async def _stand_by(self) -> None:
        """Have processes ready for the command that was run last, and for another of its kind."""
        latest = next(reversed(self._wanted), None)
        if latest is None:
            return
        session = self.points.get(latest)
        alike = self.points.get(self._family[0]) if self._family is not None else None
        if alike is None:
            request = self._wanted[latest].request
            alike = await asyncio.to_thread(self.parent_for, request)
        ready = [session, alike]
        before, self._ready = self._ready, [one for one in ready if one is not None and one.alive]
        for point in (*before, *self._ready):
            with contextlib.suppress(OSError):
                await point.link.send({"do": "standby" if point in self._ready else "relax"})

    def _missing(self) -> tuple[list[str], tuple[str, _Wanted, Checkpoint] | None]:
        """What no longer holds, and what is to be collected next, from which checkpoint. Blocks."""
        stale: list[str] = []
        # The command that was run last, what is like it, then those before that were repeated: of
        # others the session is kept while it holds.
        wishes = list(reversed(self._wanted.items()))
        latest = [key for key, _ in wishes[:1]]  # none, while it is being put in its place
        if self._family is not None:
            wishes.insert(1, self._family)
        for key, wanted in wishes:
            point = self.points.get(key)
            if point is not None and _doubt(point, wanted.request) is None:
                continue
            if point is not None:
                stale.append(key)
            if wanted.made > MAX_UNASKED or (wanted.asked == 1 and key not in latest):
                continue
            parent = self.parent_for(wanted.request)
            if parent is not None and (wanted.refused is None or wanted.refused_by != parent.pid):
                return stale, (key, wanted, parent)
        return stale, None

    async def _make(self, key: str, wanted: _Wanted, parent: Checkpoint) -> None:
        began = time.monotonic()
        wanted.made += 1
        try:
            point = await collect(parent, wanted.request, wanted.stop)
        except Failed as failed:
            wanted.refused, wanted.refused_by = str(failed), parent.pid
            log.info("not collected ahead of time: %s", failed)
            return
        except Exception as error:  # no descriptors, say: costs this session, not all that follow
            wanted.refused, wanted.refused_by = repr(error), parent.pid
            log.exception("not collected ahead of time")
            return
        wanted.refused = None
        point.link.on_message = self.on_event
        if key in self._wanted or (self._family is not None and self._family[0] == key):
            self._drop(key)
            self.points[key] = point
            elapsed_ms = (time.monotonic() - began) * 1000
            log.info("%s after %.0f ms: pid %d", point.name, elapsed_ms, point.pid)
        else:
            point.link.close()


def _is_same(request: RunRequest, native: NativeRequest) -> bool:
    known = json.loads(request.identity)
    return (
        commands.is_alike(request, native)
        and all(
            getattr(request, name) == getattr(native, name)
            for name in (
                "cwd", "umask", "ignored_signals", "blocked_signals", "rlimits", "nice",
                "affinity", "inherited",
            )
        )
        and request.executables[0] == native.python
        and [None if s is None else (s.kind, s.size) for s in request.streams]
        == [(end.kind, end.size) for end in native.streams]
        and (known["user"], known["namespaces"]) == (native.user, native.namespaces)
        and differing_variable(request.env, native.env) is None
    )  # fmt: skip


def _doubt(point: Checkpoint, request: RunRequest) -> str | None:
    """Why a session does not hold for a command any more. Blocks while it is proven."""
    if not point.alive or point.warmth is None:
        return "the process has ended"
    if point.warmth.day != today():
        return "made before midnight"
    if (name := environ_difference(point.warmth, request.env)) is not None:
        return f"environment variable {name} changed"
    if changed := point.changed():
        return f"{changed[0]} changed"
    return None


async def collect(parent: Checkpoint, request: RunRequest, stop: str) -> Checkpoint:
    """A new process that has begun a session and waits where it is to stop.

    Raises Failed where it must not happen ahead of time. Cancelled, it leaves no process.
    """
    if parent.warmth is None or parent.spare:
        raise Failed("there is nothing to collect it from")
    for _ in range(MAX_CHANGES):
        began = Moment.now()
        probe = await _execute(parent, request, stop, None)
        probe.link.close()
        report = probe.report
        inputs, paths = await snapshot(report, [], [])
        if await asyncio.to_thread(began.may_have_changed, inputs, paths):
            log.info("an input of a session changed while it was looked at")
            continue
        real = await _execute(parent, request, stop, report["generators"])
        try:
            moved = await asyncio.to_thread(inputs.changed)
            if real.printed != probe.printed:
                raise Failed("it prints something else each time")
            if not moved:
                await real.link.send(
                    {"do": "printed", "output": base64.b64encode(real.raw).decode("ascii")}
                )
        except OSError:
            raise Failed("the process has ended") from None
        except BaseException:
            real.link.close()
            raise
        if moved:
            real.link.close()
            continue
        read = set(report["environ"]) - {"PYTEST_VERSION"}  # which is of pytest's own making
        before = parent.warmth
        whole = request.env if report["whole_environ"] else before.whole_environ
        return Checkpoint(
            name=stop,
            pid=real.pid,
            link=real.link,
            inputs=inputs,
            modules=int(real.report["modules"]),
            parent=parent,
            warmth=Warmth(
                shared=False,
                key=request.key,
                conftests=before.conftests,
                environ={name: request.env.get(name) for name in {*before.environ, *read}},
                whole_environ=whole,
                captured=before.captured,
                day=today(),
                saves_ms=before.saves_ms + float(real.report["elapsed_ms"]),
            ),
            events=real.events,
        )
    raise Failed("its inputs keep changing")


@dataclass(frozen=True)
class _Collected:
    pid: int
    link: Link
    events: asyncio.Queue[dict[str, Any]]
    report: dict[str, Any]
    raw: bytes
    """What it has printed ..."""
    printed: bytes
    """... without what depends on how fast the machine is."""


async def _execute(
    parent: Checkpoint, request: RunRequest, stop: str, probed: Mapping[str, str] | None
) -> _Collected:
    placeholders = Placeholders(request.streams, END)
    try:
        plain = protocol.to_json(request)
        message = {"do": "collect", "request": plain, "stop": stop, "probed": probed}
        forking = asyncio.ensure_future(fork(parent, message, placeholders.fds))
        try:
            pid, link, events = await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(abandon)
            raise
        placeholders.given()
        try:
            report = await _await_ready(pid, link, events)
            raw = _PROGRESS.sub(b"", await placeholders.printed(1))
            if placeholders.was_read:
                raise Failed("it reads standard input before its first test")
            if await placeholders.printed(2):
                raise Failed("it writes to stderr before its first test")
        except BaseException:
            link.close()
            raise
    finally:
        placeholders.close()
    return _Collected(pid, link, events, report, raw, raw.replace(report["stamp"].encode(), b""))


async def _await_ready(
    pid: int, link: Link, events: asyncio.Queue[dict[str, Any]]
) -> dict[str, Any]:
    """What a process reports when it has collected. Raises Failed."""
    try:
        message = await asyncio.wait_for(next_message(link, events), STEP_TIMEOUT)
    except asyncio.TimeoutError:
        link.kill(pid)
        raise Failed(f"it takes over {STEP_TIMEOUT:.0f} s") from None
    if message is None:
        raise Failed("it ends the process, or C code of it would reach somebody")
    if message.get("event") != "ready":
        raise Failed(str(message.get("reason")))
    return message
