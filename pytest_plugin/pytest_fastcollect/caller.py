"""The caller's part of a run, and the run child's: everything that needs the server's side."""

from __future__ import annotations

import contextlib
import os
import sys
import time

import pytest

from fastcollect_lsp import client, rendezvous
from fastcollect_lsp.rendezvous import Place

from .eligibility import judge
from .handoff import leave_record, run_request
from .identity import identity
from .record import Recorder
from .runkey import run_key
from .startup import changed_since_start
from .state import Active, State


def in_run_child(config: pytest.Config, state: State) -> None:
    """Inside a run child: say so; note the imports if the server wants to know them."""
    depth, Active.depth = Active.depth, None  # a second pytest.main() in this process is nested
    state.silent = False
    state.daemon = f"Daemon: active, {depth}"
    state.ahead, Active.ahead = Active.ahead, None
    if state.ahead is not None:
        return
    state.place = rendezvous.place(str(config.rootpath))
    if run := Active.run:
        Active.run = ""
        _report(config, state, run)
    if Active.record:
        state.recorder = Recorder(config, run_key(config), identity(dict(os.environ)))
    if _leaves_modules_out():
        from .keeping import Keeping

        state.keeping = Keeping(config, state.place, time.time_ns(), warm=True)


def in_caller(config: pytest.Config, state: State) -> None:
    """In the process that a person started: hand the run over (then this does not return), or say
    why it is cold."""
    options = config.known_args_namespace
    auto = options.fastcollect_auto_daemon
    if auto is None and not config.getini("fastcollect_auto_daemon"):
        auto = False
    run = os.environ.pop(client.RUN_VARIABLE, "")
    verdict = judge(config, auto, vouched=bool(run))
    if options.fastcollect_action:
        raise SystemExit(_act(config, options.fastcollect_action))
    state.silent = verdict.silent
    if verdict.silent:
        return
    if os.path.exists(os.path.join(os.path.dirname(sys.argv[0]), ".fastcollect", "pytest")):
        _restore_shim(sys.argv[0])
    state.place = rendezvous.place(str(config.rootpath))
    if verdict.cold is not None:
        state.daemon = f"cold: {verdict.cold}"
        if verdict.wanted:
            _report(config, state, run, verdict.cold)
        return
    began_ns = time.time_ns()
    request = run_request(config, run)
    changed = changed_since_start()  # the request has been made by then
    if changed is None:
        cold = client.hand_over(state.place, request)
    else:
        reason = f"{changed} has changed since Python was started"
        cold = client.Cold(reason, starting=not _is_there(state.place), record=True, run=run)
    if cold.run:
        _report(config, state, cold.run)
    state.daemon = f"cold: {cold.reason}"
    if cold.starting:
        state.starting = True
        state.daemon = _start(state.place)
    if cold.starting or cold.record:
        state.recorder = Recorder(config, request.key, request.identity)
    if not _leaves_modules_out():
        return
    if state.recorder is not None:
        from .keeping import Keeping

        state.keeping = Keeping(config, state.place, began_ns, warm=False)
    if (options.keyword or options.markexpr) and state.reporter is None:
        from .selective import open_for

        state.selective = open_for(config, state.place, state.recorder)


def _leaves_modules_out() -> bool:
    """Whether cold runs may leave out modules (`selective`): only where that is asked for, since
    what was not imported can be missed in `sys.modules`."""
    return os.environ.get("FASTCOLLECT_SELECTIVE") == "1"


def _report(config: pytest.Config, state: State, run: str, cold: str | None = None) -> None:
    from .reporting import connect

    if state.place is not None:
        state.reporter = connect(config, state.place, run, cold)


def _restore_shim(script: str) -> None:
    from fastcollect_lsp import shim

    with contextlib.suppress(OSError):
        shim.restore(script)


def _is_there(place: Place) -> bool:
    try:
        sock = rendezvous.connect(place, timeout=1.0)
    except (OSError, rendezvous.Unsafe):
        return True  # whatever is in its place
    if sock is not None:
        sock.close()
    return sock is not None


def _start(place: Place) -> str:
    try:
        client.spawn_server(place, first_run=os.getpid())
    except (OSError, rendezvous.Unsafe) as error:
        return f"cold: no server could be started ({error})"
    return "Daemon: starting"


def _act(config: pytest.Config, action: str) -> int:
    from fastcollect_lsp import cli

    arguments = [str(argument) for argument in config.known_args_namespace.file_or_dir or []]
    return cli.act(action, rendezvous.place(str(config.rootpath)), arguments)


def send_record(place: Place, recorder: Recorder, tests: int, *, tell: bool) -> None:
    """Leave the record where the server finds it; `tell` it, if it is there and does not wait for
    the end of this run to look."""
    try:
        leave_record(place, recorder.finish(tests))
        if tell:
            client.ask(place, "recorded", timeout=1.0)
    except (OSError, rendezvous.Unsafe, client.Unavailable) as error:
        if sys.flags.verbose:
            sys.stderr.write(f"fastcollect: no record was left ({error})\n")
