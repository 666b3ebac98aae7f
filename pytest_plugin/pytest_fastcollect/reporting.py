"""Tells the server what happens in this run, where an editor looks on.

Nothing here may change the run: a server that is slow, gone or wrong costs the editor its view, and
the run nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from fastcollect_lsp import __version__, client, protocol, reports
from fastcollect_lsp.protocol import Hello
from fastcollect_lsp.rendezvous import Place
from fastcollect_lsp.reports import Begun, Orders

from .failures import KEY, Failures
from .items import file_reports
from .line import Line

ANSWER_TIMEOUT = 2.0
"""Seconds for the server to say whether anybody wants to know."""


def connect(
    config: pytest.Config, place: Place, run: str, cold: str | None = None
) -> Reporter | None:
    """A reporter for this run, if the server is there and anybody wants to know of it."""
    hello = Hello(kind="report", version=__version__, pid=os.getpid(), run=run)
    try:
        sock = client.open_connection(place, hello, ANSWER_TIMEOUT)
        if sock is None:
            return None
        began = Begun(
            args=[str(argument) for argument in config.invocation_params.args],
            root=str(config.rootpath),
            began_ns=time.time_ns(),
            cold=cold,
        )
        protocol.send(sock, reports.to_message(began), limit=protocol.MAX_CONTROL_FRAME)
        answer = protocol.receive(sock, protocol.FrameReader(max_fds=0))
        orders = reports.parse_orders(answer) if answer is not None else Orders()
    except (OSError, client.Unavailable, protocol.ProtocolError):
        return None
    if not orders.wanted:
        sock.close()
        return None
    return Reporter(config, Line(sock), orders)


class Reporter:
    """The plugin object: pytest's hooks, told to the server."""

    def __init__(self, config: pytest.Config, line: Line, orders: Orders) -> None:
        self.line = line
        self.orders = orders
        self._config = config
        self._failures = Failures(config)
        self._untold = 0.0

    @contextlib.contextmanager
    def _harmless(self) -> Generator[None, None, None]:
        """Items and reports of other plugins may be anything: what goes wrong in here costs the
        editor its view of this run."""
        try:
            yield
        except Exception as error:
            self.line.send(reports.Trouble(f"fastcollect lost sight of this run: {error!r}"))
            self.line.close()

    # ---------------------------------------------------------------- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Workers of pytest-xdist would not be measured. What its own hook does comes next."""
        if self.orders.kind == "coverage" and hasattr(config.option, "numprocesses"):
            config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """What was ordered begins here."""
        if self.orders.kind == "debug":
            from .debugging import wait_for_debugger

            wait_for_debugger(self.line.send)
        elif self.orders.kind == "coverage":
            from .contexts import measuring

            if (contexts := measuring()) is not None:
                config.pluginmanager.register(contexts, "fastcollect-contexts")
        config.pluginmanager.register(self._failures, "fastcollect-failures")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """pytest-xdist: tests run in workers, where failures have to be looked at."""
        node.workerinput["fastcollect_failures"] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> Any:
        """A report of a worker arrives."""
        detail = data.pop(KEY, None)
        report = yield
        if detail is not None and isinstance(report, pytest.TestReport):
            self._failures.keep(report, detail)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What could not be collected."""
        if report.failed:
            with self._harmless():
                self.line.send(self._failures.of_collection(report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Take out what the editor has excluded."""
        excluded = frozenset(self.orders.exclude)
        gone = [item for item in items if not excluded.isdisjoint(lineage(item.nodeid))]
        if gone:
            out = set(map(id, gone))
            items[:] = [item for item in items if id(item) not in out]
            config.hook.pytest_deselected(items=gone)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Now it is certain what will be run, or what there is."""
        with self._harmless():
            if self.orders.kind == "collect":
                for collected in file_reports(session):
                    self.line.send(collected)
            elif not self._config.option.collectonly:
                self.line.send(reports.Selected([item.nodeid for item in session.items]))

    # ---------------------------------------------------------------- the run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """The setup of an item begins."""
        self.line.send(reports.Started(nodeid))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Any:
        """A phase is over; the terminal has counted it once the other hooks have been called."""
        detail = self._failures.take(report)
        result = yield
        with self._harmless():
            self._tell(self._failures.phase(report, self._category(report), detail))
        return result

    def _tell(self, phase: reports.Phase) -> None:
        """Most phases only take time: a setup's is told with the call, a teardown's is not."""
        said = phase.when == "teardown" and any(
            heading.endswith("teardown") for heading, _ in phase.sections
        )
        if phase.category or phase.failure is not None or said:
            duration, self._untold = phase.duration + self._untold, 0.0
            self.line.send(replace(phase, duration=duration))
        elif phase.when == "setup":
            self._untold = phase.duration

    def _category(self, report: pytest.TestReport) -> str:
        """How the terminal has counted this report, plugins' own categories included."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            for category, counted in terminal.stats.items():
                if counted and counted[-1] is report:
                    return str(category)
            return ""
        if hasattr(report, "wasxfail"):
            return "xfailed" if report.skipped else "xpassed" if report.passed else "failed"
        if report.when == "call" or not report.passed:
            return "error" if report.failed and report.when != "call" else str(report.outcome)
        return ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Any:
        """The exit status is known when all others are done."""
        try:
            return (yield)
        finally:
            self.line.send(reports.Finished(int(session.exitstatus)))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """The end; also where there was no session at all."""
        self.line.close()


def lineage(nodeid: str) -> list[str]:
    """A node id and all those above it: `a/b.py::C::f[x]` → itself, `…::f`, `…::C`, `a/b.py`, `a`.

    As `pytest` builds ids; a parameter set may itself hold `::` and `[`.
    """
    found = [nodeid]
    path, _, rest = nodeid.partition("::")
    name, bracket, _ = rest.partition("[")
    if bracket:
        found.append(f"{path}::{name}")
    while "::" in name:
        name = name.rpartition("::")[0]
        found.append(f"{path}::{name}")
    if rest:
        found.append(path)
    while "/" in path:
        path = path.rpartition("/")[0]
        found.append(path)
    return found


class Worker:
    """Plugin object in a worker of pytest-xdist: sends what is known of failures along."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self, report: Any) -> Any:
        """A report is on its way to the controller."""
        data = yield
        detail = self._failures.take(report) if isinstance(report, pytest.TestReport) else None
        if detail and data is not None:
            data[KEY] = detail
        return data


def in_worker(config: pytest.Config) -> None:
    """In a worker of pytest-xdist whose controller reports: look at failures where they happen."""
    failures = Failures(config)
    config.pluginmanager.register(failures, "fastcollect-failures")
    config.pluginmanager.register(Worker(failures), "fastcollect-worker")
