"""Fault points for tests, in no code of the product: PYTHONPATH has every interpreter import this.

A step is a function of ours, before its first or after its last statement. A process that comes to
one that is named by a file in the directory `$FAULTS` is killed there; the first one only, whose
pid is in the name of another file then.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from importlib.machinery import SourceFileLoader
from types import CoroutineType, ModuleType, SimpleNamespace
from typing import Any

STEPS = {
    # ---- a run is handed over: in the caller
    "caller connects": ("fastcollect_lsp.rendezvous", "connect", "before"),
    "caller is connected": ("fastcollect_lsp.rendezvous", "connect", "after"),
    "caller has said hello": ("fastcollect_lsp.client", "open_connection", "after"),
    "caller has sent its request": ("fastcollect_lsp.client", "_await_ready", "before"),
    "caller says go": ("fastcollect_lsp.client", "_commit", "before"),
    "caller has said go": ("fastcollect_lsp.client", "_commit", "after"),
    "caller forwards signals": ("fastcollect_lsp.client", "_forward_signals", "after"),
    "caller knows the status": ("fastcollect_lsp.client", "_end_as", "before"),
    # ---- in the server
    "server lets a client in": ("fastcollect_lsp.link", "next_frame", "before"),
    "server has read a hello": ("fastcollect_lsp.protocol", "parse_hello", "before"),
    "server reads a request": ("fastcollect_lsp.protocol", "parse_run_request", "before"),
    "server decides": ("fastcollect_lsp.warm", "Warm.serve", "before"),
    "server asks for a fork": ("fastcollect_lsp.checkpoint", "send_run", "before"),
    "server has asked for a fork": ("fastcollect_lsp.checkpoint", "send_run", "after"),
    "server answers": ("fastcollect_lsp.warm", "Warm.serve", "after"),
    "server has answered": ("fastcollect_lsp.warm", "Warm._see_forked", "before"),
    "server hears of a run": ("fastcollect_lsp.warm", "Warm._on_event", "before"),
    # ---- in the checkpoint
    "checkpoint is to fork a run": ("pytest_fastcollect.waiting", "Checkpoint._fork_run", "before"),
    "checkpoint has forked a run": ("pytest_fastcollect.waiting", "Checkpoint._fork_run", "after"),
    "checkpoint reaps": ("pytest_fastcollect.waiting", "Checkpoint._reap", "before"),
    "checkpoint tells a status": ("pytest_fastcollect.waiting", "Checkpoint._finish", "before"),
    "checkpoint has told a status": ("pytest_fastcollect.waiting", "Checkpoint._finish", "after"),
    # ---- in the run child
    "child becomes a run": ("pytest_fastcollect.zygote", "_become", "before"),
    "child has the caller's state": ("pytest_fastcollect.run_child", "assume_state", "after"),
    "child has descriptors": ("pytest_fastcollect.run_child", "descriptors_of", "after"),
    "child is ready": ("pytest_fastcollect.run_child", "commit", "before"),
    "child has been told go": ("pytest_fastcollect.run_child", "commit", "after"),
    "child runs pytest": ("pytest_fastcollect.run_child", "prepare", "after"),
    "child announces its status": ("pytest_fastcollect.zygote", "_announce", "before"),
    "child has announced its status": ("pytest_fastcollect.zygote", "_announce", "after"),
    "child leaves": ("pytest_fastcollect.leaving", "leave", "before"),
    "session is resumed": ("pytest_fastcollect.ahead", "Ahead._resume", "before"),
    "session prints": ("pytest_fastcollect.ahead", "Ahead._print", "before"),
    # ---- a cold run, and what it leaves
    "caller starts a server": ("fastcollect_lsp.client", "spawn_server", "before"),
    "caller has started a server": ("fastcollect_lsp.client", "spawn_server", "after"),
    "caller leaves a record": ("fastcollect_lsp.protocol", "to_json", "before"),
    "caller has left a record": ("fastcollect_lsp.client", "ask", "before"),
    # ---- a server starts
    "server takes the lock": ("fastcollect_lsp.rendezvous", "acquire_lock", "before"),
    "server has the lock": ("fastcollect_lsp.rendezvous", "acquire_lock", "after"),
    "server has said who it is": ("fastcollect_lsp.rendezvous", "write_holder", "after"),
    "server listens": ("fastcollect_lsp.rendezvous", "listen", "after"),
    "server starts the interpreter": ("fastcollect_lsp.checkpoint", "start_zygote", "before"),
    "server has the interpreter": ("fastcollect_lsp.checkpoint", "start_zygote", "after"),
    "interpreter starts": ("pytest_fastcollect.zygote", "main", "before"),
    # ---- checkpoints are made
    "server reads records": ("fastcollect_lsp.records", "read_records", "before"),
    "server has read records": ("fastcollect_lsp.records", "read_records", "after"),
    "server grows": ("fastcollect_lsp.growth", "grow", "before"),
    "server has forked a probe": ("fastcollect_lsp.growth", "fork", "after"),
    "server takes a snapshot": ("fastcollect_lsp.growth", "snapshot", "before"),
    "server has grown": ("fastcollect_lsp.growth", "grow", "after"),
    "server replaces": ("fastcollect_lsp.warming", "Warming._replace", "before"),
    "checkpoint is to grow": ("pytest_fastcollect.waiting", "Checkpoint._fork_grow", "before"),
    "checkpoint grows": ("pytest_fastcollect.waiting", "Checkpoint.grow", "before"),
    "checkpoint has grown": ("pytest_fastcollect.waiting", "Checkpoint.grow", "after"),
    "server collects": ("fastcollect_lsp.sessions", "collect", "before"),
    "server has collected": ("fastcollect_lsp.sessions", "collect", "after"),
    "session is to be collected": (
        "pytest_fastcollect.waiting",
        "Checkpoint._fork_collect",
        "before",
    ),
    "session begins": ("pytest_fastcollect.ahead", "Ahead.begin", "before"),
    "session is collected": ("pytest_fastcollect.ahead", "Ahead._stop", "before"),
    # ---- a server stops
    "server ends": ("fastcollect_lsp.pool", "Pool.end", "before"),
    "server removes its files": ("fastcollect_lsp.rendezvous", "remove", "before"),
    "server forgets commands": ("fastcollect_lsp.rendezvous", "forget_commands", "before"),
    "server has removed its files": ("fastcollect_lsp.rendezvous", "remove", "after"),
}

_DIRECTORY = os.environ.get("FAULTS", "")


# As they are before anything watches who asks for what, which replaces what modules have by name:
# nothing of this may be seen.
_kept = SimpleNamespace(access=os.access, getpid=os.getpid)


def reach(step: str) -> None:
    """Die here, if this is the step."""
    if not _kept.access(f"{_DIRECTORY}/{step}", os.F_OK):
        return
    try:
        os.mkfifo(f"{_DIRECTORY}/taken")
    except FileExistsError:
        return
    os.mkfifo(f"{_DIRECTORY}/reached {_kept.getpid()}")
    signal.raise_signal(signal.SIGKILL)


def _stepping(function: Any, before: list[str], after: list[str]) -> Any:
    @functools.wraps(function)
    def stepping(*args: Any, **kwargs: Any) -> Any:
        for step in before:
            reach(step)
        result = function(*args, **kwargs)
        if isinstance(result, CoroutineType):
            return _then(result, after)
        for step in after:
            reach(step)
        return result

    return stepping


async def _then(work: Any, after: list[str]) -> Any:
    result = await work
    for step in after:
        reach(step)
    return result


def _install(module: ModuleType) -> None:
    functions: dict[str, tuple[list[str], list[str]]] = {}
    for step, (name, function, when) in STEPS.items():
        if name == module.__name__:
            functions.setdefault(function, ([], []))[when == "after"].append(step)
    for path, (before, after) in functions.items():
        owner: Any = module
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, _stepping(getattr(owner, name), before, after))


def _watch_imports() -> None:
    names = {name for name, _, _ in STEPS.values()}
    loader: Any = SourceFileLoader
    execute = loader.exec_module

    def exec_module(self: SourceFileLoader, module: ModuleType) -> None:
        execute(self, module)
        if module.__name__ in names:
            _install(module)

    loader.exec_module = exec_module


if _DIRECTORY and sys.platform == "linux":
    _watch_imports()
