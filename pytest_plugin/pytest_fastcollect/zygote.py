"""The process that the server starts, and what becomes of its forks: checkpoints and run children.

Started by `fastcollect_lsp.checkpoint.START`. Single threaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import site
import socket
import sys

import _pytest.config

from fastcollect_lsp import shortage

from . import bytecode, leaving, run_child
from .ahead import Ahead, Collect
from .describe import Describe, Interpreter
from .identity import identity
from .known import READ_AT_START
from .run_child import Refused
from .startup import named_places, pth_files
from .stash import Stash
from .state import Active
from .waiting import Become, Checkpoint


@dataclasses.dataclass
class Run:
    """What a run child has to do, for the interpreter's first statement to call."""

    start: run_child.Start
    channel: int
    checkpoint: Checkpoint
    """What this was when it was forked."""
    ahead: Ahead | Describe | None = None
    """What is to know of an end that no run has."""

    def end(self, error: BaseException | None) -> None:
        """The last word before the process ends as Python ends, by `error` if there is one."""
        if self.ahead is not None:
            self.ahead.ended(error)
        if error is None:
            _announce(self.channel, 0)
        elif isinstance(error, SystemExit):
            _announce(self.channel, error.code)
            if isinstance(error.code, int):
                code = int(error.code) & 0xFF
                leaving.leave(
                    code, self.checkpoint.stash.finalizers, self.channel, self._note_pages
                )
        else:
            run_child.hide_our_frame()
            if isinstance(error, Exception):
                _announce(self.channel, 1)
        self.checkpoint.stash.let_go()

    def _note_pages(self) -> None:
        if self.checkpoint.pages is not None:
            self.checkpoint.pages.note()


def _become(become: Become, checkpoint: Checkpoint) -> Run:
    channel = become.channel
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    try:
        channel = run_child.become(become.request, become.fds, channel)
    except Refused as refused:
        with contextlib.suppress(OSError):
            channel.send(f"refuse {refused}".encode()[:4000])
        os._exit(0)
    except OSError:
        os._exit(0)
    Active.depth = "warm"
    Active.record = become.record
    Active.run = become.request.run
    fd = channel.detach()  # a socket would be warned of at the end, where warnings are shown
    return Run(run_child.prepare(become.request, checkpoint.stash), fd, checkpoint)


def _collect(collect: Collect, checkpoint: Checkpoint) -> Run:
    """Begin a session ahead of time. It is gone on with in run children."""
    run = Run(run_child.Start(int, ()), -1, checkpoint)

    def resumed(channel: int) -> None:
        run.channel = channel

    ahead = run.ahead = Ahead(checkpoint, collect, resumed)
    Active.depth = "collected" if collect.stop == "collected" else "warm"
    Active.ahead = ahead
    Active.record, Active.run = False, ""
    try:
        run.start = ahead.begin(checkpoint.stash)
    except Refused as refused:
        ahead.give_up(str(refused))
    return run


def _announce(channel: int, code: object) -> None:
    """Say the exit status ahead: the checkpoint that will tell it for sure may be killed first."""
    status = 0 if code is None else int(code) & 0xFF if isinstance(code, int) else 1
    with contextlib.suppress(OSError):
        os.write(channel, f"exit {status}".encode())


def _of_user() -> list[str]:
    """The user's own directory of packages, which is on `sys.path` once it is there."""
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []


def main(fd: int, prefix: tuple[str | None, bool] | None = None) -> Run:
    """The life of the zygote and of the checkpoints forked from it; returns in run children.

    `prefix`: for `bytecode.give_prefix`, where this interpreter was started without bytecode.
    """
    stale = bytecode.loaded_stale() if prefix is None else {}
    renewed = [bytecode.renew(source, cached) for source, cached in stale.items()]
    if prefix is not None:
        bytecode.give_prefix(*prefix)
    if sys.path and sys.path[0] == "":
        del sys.path[0]
        sys.path_importer_cache.pop(os.getcwd(), None)
    shortage.volunteer(shortage.WARM)
    _pytest.config.get_config()  # imports what every run imports
    if os.environ.get("FASTCOLLECT_SELECTIVE") == "1":
        importlib.import_module("pytest_fastcollect.keeping")  # which imports of pytest's
    checkpoint = Checkpoint(socket.socket(fileno=fd), Stash(), Interpreter.here())
    checkpoint.tell(
        event="started",
        pid=os.getpid(),
        identity=identity(dict(os.environ)),
        modules=len(sys.modules),
        stale=list(stale),
        renewed=all(renewed),
        files=[
            module.__file__
            for module in list(sys.modules.values())
            if isinstance(getattr(module, "__file__", None), str)
        ]
        + list(pth_files())
        + [os.path.join(sys.prefix, "pyvenv.cfg"), *READ_AT_START],
        directories=[path for path in (*sys.path, *_of_user()) if path],
        kinds=named_places(),
    )
    checkpoint.stash.freeze()
    while True:
        became = checkpoint.wait()
        if isinstance(became, Become):
            return _become(became, checkpoint)
        if isinstance(became, Collect):
            return _collect(became, checkpoint)
        if isinstance(became, Describe):
            start = became.begin(checkpoint.stash)
            return Run(start, -1, checkpoint, became)
        checkpoint.grow(became)
