"""A small project in a temporary directory, with a server of its own and a quick oracle."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import WARM, Bench, Compared, warm_runs

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Project, Result

HANG = float(os.environ.get("FASTCOLLECT_HANG", "60"))
"""Seconds after which a test that waits for an event is taken to hang: more on a busy machine."""

SLOW = "slow_to_import"
"""A module outside of every project that takes longer to import than a hand-over costs."""

_FOREIGN = (
    "-p no:asyncio -p no:pytest_lsp -p no:pytest-lsp -p no:hypothesispytest"
    " -p no:rerunfailures -p no:xdist -p no:xdist.looponfail"
)
"""Plugins of the environment that runs these tests: of no use to small projects, and slow."""


@dataclass(frozen=True)
class Shared:
    """What all small projects of a session share."""

    python: Path
    library: Path
    """A directory with `SLOW`, on PYTHONPATH."""
    bytecode: Path
    """A pycache prefix with the bytecode of pytest and the standard library."""


@dataclass
class SmallBench(Bench):
    """A bench whose oracle does not compile pytest anew each time.

    `-B` keeps what the oracle compiles out of the shared cache, so no bytecode of a project is ever
    in it: the project's own files are compiled from their sources every time, as in `Bench.cold`.
    """

    bytecode: Path = Path()
    warm_runs: int = 0
    """Warm runs that the server had counted when it was last asked."""

    def cold(self, *args: str) -> Result:
        """The oracle."""
        env = {**self.env, "PYTHONPYCACHEPREFIX": str(self.bytecode)}
        command = ["-p", "no:fastcollect", *args]
        return verify.run(self.project, command, env, ["-B"], scratch=self.scratch)

    @property
    def root(self) -> Path:
        """The project's root directory."""
        return self.project.root

    @property
    def command(self) -> list[str]:
        """`pytest`, as a program and its first argument."""
        return [self.project.interpreter, str(self.project.pytest)]

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files, given as text that may be indented; None removes one."""
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def warm_up(self, *args: str) -> Result:
        """A first run, which starts the server, and the time until it is warm."""
        first = self.pytest(*args)
        # On a busy machine the run can be over before the server that it started listens.
        eventually(lambda: self.status()["state"] != "stopped", "a server that listens")
        self.wait_until_warm()
        return first

    def compare_warm(self, *args: str) -> Compared:
        """`compare`, where a run that was served cold would prove nothing."""
        compared = self.compare(args)
        assert compared.served is not None, compared.warm.output
        assert compared.served["served"] in WARM, compared.served["reason"]
        return compared

    def served_warm(self) -> bool:
        """Whether a run was served warm since this was last asked."""
        before, self.warm_runs = self.warm_runs, warm_runs(self.status())
        return self.warm_runs > before

    def server_pid(self) -> int:
        """The server's process."""
        pid = self.status()["pid"]
        assert isinstance(pid, int), "no server is running"
        return pid

    def checkpoint_pids(self) -> dict[str, int]:
        """The warm processes by name, `pytest` being the zygote."""
        return {point["name"]: point["pid"] for point in self.status()["checkpoints"]}


@contextlib.contextmanager
def small_bench(shared: Shared, files: Mapping[str, str], **env: str) -> Iterator[SmallBench]:
    """A new project and its bench; both are gone at the end."""
    top = Path(tempfile.mkdtemp(prefix="fc-"))  # short: a socket's path has 107 bytes at most
    root = top / "project"
    root.mkdir()
    variables = {"PYTHONPATH": str(shared.library), "PYTEST_ADDOPTS": _FOREIGN, **env}
    bench = SmallBench(Project(root, shared.python), top / "run", variables, shared.bytecode)
    bench.write(files)
    try:
        yield bench
    finally:
        bench.stop_server()
        shutil.rmtree(top, ignore_errors=True)


def eventually(condition: Callable[[], Any], what: str, timeout: float = HANG) -> Any:
    """The first true value of `condition`; for what nothing can be waited on (files appearing)."""
    deadline = time.monotonic() + timeout
    nothing = select.poll()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        nothing.poll(5)
    return value


def ended(pid: int, timeout: float = HANG) -> bool:
    """Wait for the end of any process; False if it still runs after `timeout` seconds."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(pidfd)


def header(output: str) -> str:
    """What our line in pytest's header says after the bar; empty where there is none."""
    for line in output.splitlines():
        if line.startswith("fastcollect: v"):
            return line.partition(" | ")[2].strip()
    return ""


def passed(result: Result) -> Sequence[str]:
    """Names of the tests that passed."""
    return [name for name, outcome in result.outcomes if outcome == "passed"]
