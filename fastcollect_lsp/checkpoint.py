"""One warm process as the server sees it: the zygote or a checkpoint, with its proven inputs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import protocol
from ._core import InputSet
from .children import end_of
from .link import Link
from .moment import RACY_NS, Moment
from .policy import Stage, Warmth
from .protocol import Record, RunRequest

log = logging.getLogger("fastcollect.checkpoint")

MAX_CHANGES = 5
"""Times that something is begun again because a file was edited meanwhile."""
START_TIMEOUT = 60.0
"""Seconds for the zygote to have imported pytest."""
START = """
from pytest_fastcollect.zygote import main
run = main({}, {!r})
try:
    run.start.function(*run.start.arguments)
except BaseException as error:
    run.end(error)
    raise
else:
    run.end(None)
"""
"""What a zygote executes, with the number of its descriptor, and what `NOWHERE` stands for.

A run begins from here, and not from any function of ours, because whoever walks the stack walks it
to its end: `faulthandler`, `pdb`'s `where`, `inspect.stack()`. One frame is the least there can be.
"""
NOWHERE = f"{os.devnull}/fastcollect"
"""A prefix for bytecode where none is and none can be written."""


@dataclass
class Checkpoint:
    """A process that runs can be forked from."""

    name: str
    pid: int
    link: Link
    inputs: InputSet
    modules: int
    parent: Checkpoint | None = None
    warmth: Warmth | None = None
    record: Record | None = None
    last: int = 0
    """Segments of the record that it has executed."""
    libraries: bool = False
    """Whether it has executed what segment `last` begins with as well."""
    left_out: list[str] = field(default_factory=list)
    """What of the record it has not executed, each with the reason."""
    stage: Stage | None = None
    """What it was to execute; None for the zygote."""
    ends_here: bool = False
    """Whether what comes next may depend on a conftest that was left out."""
    events: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    spare: bool = False
    """Whether this process becomes the run itself instead of being forked."""
    identity: str = ""
    """Of a zygote: what it cannot change any more (canonical JSON)."""
    first_reads: dict[str, int] = field(default_factory=dict)
    """Its input files, each with the segment that was the first to read it."""
    costs_ms: dict[int, float] = field(default_factory=dict)
    """What the import of each of its segments took."""
    used: float = 0.0
    """When it, or one grown from it, was last made, kept or forked for a run (monotonic)."""
    _memory: tuple[float, int] = (0.0, 0)
    """When its memory was measured (monotonic), and what came out."""
    process: subprocess.Popen[bytes] | None = None
    """The process, where it is a child of the server."""

    @property
    def whole(self) -> bool:
        """Whether it has executed the record up to the end of its stage, and more may follow."""
        return not self.ends_here and (self.stage is None or self.last == self.stage.last)

    @property
    def alive(self) -> bool:
        """Whether the process is there to be forked."""
        return not self.link.closed.is_set()

    def kill(self) -> None:
        """End the process where it does not hear of it: one that was stopped, say."""
        self.link.kill(self.pid)

    def lineage(self) -> list[Checkpoint]:
        """This checkpoint and all those that it was grown from, the zygote first."""
        before = self.parent.lineage() if self.parent is not None else []
        return [*before, self]

    def changed(self) -> list[str]:
        """Inputs of this checkpoint or its ancestors that are not as they were; empty = proven."""
        for checkpoint in self.lineage():
            if changed := checkpoint.inputs.changed():
                return changed
        return []

    @property
    def saves_ms(self) -> float:
        """Import time that a run forked from here does not spend."""
        return self.warmth.saves_ms if self.warmth is not None else 0.0

    def memory(self, age: float = 0.0) -> int:
        """Unique set size in bytes: what would be free if this process alone ended (0: unknown).

        `age`: seconds for which what was measured before will do; it takes the kernel a while.
        """
        measured_at, found = self._memory
        if time.monotonic() - measured_at >= age:
            found = self._measured()
            self._memory = time.monotonic(), found
        return found

    def _measured(self) -> int:
        try:
            with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
                lines = [line.split() for line in file]
        except OSError:
            return 0
        private = (int(words[1]) for words in lines if words[0].startswith("Private_"))
        return sum(private) * 1024


class Failed(Exception):
    """A process could not be started or grown; its text says why."""


async def start_zygote(identity: str, environ: dict[str, str]) -> tuple[Checkpoint, str]:
    """Start an interpreter with the caller's flags that has imported pytest; and its identity.

    Raises Failed. What it prints goes to the server's log.
    """
    from_source = tried = False
    for _ in range(MAX_CHANGES):
        began = Moment.now()
        zygote, paths, renewed = await _start(identity, environ, from_source)
        if zygote is None:
            from_source = tried or not renewed
            how = "without bytecode" if from_source else "again, as it is right"
            log.info("%s has bytecode that may be stale: starting %s", paths[0], how)
            tried = True
            continue
        if not await asyncio.to_thread(began.may_have_changed, zygote.inputs, paths):
            return zygote, zygote.identity
        # What it has imported may be older than the snapshot of its inputs.
        log.info("the interpreter or pytest changed while it started: starting again")
        zygote.link.close()
        await asyncio.sleep(RACY_NS / 1e9)
    raise Failed("the interpreter's own files keep changing")


async def _start(
    identity: str, environ: dict[str, str], from_source: bool
) -> tuple[Checkpoint | None, list[str], bool]:
    """A new zygote, and the paths of its inputs; or None, and those of the modules that CPython has
    taken from bytecode that may be stale. And whether all of that has turned out to be right."""
    wanted = json.loads(identity)
    ours, theirs = socket.socketpair()
    # Before our first statement, CPython has executed sitecustomize and the like.
    options = [f"-Xpycache_prefix={NOWHERE}"] if from_source else []
    command = [
        os.path.join(wanted["prefix"], "bin", "python"),
        *wanted["options"],
        *options,
        "-c",
        START.format(theirs.fileno(), _own_prefix(wanted["options"], environ, from_source)),
    ]
    if not os.path.exists(command[0]):
        command[0] = wanted["executable"]
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    with theirs:
        try:
            # Not asyncio's: that would kill the process when the loop ends, a run with it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=2,
                env=environ,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise Failed(f"{command[0]} cannot be started ({error.strerror})") from None
    link = Link(ours, events.put_nowait)
    try:
        started = await _next_event(link, events, "started", START_TIMEOUT)
    except asyncio.CancelledError:
        link.close()
        raise
    if started["stale"]:
        link.close()
        return None, started["stale"], bool(started["renewed"])
    files = [*started["files"], *archives(started["directories"])]
    kinds = [(path, 0) for path in started["kinds"]]
    inputs = await asyncio.to_thread(InputSet, files, started["directories"], kinds)
    zygote = Checkpoint(
        name="pytest",
        pid=process.pid,
        link=link,
        inputs=inputs,
        modules=int(started["modules"]),
        events=events,
        process=process,
        identity=str(started["identity"]),
    )
    return zygote, [*files, *started["directories"], *started["kinds"]], True


def archives(directories: Iterable[str]) -> list[str]:
    """Of what modules are looked for in, the files: zip archives (`zipimport`)."""
    found: dict[str, None] = {}
    for directory in directories:
        path = directory
        while not os.path.exists(path) and path != os.path.dirname(path):
            path = os.path.dirname(path)  # a directory inside of one
        if os.path.isfile(path):
            found[path] = None
    return list(found)


def _own_prefix(
    options: list[str], environ: dict[str, str], from_source: bool
) -> tuple[str | None, bool] | None:
    """The prefix for bytecode that an interpreter would have without `NOWHERE`, and whether it is
    an option of its command line; None where it has its own."""
    if not from_source:
        return None
    name = "-Xpycache_prefix="
    for option in reversed(options):
        if option.startswith(name):
            return option[len(name) :], True
    ignored = "-E" in options or "-I" in options
    return (None if ignored else environ.get("PYTHONPYCACHEPREFIX") or None), False


async def _next_event(
    link: Link, events: asyncio.Queue[dict[str, Any]], wanted: str, timeout: float
) -> dict[str, Any]:
    """Wait for an event of one kind, or for the process to end. Raises Failed."""

    async def wait() -> dict[str, Any]:
        while (message := await next_message(link, events)) is not None:
            if message.get("event") == wanted:
                return message
        raise Failed(f"the process ended before it was {wanted}")

    try:
        return await asyncio.wait_for(wait(), timeout)
    except asyncio.TimeoutError:
        link.close()
        raise Failed(f"not {wanted} after {timeout:.0f} s") from None


async def next_message(link: Link, events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any] | None:
    """The next message of a process; None when it has ended and said all."""
    if not events.empty():
        return events.get_nowait()
    ended = asyncio.ensure_future(link.closed.wait())
    event = asyncio.ensure_future(events.get())
    try:
        await asyncio.wait({event, ended}, return_when=asyncio.FIRST_COMPLETED)
        if event.done():
            return event.result()
        return None if events.empty() else events.get_nowait()
    finally:
        ended.cancel()
        event.cancel()


async def send_run(
    checkpoint: Checkpoint, run_id: str, request: RunRequest, fds: list[int], record: bool
) -> None:
    """Have a run child forked. Raises OSError when the checkpoint is gone."""
    message = {
        "do": "run",
        "id": run_id,
        "request": protocol.to_json(request),
        "record": record,
        "fork": not checkpoint.spare,
    }
    await checkpoint.link.send(message, fds)


async def await_spare(checkpoint: Checkpoint, channel: int) -> int:
    """Wait for a spare that has become a run; tell its caller how it ended (wait status).

    `channel` is our own duplicate of the run channel; it is closed.
    """
    assert checkpoint.process is not None
    code = await end_of(checkpoint.process)
    status = -code if code < 0 else code << 8
    with socket.socket(fileno=channel) as sock, contextlib.suppress(OSError):
        sock.send(f"status {status}".encode())
    return status


def today() -> datetime.date:
    """The calendar day here: what a module may have captured at import."""
    return datetime.date.today()
