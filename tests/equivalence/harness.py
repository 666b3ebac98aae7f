"""The one harness: any project and command line, cold and warm, compared.

What the comparison means is in `fastcollect_lsp.verify`, which users run too; this adds a server of
the test's own and the environment of a person at a terminal.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastcollect_lsp import client, verify
from fastcollect_lsp.cli import fetch_status
from fastcollect_lsp.client import Unavailable
from fastcollect_lsp.rendezvous import Place
from fastcollect_lsp.status import to_json
from fastcollect_lsp.verify import Project, Result

WARM = ("warm", "collected")
"""How a run is served that is not cold."""
WARM_HEADERS = tuple(f"Daemon: active, {depth}" for depth in WARM)
DEEPEST = ("modules", "collected")
"""Checkpoints that have executed all that a run imports."""
WARM_TIMEOUT = 300.0
"""Seconds; only a hang takes that long."""


def warm_runs(status: dict[str, Any]) -> int:
    """How many runs a server has served warm, to whatever depth."""
    runs: dict[str, int] = status.get("runs", {})
    return sum(runs.get(depth, 0) for depth in WARM)


@dataclass(frozen=True)
class Compared:
    """A warm run beside its oracle."""

    cold: Result
    warm: Result
    served: dict[str, Any]
    """`last_run` of the server's status."""
    differences: tuple[str, ...]


@dataclass
class Bench:
    """A project with a server directory of its own."""

    project: Project
    directory: Path
    extra_env: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """A person's environment: none of the pytest that runs these tests, and no CI."""
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "FASTCOLLECT", "COVERAGE_", "PYTHON"))
            and name != "CI"
        }
        return {**env, "COLUMNS": "100", "FASTCOLLECT_DIR": str(self.directory), **self.extra_env}

    @property
    def scratch(self) -> Path:
        """Where reports are written: pytest prints it, in a line that is as wide as it is long."""
        scratch = self.directory.with_name(f"{self.directory.name}-report")
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch

    def pytest(self, *args: str) -> Result:
        """`pytest` as a person types it, again and again."""
        return verify.run(self.project, args, self.env, scratch=self.scratch)

    def cold(self, *args: str) -> Result:
        """The oracle."""
        return verify.run_cold(self.project, args, self.env, self.scratch)

    def fastcollect(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The `fastcollect` command."""
        return subprocess.run(
            [str(self.project.python), "-m", "fastcollect_lsp", *args],
            cwd=self.project.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=WARM_TIMEOUT + 60,
        )

    def servers(self) -> list[Path]:
        """Directories of servers that were started here."""
        if not self.directory.is_dir():
            return []
        directories = (path for path in self.directory.iterdir() if path.is_dir())
        return sorted(path for path in directories if path.name not in ("cache", "commands"))

    def _only_server(self) -> Place | None:
        """The one that was started here; None where there are several, or none."""
        servers = self.servers() if "FASTCOLLECT_DIR" not in self.extra_env else []
        root, interpreter = str(self.project.root), str(self.project.python)
        return Place(root, interpreter, servers[0]) if len(servers) == 1 else None

    def status(self, wait: float = 0.0) -> dict[str, Any]:
        """What `fastcollect status --json --wait WAIT` prints.

        The one server is asked from here, as the command would: a process for each question is a
        fifth of the time of these tests.
        """
        place = self._only_server()
        if place is not None:
            with suppress(Unavailable):
                return to_json(fetch_status(place, wait))
        done = self.fastcollect("status", "--json", "--wait", str(wait))
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def stop_server(self) -> None:
        """As `fastcollect stop`."""
        place = self._only_server()
        try:
            if place is not None and client.stop_server(place, client.DECISION_TIMEOUT):
                return
        except Unavailable:
            pass
        self.fastcollect("stop")

    def wait_until_warm(self) -> dict[str, Any]:
        """The status once nothing is being built any more."""
        return self.status(WARM_TIMEOUT)

    def compare(self, args: Sequence[str] = ()) -> Compared:
        """A run with whatever the server has, then the oracle.

        Where they differ the oracle is asked again: what two cold runs do not agree upon says
        nothing about a warm one.
        """
        warm = self.pytest(*args)
        served = self.status()["last_run"]
        cold = self.cold(*args)
        found = verify.differences(cold, warm)
        if found:
            found = verify.compare(cold, warm, self.cold(*args))
        return Compared(cold, warm, served, found)


@contextmanager
def bench(project: Project, directory: Path, **env: str) -> Iterator[Bench]:
    """A bench whose server is stopped at the end, whatever happens."""
    made = Bench(project, directory, dict(env))
    try:
        yield made
    finally:
        made.stop_server()
