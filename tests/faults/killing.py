"""Runs whose processes are killed: what became of their tests, and what was left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastcollect_lsp import client
from fastcollect_lsp.rendezvous import Place
from tests.support import HANG, Shared, SmallBench, eventually, small_bench

LEFT_OVER_S = 2.0
"""Seconds after which nothing of a run that has ended may be left."""
LOST = client.LOST_RUN_EXIT

MARKING = """\
import os, time
import pytest
import slow_to_import

@pytest.fixture(autouse=True)
def marker(request):
    fd = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{os.getpid()} {request.node.nodeid}\\n".encode())
    os.close(fd)
    time.sleep(0.004)
"""
FILES = {
    "conftest.py": MARKING,
    "product.py": "VALUE = 0\n",
    **{
        f"test_{name}.py": """\
            import pytest, product
            @pytest.mark.parametrize("i", range(4))
            def test_many(i): assert product.VALUE >= 0
            """
        for name in "abc"
    },
    "test_fails.py": "def test_fails(): assert 0\n",
}
"""A project whose tests write down that they are executed."""
NODE_IDS = [f"test_{name}.py::test_many[{i}]" for name in "abc" for i in range(4)]
NODE_IDS.append("test_fails.py::test_fails")
EXIT = 1
"""What pytest says of it."""


@dataclass(frozen=True)
class Ended:
    """A run that is over."""

    exit: int
    output: str
    pid: int
    executed: Counter[str]
    """How often each test was begun."""

    @property
    def right(self) -> bool:
        """As cold pytest: every test once, and the exit status that says so."""
        return self.exit == EXIT and self.executed == Counter(NODE_IDS)

    @property
    def torn(self) -> bool:
        """Killed in the middle, and saying so; no test begun twice."""
        killed = self.exit in (-signal.SIGKILL, LOST)
        return killed and max(self.executed.values(), default=0) <= 1

    def __str__(self) -> str:
        return f"exit {self.exit}, {dict(self.executed)}\n{self.output}"


@dataclass
class KillBench:
    """A project, its server, and what is needed to kill some of it and look at the rest."""

    bench: SmallBench
    marks: Path
    native: Path | None = None
    """The native command, where it is installed."""
    edits: int = 0
    commands: int = 0
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    # ---------------------------------------------------------------- runs

    def command(self, kind: str) -> list[str]:
        """`plugin` or `native`; with `other` a command line that was never seen before.

        The plugin by `-m`: a script called `pytest` may become the native command at its start.
        """
        by, _, other = kind.partition(" ")
        plugin = [str(self.bench.project.python), "-m", "pytest"]
        start = [str(self.native), "run"] if by == "native" else plugin
        self.commands += 1
        return [*start, *([f"--junit-prefix=p{self.commands}"] if other else [])]

    def start(self, kind: str = "plugin") -> subprocess.Popen[str]:
        """Begin a run."""
        self.marks.unlink(missing_ok=True)
        process = subprocess.Popen(
            self.command(kind), cwd=self.bench.root, text=True,
            env={**self.bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        """The end of a run, with all that it has left behind gone. Fails where it hangs."""
        try:
            output, _ = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"hangs: {process.args!r}; {self.log()}") from None
        self.started.remove(process)
        self.expect_no_left_overs()
        return Ended(process.returncode, output, process.pid, self.executed())

    def run(self, kind: str = "plugin") -> Ended:
        """A whole run."""
        return self.finish(self.start(kind))

    def executed(self) -> Counter[str]:
        """How often each test was begun, by whatever process."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        return Counter(line.split(" ", 1)[1] for line in lines)

    def edit(self) -> None:
        """Change a module that every test file imports."""
        self.edits += 1
        self.bench.write({"product.py": f"VALUE = {self.edits}\n"})

    # ---------------------------------------------------------------- the server

    @property
    def place(self) -> Place | None:
        """Where the server is met; None where no directory of a server is."""
        servers = self.bench.servers()
        return Place(str(self.bench.root), "", servers[0]) if servers else None

    def status(self, kind: str = "status", **details: Any) -> dict[str, Any] | None:
        """What the server says of itself; None without one, or where it ends meanwhile."""
        if (place := self.place) is None:
            return None
        with contextlib.suppress(client.Unavailable):
            return client.ask(place, kind, HANG, **details)
        return None

    def warm(self) -> dict[str, Any]:
        """Have a server, and wait until it is warm."""

        def is_warm() -> dict[str, Any] | None:
            status = self.status("warm", patience_s=HANG)
            return status if status is not None and status["state"] == "warm" else None

        if self.status() is None:
            self.run()
        return eventually(is_warm, "a warm server")  # type: ignore[no-any-return]

    def log(self) -> str:
        """The end of the server's log."""
        place = self.place
        text = place.log.read_text() if place is not None and place.log.exists() else ""
        return "\n".join(text.splitlines()[-40:])

    # ---------------------------------------------------------------- processes

    def processes(self) -> dict[int, int]:
        """All that has to do with this server's directory: process group by pid."""
        tag = f"FASTCOLLECT_DIR={self.bench.directory}\0".encode()
        found = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    if tag in file.read() + b"\0":
                        found[int(name)] = os.getpgid(int(name))
        return found

    def strays(self) -> dict[int, str]:
        """Processes that are neither the server, nor warm, nor runs that were begun here."""
        status = self.status() or {}
        server = status.get("pid", 0)
        processes = self.processes()
        # All warm processes are in the group of their zygote, also when that is gone.
        warm = {processes.get(point["pid"]) for point in status.get("checkpoints", ())}
        running = {process.pid for process in self.started}
        found = {}
        for pid, group in processes.items():
            if pid not in (server, *running) and group not in warm:
                found[pid] = _describe(pid)
        return found

    def expect_no_left_overs(self) -> None:
        """Fails where something is left that belongs to nobody. A server may be starting."""
        deadline = time.monotonic() + LEFT_OVER_S

        def left() -> dict[int, str]:
            return {
                pid: what
                for pid, what in self.strays().items()
                if "fastcollect_lsp.server" not in what and what
            }

        while (found := left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        # On a busy machine a process that is starting, or one that was killed, takes its time: what
        # nobody will end is still there much later.
        if found:
            deadline = time.monotonic() + 5 * LEFT_OVER_S
            while (again := {pid: what for pid, what in left().items() if pid in found}) and (
                time.monotonic() < deadline
            ):
                time.sleep(0.05)
            assert not again, f"left over: {again}; {self.log()}"

    def expect_nothing(self) -> None:
        """Stop the server. Fails where a process or a file of it stays."""
        stopped = self.bench.fastcollect("stop")
        assert stopped.returncode == 0, stopped.stderr
        eventually(lambda: not self.processes(), "the end of all processes", timeout=10.0)
        left = [path for path in self.bench.directory.rglob("*") if "cache" not in path.parts]
        assert not left, left

    def victim(self, kind: str, caller: int) -> int | None:
        """The pid of a process of that kind: caller, server, zygote, checkpoint, child."""
        if kind == "caller":
            return caller
        if kind == "child":
            found = [pid for pid, group in self.processes().items() if pid == group != caller]
            status = self.status() or {}
            warm = {point["pid"] for point in status.get("checkpoints", ())}
            return next((pid for pid in found if pid not in warm), None)
        status = self.status() or {}
        if kind == "server":
            return status.get("pid")
        points = {point["pid"]: point["name"] for point in status.get("checkpoints", ())}
        wanted = [pid for pid, name in points.items() if (name == "pytest") == (kind == "zygote")]
        return random.choice(wanted) if wanted else None


def _describe(pid: int) -> str:
    """What a process is; empty where it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().replace(b"\0", b" ").decode(errors="replace")
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()
        return f"{command.strip()[:200]} (state {state[0]}, parent {state[1]}, group {state[2]})"
    except OSError:
        return ""


@contextlib.contextmanager
def kill_bench(shared: Shared, files: dict[str, str] = FILES, **env: str) -> Iterator[KillBench]:
    """A warm project of tests that are counted; at its end everything is gone, files too."""
    with small_bench(shared, files, **env) as bench:
        marks = bench.root.parent / "marks"
        bench.extra_env["MARKS"] = str(marks)
        native = bench.project.python.parent / "fastcollect"
        made = KillBench(bench, marks, native if is_native(native) else None)
        try:
            yield made
            made.expect_nothing()
        finally:
            for process in made.started:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=1)


def is_native(path: Path) -> bool:
    """Whether the command is the program and not a script."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def seed() -> int:
    """What chooses: `FASTCOLLECT_SEED`."""
    return int(os.environ.get("FASTCOLLECT_SEED", "0"))


def kill_at(
    pick: Callable[[], int | None], delay: float, process: subprocess.Popen[str]
) -> int | None:
    """Kill what `pick` finds, after a delay (s), as long as a run goes on; its pid, or None."""
    time.sleep(delay)
    while True:
        pid = pick()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return pid
        if process.poll() is not None:
            return None
        time.sleep(0.002)


def tally(outcomes: Sequence[str]) -> str:
    """Counts, for the report of a long test."""
    return ", ".join(f"{what}: {count}" for what, count in sorted(Counter(outcomes).items()))
