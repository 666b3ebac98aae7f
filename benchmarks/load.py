"""Terminals and editors at once on one server: every result right, and how long a hand-over takes.

usage: python benchmarks/load.py [--python PATH] [--minutes N] [--terminals N] [--editors N]

PATH: the interpreter of an environment with pytest-fastcollect. A hand-over is the time from the
start of the command to its test loop. Results go to `benchmarks/results/load.md`. `PYTEST_ADDOPTS`
counts: plugins that an environment has for other purposes are best switched off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.endurance import unique_bytes

RESULTS = Path(__file__).parent.resolve() / "results"
MODULES = 5
TESTS = 6
"""Tests in each module, the last of which fails."""
TIMEOUT_S = 120
PAUSE_S = 4.0
"""Between two runs of one person, at most."""
CONFTEST = """\
import os, time
time.sleep(0.2)
def pytest_runtestloop(session):
    mark = os.environ.get("MARK")
    if mark:
        with open(mark, "w") as file:
            file.write(str(time.time_ns()))
"""
MODULE = f"""\
import pytest
import product
@pytest.mark.parametrize("i", range({TESTS - 1}))
def test_many(i): assert product.VALUE >= 0
def test_fails(): assert product.VALUE < 0
"""


@dataclass
class Tally:
    """What was seen; shared by all threads."""

    until: float
    taken_ms: dict[str, list[float]] = field(default_factory=dict)
    """Hand-overs, by who asked."""
    runs: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def goes_on(self) -> bool:
        """Whether there is time left, and nothing has been wrong so far."""
        return time.monotonic() < self.until and not self.wrong

    def right(self, who: str, taken_ms: float | None = None) -> None:
        """A run was."""
        with self.lock:
            self.runs[who] = self.runs.get(who, 0) + 1
            if taken_ms is not None:
                self.taken_ms.setdefault(who, []).append(taken_ms)


def terminal(number: int, tally: Tally, root: Path, env: Mapping[str, str], python: Path) -> None:
    """A person who runs now this, now that; some of it again and again."""
    choose = random.Random(number)
    mark = root.parent / f"mark{number}"
    mine = {**env, "MARK": str(mark)}
    bin_ = python.parent
    commands = {"native": [str(bin_ / "fastcollect"), "run"], "plugin": [str(bin_ / "pytest")]}
    who, args, expected = "native", [""], ""
    while tally.goes_on:
        if not expected or choose.random() < 0.3:
            who = choose.choice(["native", "plugin"])
            count = choose.randint(1, MODULES)
            chosen = sorted(choose.sample(range(MODULES), count))
            args = [f"test_{module}.py" for module in chosen]
            expected = f"{count} failed, {count * (TESTS - 1)} passed"
        mark.unlink(missing_ok=True)
        began = time.time_ns()
        done = subprocess.run(
            [*commands[who], "-q", *args], cwd=root, env=mine,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
        if done.returncode != 1 or expected not in done.stdout:
            tally.wrong.append(f"{who} {args}: {done.returncode}\n{done.stdout}{done.stderr}")
            return
        tally.right(who, (int(mark.read_text()) - began) / 1e6)
        time.sleep(choose.random() * PAUSE_S)


class Editor:
    """A client of LSP, as far as it is needed here."""

    def __init__(self, root: Path, env: Mapping[str, str], python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python.parent / "fastcollect"), "lsp"], cwd=root, env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._ids = 0
        capabilities = {"experimental": {"fastcollect": {"version": 1}}}
        self.request("initialize", {
            "processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": capabilities
        })  # fmt: skip
        self._send({"method": "initialized", "params": {}})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next message; what the server asks is answered with nothing."""
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while line := stream.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(stream.read(length))
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def request(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a request."""
        self._ids += 1
        self._send({"id": self._ids, "method": method, "params": params})
        while (message := self.receive()).get("id") != self._ids or "method" in message:
            pass
        if "error" in message:
            raise ValueError(f"{method}: {message['error']}")
        return message["result"]

    def run(self, run_id: str, include: list[str]) -> tuple[int, dict[str, int]]:
        """A run's exit status, and how many tests ended in which way."""
        counted: dict[str, int] = {}
        self._ids += 1
        params = {"runId": run_id, "kind": "run", "include": include}
        self._send({"id": self._ids, "method": "fastcollect/runTests", "params": params})
        while True:
            message = self.receive()
            if message.get("method") != "fastcollect/runProgress":
                continue
            if message["params"]["runId"] != run_id:
                continue
            for event in message["params"]["events"]:
                kind = event.get("kind") or event.get("event") or event.get("type")
                if kind == "ended":
                    return int(event["exit"]), counted
                counted[str(kind)] = counted.get(str(kind), 0) + 1

    def close(self) -> None:
        """As an editor that ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None
        self._process.communicate(timeout=TIMEOUT_S)  # what is still told has to go somewhere


def editor(number: int, tally: Tally, root: Path, env: Mapping[str, str], python: Path) -> None:
    """Somebody who runs files from an editor."""
    choose = random.Random(100 + number)
    client = Editor(root, env, python)
    runs = 0
    try:
        while tally.goes_on:
            runs += 1
            name = f"test_{choose.randrange(MODULES)}.py"
            status, counted = client.run(f"editor{number}-{runs}", [name])
            if status != 1 or counted.get("passed") != TESTS - 1 or counted.get("failed") != 1:
                tally.wrong.append(f"editor {name}: {status} {counted}")
                return
            tally.right("editor")
            time.sleep(choose.random() * PAUSE_S)
    finally:
        client.close()


def edit(tally: Tally, root: Path) -> None:
    """Somebody saves a file every ten seconds."""
    value = 0
    while tally.goes_on:
        value += 1
        partial = root / ".product.py"
        partial.write_text(f"VALUE = {value}\n")
        partial.rename(root / "product.py")
        for _ in range(100):
            if tally.goes_on:
                time.sleep(0.1)


def percentiles(values: Sequence[float]) -> str:
    """p50, p95 and the worst."""
    many = len(values) > 1
    cuts = statistics.quantiles(values, n=20, method="inclusive") if many else [*values] * 19
    return f"{statistics.median(values):.0f} | {cuts[18]:.0f} | {max(values):.0f}"


def watched(who: Callable[..., None], tally: Tally, *args: Any) -> None:
    """What one of them does; how it failed, where it did: a run that hangs is wrong, too."""
    try:
        who(*args)
    except Exception as error:
        tally.wrong.append(f"{who.__name__} {args[0]}: {error!r}")


def server(status: Mapping[str, Any]) -> str:
    """What the server holds."""
    files = len(os.listdir(f"/proc/{status['pid']}/fd"))
    return f"{files} descriptors, USS {unique_bytes(status['pid']) / 1e6:.1f} MB"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--terminals", type=int, default=8)
    parser.add_argument("--editors", type=int, default=3)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    unwanted = ("CI", "PYTEST", "PYTHON", "FASTCOLLECT", "VIRTUAL_ENV")
    env = {
        key: value
        for key, value in os.environ.items()
        if key == "PYTEST_ADDOPTS" or not key.startswith(unwanted)
    }
    native = str(options.python.parent / "fastcollect")
    with tempfile.TemporaryDirectory(prefix="fc-") as name:
        root = Path(name) / "project"
        root.mkdir()
        env |= {"FASTCOLLECT_DIR": str(Path(name) / "run")}
        (root / "conftest.py").write_text(CONFTEST)
        (root / "product.py").write_text("VALUE = 0\n")
        for number in range(MODULES):
            (root / f"test_{number}.py").write_text(MODULE)
        subprocess.run([native, "start"], cwd=root, env=env, check=True, capture_output=True)

        def status() -> dict[str, Any]:
            done = subprocess.run(
                [native, "status", "--json"], cwd=root, env=env, capture_output=True, text=True
            )
            found: dict[str, Any] = json.loads(done.stdout)
            return found

        started = status()
        at_first = server(started)
        tally = Tally(time.monotonic() + options.minutes * 60)
        common = (tally, root, env, options.python)
        threads = [threading.Thread(target=edit, args=(tally, root))]
        threads += [
            threading.Thread(target=watched, args=(who, tally, number, *common))
            for who, count in ((terminal, options.terminals), (editor, options.editors))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = status()
        if ended["pid"] != started["pid"]:
            tally.wrong.append("it was not one server")
        at_last = server(ended)
        subprocess.run([native, "stop"], cwd=root, env=env, capture_output=True)
    served = ended["runs"]
    lines = [
        "# Load",
        "",
        f"Made by `python benchmarks/load.py --minutes {options.minutes:g}`: {options.terminals}"
        f" terminals and {options.editors} editors at once on one server, a file saved every 10 s."
        f" {os.cpu_count()} cores, Linux {platform.release()}; load {before:.1f} before,"
        f" {os.getloadavg()[0]:.1f} after.",
        "",
        f"{sum(tally.runs.values())} runs ({tally.runs}), {len(tally.wrong)} wrong."
        f" Served: {served}. The server at first: {at_first}; at last, without editors: {at_last}.",
        "",
        "| hand-over, ms | p50 | p95 | worst |",
        "|---|---|---|---|",
        *(f"| {who} | {percentiles(taken)} |" for who, taken in sorted(tally.taken_ms.items())),
        "",
    ]
    print("\n".join([*lines, *tally.wrong]))
    if not tally.wrong:
        (RESULTS / "load.md").write_text("\n".join(lines))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
