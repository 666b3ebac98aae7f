"""A checkpoint: a process that waits at a point of a run to be forked.

Talks to the server over one Unix socket; ends when that closes and no run is left. Messages from
the server are objects with `do`: grow, collect, describe, printed, standby, relax, run, exit.
Messages to it have `event`.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

from fastcollect_lsp import protocol
from fastcollect_lsp.protocol import RunRequest

from . import lifetime
from .ahead import Collect
from .checks import Unattributed
from .describe import Describe, Interpreter
from .plan import Barrier, Plan
from .replay import Replay
from .standby import Pages, Standby, await_run
from .stash import Stash


@dataclasses.dataclass
class _Run:
    """A run child of this checkpoint."""

    id: str
    pid: int
    pidfd: int
    channel: socket.socket
    began: float


@dataclasses.dataclass(frozen=True)
class Grow:
    """In the new process: execute a plan, then wait as a checkpoint."""

    plan: Plan


@dataclasses.dataclass(frozen=True)
class Become:
    """In the new process: be a run."""

    request: RunRequest
    fds: list[int]
    channel: socket.socket
    record: bool


class Checkpoint:
    """This process, waiting."""

    def __init__(self, control: socket.socket, stash: Stash, interpreter: Interpreter) -> None:
        self.control = control
        self.stash = stash
        self.interpreter = interpreter
        self.output = b""
        """What the session that was collected ahead of time here has printed."""
        self.pages: Pages | None = None
        """What runs that are forked from here come to need."""
        self.prepare: Callable[[], None] = lambda: None
        """What a fork that waits for its run can do before that comes."""
        self._standby: Standby | None = None
        self._reader = _reader()
        self._runs: dict[int, _Run] = {}

    def tell(self, **message: Any) -> None:
        """Send the server a message; a server that is gone is noticed elsewhere."""
        with contextlib.suppress(OSError):
            protocol.send(self.control, message, limit=protocol.MAX_CONTROL_FRAME)

    def wait(self) -> Grow | Collect | Describe | Become:
        """Serve until this process is the forked one; then say what it is to be."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        while True:
            for fd, events in poll.poll(None if self._can_wait() else 50):
                if fd == self.control.fileno():
                    became = self._serve(poll)
                    if became is not None:
                        return became
                elif fd in self._runs:
                    self._reap(self._runs[fd], poll)
                else:
                    self._caller_left(fd, events, poll)
            if not self._can_wait():
                for run in list(self._runs.values()):
                    self._reap(run, poll)

    def _can_wait(self) -> bool:
        return all(run.pidfd >= 0 for run in self._runs.values())

    def _serve(self, poll: select.poll) -> Grow | Collect | Describe | Become | None:
        try:
            alive = self._reader.receive(self.control)
        except (OSError, protocol.ProtocolError):
            alive = False
        if not alive:
            poll.unregister(self.control)
            self._drain()
        while (message := self._reader.next_frame()) is not None:
            do = message.get("do")
            if do == "exit":
                self._drain()
            if do == "grow":
                became: Grow | Collect | Describe | Become | None = self._fork_grow(message)
            elif do == "collect":
                became = self._fork_collect(message, self._reader.take_fds(3))
            elif do == "describe":
                became = self._fork_describe(message, self._reader.take_fds(1))
            elif do == "printed":
                self.output = base64.b64decode(message["output"])
                became = None
            elif do == "standby":
                became = self._stand_by()
            elif do == "relax":
                self._relax()
                became = None
            elif do == "run":
                became = self._fork_run(message, self._reader.take_fds(protocol.RUN_FDS), poll)
            else:
                became = None
            if became is not None:
                return became
        return None

    def _drain(self) -> NoReturn:
        """The server is gone or wants us gone: see the runs in progress to their end, then end."""
        self._relax()
        for run in self._runs.values():
            self._finish(run, _wait(run.pid))
        os._exit(0)

    # ------------------------------------------------------------------ growing

    def _fork_grow(self, message: dict[str, Any]) -> Grow | None:
        grow = Grow(_parse_plan(message["plan"]))
        if not message.get("fork", True):
            return grow
        return grow if self._fork_checkpoint(message) else None

    def _fork_collect(self, message: dict[str, Any], fds: list[int]) -> Collect | None:
        request = protocol.parse_run_request(message["request"])
        if self._fork_checkpoint(message):
            return Collect(request, fds, str(message["stop"]), message["probed"])
        for fd in fds:
            os.close(fd)
        return None

    def _fork_describe(self, message: dict[str, Any], fds: list[int]) -> Describe | None:
        native = protocol.parse_native_request(message["native"])
        answer = socket.socket(fileno=fds[0])
        with contextlib.suppress(OSError):  # who waits for the answer sees that there is none
            if os.fork() == 0:
                self._become_child()
                return Describe(native, answer, self.interpreter)
        answer.close()
        self._reap_checkpoints()
        return None

    def _fork_checkpoint(self, message: dict[str, Any]) -> bool:
        """Fork a process that the server gets a socket to; True in that process."""
        try:
            ours, theirs = socket.socketpair()
            pid = os.fork()
        except OSError as error:  # what waits here, and the runs that go on, are worth keeping
            self.tell(event="grown", id=message["id"], pid=0, failure=error.strerror)
            return False
        if pid == 0:
            ours.close()
            self._become_child()
            self.pages = None
            self.control = theirs
            return True
        theirs.close()
        with ours, contextlib.suppress(OSError):
            protocol.send(
                self.control, {"event": "grown", "id": message["id"], "pid": pid}, (ours.fileno(),)
            )
        # The checkpoint outlives us if we go first, so it must not stay our zombie.
        self._reap_checkpoints()
        return False

    def _reap_checkpoints(self) -> None:
        """Collect checkpoints that have ended; run children are waited for by their pid."""
        running = {run.pid for run in self._runs.values()}
        with contextlib.suppress(ChildProcessError):
            while True:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if info is None or info.si_pid in running:
                    return
                os.waitpid(info.si_pid, 0)

    def _become_child(self) -> None:
        self.control.close()
        for run in self._runs.values():
            run.channel.close()
            if run.pidfd >= 0:
                os.close(run.pidfd)
        self._runs.clear()
        self._relax()
        for fd in self._reader.take_fds():  # of a caller that comes next, in our parent
            os.close(fd)
        self._reader = _reader()

    def grow(self, grow: Grow) -> None:
        """Execute the plan; ends the process at a barrier, or if it was only a probe."""
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        current = -1
        # Imports can take for ever: end with the server even then.
        lifetime.die_with_peer(self.control, os.getpid())

        def announce(index: int) -> None:
            nonlocal current
            current = index
            self.tell(event="step", index=index)

        try:
            os.chdir(grow.plan.record.cwd)
            replay = Replay(grow.plan, self.stash, announce)
            replay.run()
        except Unattributed:
            self.tell(event="careful")
            os._exit(0)
        except BaseException as error:
            reason = str(error) if isinstance(error, Barrier) else repr(error)
            module = error.module if isinstance(error, Barrier) else None
            self.tell(event="barrier", index=current, module=module, reason=reason)
            os._exit(0)
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        report = replay.report
        lifetime.survive_peer(self.control)
        self.tell(
            event="ready",
            files=report.files,
            directories=sorted(report.directories),
            extents={**dict.fromkeys(report.kinds - report.files.keys(), 0), **report.extents},
            libraries=report.libraries,
            costs_ms=report.costs_ms,
            environ=report.environ,
            whole_environ=report.whole_environ,
            captured=report.captured,
            generators=report.generators,
            barriers=report.barriers,
            contained=report.contained,
            modules=report.modules,
            elapsed_ms=report.elapsed_ms,
        )
        if grow.plan.probe:
            os._exit(0)
        os.chdir("/")
        self.stash.freeze()

    # ------------------------------------------------------------------ running

    def _fork_run(
        self, message: dict[str, Any], fds: list[int], poll: select.poll
    ) -> Become | None:
        began = time.perf_counter()
        run_id = str(message["id"])
        if len(fds) != protocol.RUN_FDS:
            for fd in fds:
                os.close(fd)
            return None
        if not message.get("fork", True):
            self.tell(event="forked", id=run_id, pid=os.getpid(), fork_ms=0.0)
            self._become_child()
            return _parse_become(message, fds)
        standby, self._standby = self._standby, None
        if standby is not None and standby.hand(message, fds):
            pid, pidfd = standby.pid, standby.pidfd
        else:
            if standby is not None:
                standby.forget()
            try:
                pid = os.fork()
            except OSError as error:
                self._refuse(run_id, fds, f"no process can be made ({error.strerror})")
                return None
            if pid == 0:
                self._become_child()
                return _parse_become(message, fds)
            try:
                pidfd = os.pidfd_open(pid)
            except (AttributeError, OSError):
                pidfd = -1
        for fd in fds[:3]:
            os.close(fd)
        channel = socket.socket(fileno=fds[3])
        self._runs[pidfd if pidfd >= 0 else -pid] = _Run(run_id, pid, pidfd, channel, began)
        if pidfd >= 0:
            poll.register(pidfd, select.POLLIN)
        poll.register(channel, 0)  # POLLHUP only: the caller has gone
        fork_ms = (time.perf_counter() - began) * 1000
        self.tell(event="forked", id=run_id, pid=pid, fork_ms=fork_ms)
        return None

    def _refuse(self, run_id: str, fds: list[int], reason: str) -> None:
        """Tell everybody that there will be no such run; those that go on are nobody else's."""
        for fd in fds[:3]:
            os.close(fd)
        with socket.socket(fileno=fds[3]) as channel, contextlib.suppress(OSError):
            channel.send(f"refuse {reason}".encode())
        self.tell(event="unforked", id=run_id, reason=reason)

    def _stand_by(self) -> Become | None:
        """Have a fork ready for the next run; in that fork, the run once it has come."""
        if self._standby is not None and self._standby.alive:
            return None
        self._relax()
        if self.pages is None:
            with contextlib.suppress(OSError, ValueError):
                self.pages = Pages()
        made = Standby.fork()
        if not isinstance(made, socket.socket):
            self._standby = made
            return None
        self._become_child()
        if self.pages is not None:
            self.pages.prepare()
        with contextlib.suppress(Exception):  # the run itself will tell
            self.prepare()
        return _parse_become(*await_run(made))

    def _relax(self) -> None:
        if self._standby is not None:
            self._standby.forget()
            self._standby = None

    def _reap(self, run: _Run, poll: select.poll) -> None:
        if run.pidfd < 0:
            pid, status = os.waitpid(run.pid, os.WNOHANG)
            if pid == 0:
                return
        else:
            status = _wait(run.pid)
            poll.unregister(run.pidfd)
            os.close(run.pidfd)
        with contextlib.suppress(KeyError):
            poll.unregister(run.channel)
        del self._runs[run.pidfd if run.pidfd >= 0 else -run.pid]
        self._finish(run, status)

    def _finish(self, run: _Run, status: int) -> None:
        with run.channel, contextlib.suppress(OSError):
            # What a finished run leaves running is not ours to kill.
            lifetime.survive_peer(run.channel)
            run.channel.send(f"status {status}".encode())
        wall_ms = (time.perf_counter() - run.began) * 1000
        self.tell(event="ended", id=run.id, status=status, wall_ms=wall_ms)

    def _caller_left(self, fd: int, events: int, poll: select.poll) -> None:
        """A caller that is gone takes its run with it, as a closing terminal would."""
        for run in self._runs.values():
            if run.channel.fileno() == fd and events & (select.POLLHUP | select.POLLERR):
                poll.unregister(fd)
                if not lifetime.dies_with_peer(fd):  # not begun, or over
                    if _is_stopped(run.pid):
                        os.kill(run.pid, signal.SIGKILL)
                    return  # else it ends by itself
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(run.pid, signal.SIGKILL)


def _reader() -> protocol.FrameReader:
    return protocol.FrameReader(protocol.MAX_CONTROL_FRAME, protocol.CONTROL_FDS)


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] in ("T", "t")
    except OSError:
        return False


def _wait(pid: int) -> int:
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 70 << 8


def _parse_become(message: dict[str, Any], fds: list[int]) -> Become:
    request = protocol.parse_run_request(message["request"])
    channel = socket.socket(fileno=fds[3])
    return Become(request, fds[:3], channel, bool(message.get("record")))


def _parse_plan(data: dict[str, Any]) -> Plan:
    return Plan(
        record=protocol.parse_record(data["record"]),
        first=int(data["first"]),
        last=int(data["last"]),
        skip=frozenset(data["skip"]),
        changed=frozenset(data["changed"]),
        probe=bool(data["probe"]),
        environ=dict(data["environ"]),
        generators=dict(data["generators"]),
        careful=bool(data["careful"]),
        libraries=int(data["libraries"]),
        pending=bool(data["pending"]),
    )
