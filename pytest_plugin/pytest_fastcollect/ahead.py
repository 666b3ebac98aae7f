"""A session collected ahead of time: the command of an earlier run, up to its first test.

The process becomes what the caller of that run was, with descriptors of the server's in the place
of the caller's, and runs pytest until `pytest_runtestloop`, or to where runs part that select other
tests (`selecting`). There it waits: each fork of it takes
over a caller's descriptors, writes what a cold run would have written by now, and goes on with the
tests.

As with imports it happens twice. The first process, the *probe*, finds out what is read, and ends
at the first thing that must not happen ahead of time; such a command is served a `warm` run.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import _pytest.timing
import pytest

from fastcollect_lsp import commands
from fastcollect_lsp.protocol import RunRequest

from . import descriptors, lifetime, run_child, sandbox, selecting, terminal
from .audit import Audit
from .census import Census
from .counts import Counts, overlook
from .descriptors import Descriptors
from .generators import SessionDraws, seed_again, unseeded
from .opened import Opened
from .state import STATE
from .tracing import Reads, environ_changes, raw_environ, traced_environ

if TYPE_CHECKING:
    from .stash import Stash
    from .waiting import Become, Checkpoint

_getpid, _exit = os.getpid, os._exit  # as they are before anybody watches who asks for what
_CLOCKS = frozenset(("_pytest.terminal", "_pytest.junitxml", "_pytest.runner"))
"""Modules of pytest that ask for the time before the first test: `_stamp` puts right what they
keep; the runner's is the duration of a collection, which nobody shows."""
_CATCHING = {
    "faulthandler": ("SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL"),
    "readline": ("SIGWINCH",),
}
"""Modules of Python that pytest has catch signals, as a fork goes on doing."""
END = b"\0end of what was printed\0"
"""Written behind what a session has printed."""


@dataclass(frozen=True)
class Collect:
    """In the new process: collect the session of a command, then wait."""

    request: RunRequest
    fds: list[int]
    stop: str
    """Where to wait: `configured`, `items` or `collected`."""
    probed: Mapping[str, str] | None
    """What the probe has found of generators; None in the probe itself."""


class Ahead:
    """The session that this process collects ahead of time."""

    def __init__(
        self, checkpoint: Checkpoint, collect: Collect, resumed: Callable[[int], None]
    ) -> None:
        """`resumed`: to be called in a run child, with the descriptor of its channel."""
        self._checkpoint = checkpoint
        self._collect = collect
        self._request = collect.request
        self._resumed = resumed
        self._pid = os.getpid()
        self._began = time.perf_counter()
        self._undo = contextlib.ExitStack()
        self._draws = SessionDraws(collect.probed)
        self._audit: Audit | None = None
        self._opened: Opened | None = None
        self._reads = Reads()
        self._counts = Counts()
        self._reports: list[pytest.CollectReport] = []
        self._waiting = False

    # ---------------------------------------------------------------- before the session

    def begin(self, stash: Stash) -> run_child.Start:
        """Become the caller; what is to be called then."""
        inherited = self._request.inherited
        control = run_child.move(self._checkpoint.control.detach(), inherited)
        self._checkpoint.control = socket.socket(fileno=control)
        lifetime.die_with_peer(self._checkpoint.control, os.getpid())
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        run_child.assume_state(self._request)
        for number, fd in enumerate(self._collect.fds):
            os.dup2(fd, number)
            os.close(fd)
        try:
            descriptors.reserve(inherited)
        except OSError as error:
            self.give_up(f"its descriptors cannot be kept free ({error.strerror})")
        run_child.assume_interpreter(self._request)
        start = run_child.prepare(self._request, stash)
        self._stash = stash
        stash.draws = self._draws
        self._unseeded = self._undo.enter_context(unseeded())
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._standard = [descriptors.identity(number) for number in range(3)]
        self._environ = raw_environ()
        if self._collect.probed is None:
            self._observe()
        self._arguments = sys.argv, sys.orig_argv
        self._undo.enter_context(descriptors.untried_tempdir())
        self._draws.resume()
        with self._unwatched():
            self._census = Census.take()
        return start

    def _observe(self) -> None:
        sandbox.forbid_contacts()
        importlib.invalidate_caches()  # what is looked for and not there is to be seen
        self._audit = Audit(self.give_up)
        with self._audit.paused():
            self._opened = Opened(json.loads(self._request.key.base)["root"])
        self._audit.wrap_functions(None)
        self._reads = self._undo.enter_context(traced_environ())
        overlook(self._audit)
        for name in ("time", "perf_counter"):
            setattr(_pytest.timing, name, self._asking(getattr(_pytest.timing, name)))
        if self._collect.stop != "collected":
            selecting.watch(self.give_up)

    def _unwatched(self) -> contextlib.AbstractContextManager[None]:
        return self._audit.paused() if self._audit is not None else contextlib.nullcontext()

    def _asking(self, clock: Callable[[], float]) -> Callable[[], float]:
        """pytest's own clock, noticing who asks."""

        def asking() -> float:
            frame = sys._getframe(1)
            while frame.f_globals.get("__name__") == "_pytest.timing" and frame.f_back is not None:
                frame = frame.f_back
            name = str(frame.f_globals.get("__name__"))
            if name not in _CLOCKS:
                self.give_up(f"{name} asks for the time")
            return clock()

        return asking

    # ---------------------------------------------------------------- what stands against it

    def give_up(self, reason: str) -> NoReturn:
        """This command is none to be collected ahead of time; the process ends."""
        if _getpid() == self._pid:
            self._checkpoint.tell(event="refused", reason=reason)
        _exit(0)

    def ended(self, error: BaseException | None = None) -> None:
        """The session is over, or has failed: ahead of time it has no end."""
        if not self._waiting:
            why = f" ({error!r})" if error is not None else ""
            self.give_up(f"it ends before the first test{why}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Before anything is written."""
        self.ended()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Something has been collected, or cannot be."""
        if report.failed:
            self.give_up(f"{report.nodeid or 'the session'} cannot be collected")
        self._reports.append(report)

    # ---------------------------------------------------------------- at the first test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Nothing is collected yet."""
        self._stop_at("configured", session)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session
    ) -> Generator[None, object, object]:
        """Nothing is deselected yet."""
        self._stop_at("items", session)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """The session is collected."""
        self._stop_at("collected", session)
        return (yield)

    def _stop_at(self, point: str, session: pytest.Session) -> None:
        """Wait here, if this is where; what comes then is done in run children only."""
        if point == self._collect.stop:
            self._stop(session)
            session.config.pluginmanager.unregister(self)

    def _stop(self, session: pytest.Session) -> None:
        from . import waiting

        with self._unwatched():
            self._look(session)
            for stream in self._streams[1:]:
                stream.flush()
            for number, stream in enumerate(self._request.streams[1:], 1):
                if stream is not None and stream.kind in ("tty", "pipe"):
                    os.write(number, END)
            if self._audit is not None:
                self._report(session)
                os._exit(0)
        self._restore = self._draws.end()
        if self._draws.drawn:
            self.give_up("draws random numbers that nobody has seeded")
        self._undo.close()
        self._changes = environ_changes(self._environ)
        if self._collect.stop == "collected":
            self._counts.collected(session)
        self._descriptors = self._find_descriptors()
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        lifetime.survive_peer(self._checkpoint.control)
        self._report(session)
        if gc.get_freeze_count():  # else somebody looks at the collector
            self._stash.freeze()
        self._waiting = True
        self._checkpoint.prepare = functools.partial(self._counts.read_ahead, session)
        became = self._checkpoint.wait()
        assert isinstance(became, waiting.Become), "all that a collected session can become"
        self._resume(session, became)

    def _find_descriptors(self) -> Descriptors:
        before = {number for number, *_ in self._census.descriptors}
        return Descriptors.of_session(self._standard, before)

    def _look(self, session: pytest.Session) -> None:
        """Whether this can be gone on with in a fork, and for another caller."""
        plugins = session.config.pluginmanager
        logging: Any = plugins.get_plugin("logging-plugin")
        enabled = getattr(logging, "_log_cli_enabled", None)
        # Not put back before the first test begins, so it tells of all that was logged so far.
        shown = getattr(getattr(logging, "log_cli_handler", None), "_first_record_emitted", True)
        if enabled is not None and enabled() and shown:
            self.give_up("log_cli has shown the time of what was logged")
        if self._collect.stop != "collected":
            try:
                selecting.look(session.config, self._request, self._arguments)
            except commands.Unclear as unclear:
                self.give_up(str(unclear))
        if (sys.stdin, sys.stdout, sys.stderr)[1:] != self._streams[1:]:
            self.give_up("a standard stream is replaced")
        caught = sum(
            1 << (getattr(signal, name) - 1)
            for module, names in _CATCHING.items()
            if module in sys.modules
            for name in names
        )
        hazard = self._census.hazard(self._find_descriptors().numbers, caught)
        if hazard is not None:
            self.give_up(hazard.replace(" at import", ""))

    def _report(self, session: pytest.Session) -> None:
        if self._audit is not None:
            self._draws.end()
        observed = self._audit.take() if self._audit is not None else None
        files = observed.files if observed is not None else set()
        if self._opened is not None:
            files |= self._opened.take() - self._counts.files(session)
        self._checkpoint.tell(
            event="ready",
            tests=session.testscollected,
            modules=len(sys.modules),
            elapsed_ms=(time.perf_counter() - self._began) * 1000,
            files=sorted(files),
            extents=dict.fromkeys(observed.kinds - files, 0) if observed is not None else {},
            directories=sorted(observed.directories | _searched()) if observed is not None else [],
            listings=sorted(observed.listings) if observed is not None else [],
            environ=sorted(self._reads.names),
            whole_environ=self._reads.whole,
            generators=self._draws.found,
            stamp=session.config.stash[STATE].stamp,
        )

    # ---------------------------------------------------------------- in a run child

    def _resume(self, session: pytest.Session, become: Become) -> None:
        began = time.perf_counter()
        request, channel = become.request, become.channel
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        try:
            run_child.enter(request.cwd)
            channel = run_child.descriptors_of(channel)
            terminal.find(become.fds)
            self._descriptors.take_over(become.fds)
            self._take_environ(request)
            run_child.rename_process()
            if self._collect.stop != "collected":
                selecting.select(session.config, self._request, request)
            self._renew_counts(session)
            run_child.commit(channel)
        except (run_child.Refused, commands.Unclear) as refused:
            with contextlib.suppress(OSError):
                channel.send(f"refuse {refused}".encode()[:4000])
            os._exit(0)
        except OSError:
            os._exit(0)
        self._resumed(channel.detach())
        session.config.stash[STATE].began = began
        for restore in self._restore:
            restore()
        seed_again(self._unseeded)
        _stamp(session)
        if request.run:
            _look_on(session, request.run, self._collect.stop == "collected")
        self._print(session, time.perf_counter() - began)

    def _renew_counts(self, session: pytest.Session) -> None:
        try:
            self._counts.renew(session, self._reports)
        except Exception as error:  # a cold run shows what it makes of that
            raise run_child.Refused(f"pytest's cache cannot be read ({error})") from None

    def _take_environ(self, request: RunRequest) -> None:
        """The caller's, in its order, and what the session has changed of it."""
        os.environ.clear()
        os.environ.update(request.env)
        for name, value in self._changes.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _print(self, session: pytest.Session, elapsed: float) -> None:
        """What a cold run would have printed by now, with the time that this one took."""
        output = self._checkpoint.output
        stamp = session.config.stash[STATE].stamp
        if stamp:
            before, _, after = output.rpartition(stamp.encode())
            output = before + f" in {elapsed:.3f}s".encode() + after
        stdout: Any = sys.stdout
        if output and stdout is not None:
            stdout.buffer.write(output)
            if stdout.line_buffering or stdout.write_through:
                stdout.flush()


def _searched() -> set[str]:
    return {os.path.abspath(path) for path in sys.path if path}


def _stamp(session: pytest.Session) -> None:
    """The session begins now."""
    timing: Any = _pytest.timing
    for plugin in session.config.pluginmanager.get_plugins():
        kind = type(plugin)
        if (kind.__module__, kind.__name__) == ("_pytest.junitxml", "LogXML"):
            plugin.pytest_sessionstart()
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(reporter, "_session_start"):
        reporter._session_start = timing.Instant()
        # Of a collection that is still to come, only one that takes its time is shown going on.
        if isinstance(reporter._collect_report_last_write, timing.Instant):
            reporter._collect_report_last_write = timing.Instant()
    elif reporter is not None:  # pytest up to 8.3
        reporter._sessionstarttime = timing.time()


def _look_on(session: pytest.Session, run: str, collected: bool) -> None:
    """Tell the server of this run, where an editor looks on."""
    from fastcollect_lsp import rendezvous

    from .reporting import connect

    place = rendezvous.place(str(session.config.rootpath))
    reporter = connect(session.config, place, run)
    if reporter is not None:
        session.config.pluginmanager.register(reporter, "fastcollect-reporter")
        if collected:
            reporter.pytest_collection_finish(session)
