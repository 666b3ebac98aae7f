"""Plays edits in a world, and compares what runs show after each with cold pytest."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edit_contents  # noqa: F401  (kinds of edits are registered when they are imported)
import edit_places  # noqa: F401
import edit_surroundings  # noqa: F401
import overlay
from edits import Edit, apply
from harness import Bench
from worlds import Base, Template, World, gate

from fastcollect_lsp import client, rendezvous, verify
from fastcollect_lsp.rendezvous import Place
from fastcollect_lsp.verify import Project, Result

HANG = 120.0
"""Seconds after which a server that says nothing is taken to hang."""
EVENT_MS = 700
"""Milliseconds in which a server mostly notices an edit by itself. A run that comes sooner is right
as well: it is only another moment."""
_FOREIGN = (
    "-p no:asyncio -p no:pytest_lsp -p no:pytest-lsp -p no:hypothesispytest"
    " -p no:rerunfailures -p no:xdist -p no:xdist.looponfail"
)
"""Plugins of the environment that runs these tests: of no use to small projects, and slow."""

_FRAME = re.compile(
    r'(?m)^(INTERNALERROR> )?  File ".*/(pluggy|pytest_fastcollect)/.*\n'
    r"((INTERNALERROR> )?    .*\n)*"
)
"""A frame of a traceback, with its source."""


class Stale(AssertionError):
    """A run that was not what cold pytest would have shown. Its text is the history."""


@dataclass
class Tally:
    """What has been played."""

    edits: int = 0
    compared: int = 0
    visible: int = 0
    invisible: int = 0
    """Edits after which cold pytest showed something else than before, or the same; where there was
    a run of the same command line before."""
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    served: collections.Counter[str] = field(default_factory=collections.Counter)
    """Compared runs by when they came and what they were served."""
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    """Why runs were cold."""
    as_plain: collections.Counter[str] = field(default_factory=collections.Counter)
    """Runs that differed from the oracle just as plain pytest does, which trusts bytecode that
    keeps the mtime and size of its source."""
    stale: list[str] = field(default_factory=list)
    report: Path | None = None
    """A file to which whatever is stale is added at once."""

    def add_stale(self, text: str) -> None:
        """Note a run that was stale."""
        self.stale.append(text)
        if self.report is not None:
            with self.report.open("a") as file:
                file.write(f"{text}\n\n")

    def show_progress(self, name: str) -> None:
        """Keep the summary beside the report up to date."""
        if self.report is not None:
            self.report.with_suffix(f".{name}").write_text(f"{self.summary(name)}\n")

    def summary(self, name: str) -> str:
        """A few lines for people."""
        lines = [
            f"{name}: {self.edits} edits of {len(self.kinds)} kinds, {self.visible} visible"
            f" ({self.invisible} not), {self.compared} runs compared, {len(self.stale)} stale",
            "  served: " + ", ".join(f"{what} {n}" for what, n in sorted(self.served.items())),
            "  cold: " + ", ".join(f"{why} ({n})" for why, n in self.reasons.most_common(8)),
            "  kinds: " + ", ".join(f"{kind} {n}" for kind, n in sorted(self.kinds.items())),
        ]
        if self.as_plain:
            lines.append(f"  as plain pytest, which trusts bytecode: {dict(self.as_plain)}")
        return "\n".join(lines)


def commands(base: Base) -> list[tuple[str, ...]]:
    """The command lines that are run: the whole selection first, then parts of it."""

    def relative(*names: str) -> tuple[str, ...]:
        return tuple(os.path.relpath(name, base.cwd) for name in names)

    tests = overlay.TESTS
    values = f"{tests}/test_probe_values.py"
    everything = relative(*base.tests, tests)
    return [
        everything,
        relative(tests),
        relative(*base.tests) or relative(values),
        relative(f"{values}::test_double", f"{values}::test_number"),
        relative(f"{tests}/inner"),
        (*everything, "-k", "value or seen"),
        ("-v", *relative(f"{tests}/test_probe_world.py")),
    ]


@dataclass
class WorldBench(Bench):
    """A world's runs, its servers and its oracle."""

    world: World | None = None

    def pytest(self, *args: str) -> Result:
        """`pytest` as a person types it."""
        return _without_plugins(super().pytest(*args))

    def cold(self, *args: str) -> Result:
        """The oracle. `-B` keeps the world's own files out of the bytecode that is shared."""
        assert self.world is not None
        env = {**self.env, "PYTHONPYCACHEPREFIX": str(self.world.template.bytecode)}
        return self._without_us(args, env)

    def plain(self, *args: str) -> Result:
        """pytest as it is without us, with the bytecode that lies about."""
        return self._without_us(args, self.env)

    def _without_us(self, args: Sequence[str], env: Mapping[str, str]) -> Result:
        arguments = ["-p", "no:fastcollect", *args]
        return _without_plugins(verify.run(self.project, arguments, env, ["-B"]))

    @property
    def env(self) -> dict[str, str]:
        """A person's environment, with the variables that edits have set."""
        assert self.world is not None
        return {**super().env, **self.world.env}

    def places(self) -> list[Place]:
        """Where servers of this bench are met: one for each rootdir that a run has had."""
        if not self.directory.is_dir():
            return []
        paths = sorted(self.directory.iterdir())
        return [Place("", "", path) for path in paths if path.is_dir() and path.name != "commands"]

    def statuses(self) -> dict[Path, dict[str, Any]]:
        """What each server says of itself."""
        found = {}
        for place in self.places():
            with contextlib.suppress(client.Unavailable):
                answer = client.ask(place, "status", timeout=HANG)
                if answer is not None:
                    found[place.directory] = answer
        return found

    def settle(self) -> None:
        """Wait until no server builds anything any more."""
        for place in self.places():
            client.wait_for_server(place, HANG)
            client.ask(place, "warm", timeout=2 * HANG, patience_s=HANG)

    def stop(self) -> list[str]:
        """Stop all servers. What does not stop is killed, and named."""
        hanging = []
        for place in self.places():
            try:
                client.stop_server(place, timeout=HANG / 2)
            except client.Unavailable as error:
                hanging.append(f"{error}; its log:\n{place.log.read_text()[-3000:]}")
                with contextlib.suppress(ProcessLookupError, TypeError, KeyError):
                    os.kill(rendezvous.read_holder(place)["pid"], signal.SIGKILL)  # type: ignore[arg-type]
        return hanging


class Play:
    """Edits being played in one world."""

    def __init__(self, bench: WorldBench, world: World, tally: Tally) -> None:
        self.bench = bench
        self.world = world
        self.tally = tally
        self._commands = commands(world.template.base)
        self._oracle: dict[int, Result] = {}
        """What cold pytest shows in the world's present state, by command."""
        self._shown: dict[int, Result] = {}
        """What it showed last, whatever the state was."""

    def begin(self) -> None:
        """The first run starts a server."""
        self.bench.pytest(*self._args(0))
        self.world.script.append(self._shown_command(0) + "  # starts the server")
        deadline = time.monotonic() + HANG
        while not self.bench.places() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.bench.settle()

    def edit(self, edit: Edit) -> None:
        """One edit, with the runs before, while and after it. Raises Stale."""
        if edit.wait:
            self._settle()
        self.world.pause(edit.pause_ms)
        phases = self._edit_during(edit) if edit.during else apply(self.world, edit)
        for _ in phases:
            self.tally.edits += 1
            self.tally.kinds[edit.kind] += 1
            self._oracle.clear()
            if edit.late:
                self.world.pause(EVENT_MS)
                self._settle()
            self._compare(edit.command, "late" if edit.late else "at once")
            if edit.settle:
                self._settle()
                self._compare(edit.command, "settled")

    def _edit_during(self, edit: Edit) -> Iterator[None]:
        """The phases of an edit, the first of them made while a run goes on."""
        phases = apply(self.world, edit)
        expected = again = None
        if edit.during == "gate":
            # The world will be another one afterwards: what two cold runs agree upon is asked now.
            expected, again = self._cold(edit.command), self.bench.cold(*self._args(edit.command))
        script = self.world.script
        script.append(f"{self._shown_command(edit.command)} &  # goes on during the next edit")
        before = self.bench.statuses()
        with gate(self.world.aside) as directory, ThreadPoolExecutor(1) as pool:
            if expected is not None:
                self.world.env["PROBE_GATE"] = str(directory)
            running = pool.submit(self.bench.pytest, *self._args(edit.command))
            if expected is not None:
                _await(directory / "reached", running)
            else:
                self.world.pause(edit.choice % 400)
            try:
                applied = next(phases, self) is None
            finally:
                (directory / "go").touch()
            result = running.result()
            self.world.env.pop("PROBE_GATE", None)
        script.append("wait")
        if expected is not None and again is not None:
            self._judge(expected, result, edit.command, "during", self._served(before), again)
        if applied:
            yield
            yield from phases

    def _settle(self) -> None:
        self.world.script.append("fastcollect status --wait 300")
        self.bench.settle()

    def _args(self, command: int) -> tuple[str, ...]:
        return ("--tb=short", *self._commands[command])

    def _shown_command(self, command: int) -> str:
        return (
            f"(cd $ROOT/{self.world.template.base.cwd} && pytest {' '.join(self._args(command))})"
        )

    def _cold(self, command: int) -> Result:
        if command not in self._oracle:
            self._oracle[command] = self.bench.cold(*self._args(command))
        return self._oracle[command]

    def _compare(self, command: int, when: str) -> None:
        before = self.bench.statuses()
        self.world.script.append(f"{self._shown_command(command)}  # {when}")
        warm = self.bench.pytest(*self._args(command))
        served = self._served(before)
        cold = self._cold(command)
        if when in {"at once", "late"}:
            shown = self._shown.get(command)
            if shown is not None:
                is_visible = bool(verify.differences(shown, cold))
                self.tally.visible += is_visible
                self.tally.invisible += not is_visible
            self._shown[command] = cold
        self._judge(cold, warm, command, when, served)

    def _served(self, before: dict[Path, dict[str, Any]]) -> str:
        """What the run since `before` was served, from the server that counted it."""
        for path, status in self.bench.statuses().items():
            runs = before[path]["runs"] if path in before else {}
            if sum(status["runs"].values()) > sum(runs.values()) and status["last_run"]:
                last = status["last_run"]
                if last["served"] == "cold":
                    self.tally.reasons[_kind_of(last["reason"])] += 1
                    return "cold"
                return f"{last['served']}/{last['checkpoint']}"
        self.tally.reasons["no server was asked"] += 1
        return "cold"

    def _judge(
        self,
        cold: Result,
        warm: Result,
        command: int,
        when: str,
        served: str,
        again: Result | None = None,
    ) -> None:
        """Raises Stale. `again` is a second oracle where the world has changed since."""
        self.tally.compared += 1
        self.tally.served[f"{when} {served}"] += 1
        found = verify.differences(cold, warm)
        if found:
            args = self._args(command)
            found = verify.compare(cold, warm, again or self.bench.cold(*args))
            if found and self._is_plain(warm, args, served, again is not None):
                self.tally.as_plain[f"{when} {served}"] += 1
                return
        if found:
            text = "\n".join(
                [
                    f"stale: a run {when} ({served}) of {self.world.template.base.name}",
                    *self.world.script,
                    *found,
                    "the server's log:",
                    *(path.joinpath("log").read_text()[-3000:] for path in self._directories()),
                ]
            )
            self.tally.add_stale(text)
            raise Stale(text)

    def _is_plain(self, warm: Result, args: Sequence[str], served: str, is_past: bool) -> bool:
        """Whether pytest without us would have shown the same, by the bytecode that lies about."""
        if is_past:
            return served == "cold"  # it was pytest without us
        return not verify.differences(self.bench.plain(*args), warm)

    def _directories(self) -> list[Path]:
        return [place.directory for place in self.bench.places() if place.log.exists()]


def _without_plugins(result: Result) -> Result:
    """A result in whose tracebacks nobody can see which plugins have wrapped a hook."""
    return dataclasses.replace(result, output=_FRAME.sub("", result.output))


def _await(path: Path, running: Future[Result]) -> None:
    while not path.exists() and not running.done():
        time.sleep(0.005)


def _kind_of(reason: str) -> str:
    """A reason for cold, less the paths and numbers in it."""
    for word in ("cold is sooner", "changed", "starting", "warming", "another set", "another sel"):
        if word in reason:
            return word
    return reason[:60]


def play(template: Template, edits: Sequence[Edit | None], tally: Tally) -> None:
    """Play edits in a new world. Raises Stale."""
    top = Path(tempfile.mkdtemp(prefix="fc-"))  # short: a socket's path has 107 bytes at most
    world = World.create(template, top)
    base = template.base
    project = Project(world.root / base.cwd, world.python, base.args)
    extra = {"PYTEST_ADDOPTS": _FOREIGN} if str(base.python) == sys.executable else {}
    bench = WorldBench(project, top / "run", extra, world)
    try:
        going = Play(bench, world, tally)
        going.begin()
        for edit in edits:
            if edit is not None:
                going.edit(edit)
    except BaseException:
        bench.stop()
        raise
    else:
        if hanging := bench.stop():
            text = "\n".join(["a server does not stop", *world.script, *hanging])
            tally.add_stale(text)
            raise Stale(text)
    finally:
        tally.show_progress(base.name)
        shutil.rmtree(top, ignore_errors=True)


def prepare(template: Template) -> None:
    """Compile, once for all worlds, everything but the project's own files."""
    top = Path(tempfile.mkdtemp(prefix="fc-"))
    try:
        world = World.create(template, top)
        project = Project(world.root / template.base.cwd, world.python, template.base.args)
        bench = WorldBench(project, top / "run", {}, world)
        env = {**bench.env, "PYTHONPYCACHEPREFIX": str(template.bytecode)}
        for command in commands(template.base)[:1]:
            verify.run(project, ["-p", "no:fastcollect", "--tb=short", *command], env)
    finally:
        shutil.rmtree(top, ignore_errors=True)
