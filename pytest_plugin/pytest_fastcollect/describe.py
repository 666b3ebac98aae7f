"""Tells the server what the run of a command line would be, for a caller that is no Python.

A fork of a checkpoint begins the run like any other, up to the point at which the plugin would hand
it over. Nothing is printed, and no conftest is loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from fastcollect_lsp import protocol
from fastcollect_lsp.protocol import Endpoint, NativeRequest, RunRequest, Stream

from . import eligibility, run_child
from .handoff import run_request
from .identity import namespaces
from .stash import Stash
from .state import Active

TIMEOUT = 5
"""Seconds after which nobody waits for the answer any more."""


@dataclass(frozen=True)
class Interpreter:
    """What an interpreter is when it starts (`create_stdio`, pylifecycle.c, for its streams)."""

    encodings: tuple[tuple[str, str], ...]
    """Encoding and errors of each standard stream."""
    unbuffered: bool
    path: tuple[str, ...]
    """`sys.path` without the directory of any script."""
    base: str
    """`sys._base_executable`."""

    @classmethod
    def here(cls) -> Interpreter:
        """This one, before anything has changed it."""
        streams: Sequence[Any] = (sys.stdin, sys.stdout, sys.stderr)
        return cls(
            encodings=tuple((stream.encoding, stream.errors) for stream in streams),
            unbuffered=streams[1].write_through,
            path=tuple(sys.path),
            base=getattr(sys, "_base_executable", sys.executable),
        )

    def request(self, native: NativeRequest) -> RunRequest:
        """What a caller would be that is this interpreter; its key and identity not yet known."""
        script = native.argv[0]
        safe = bool(getattr(sys.flags, "safe_path", False))
        return RunRequest(
            argv=native.argv,
            orig_argv=[native.python, *native.argv],
            cwd=native.cwd,
            env=native.env,
            sys_path=[*([] if safe else [os.path.dirname(script)]), *self.path],
            identity="",
            umask=native.umask,
            ignored_signals=native.ignored_signals,
            blocked_signals=native.blocked_signals,
            rlimits=native.rlimits,
            nice=native.nice,
            affinity=native.affinity,
            streams=[self._stream(fd, end) for fd, end in enumerate(native.streams)],
            key=protocol.RunKey("", "", (), dynamic=False),
            executables=[native.python, self.base],
        )

    def _stream(self, fd: int, end: Endpoint) -> Stream:
        encoding, errors = self.encodings[fd]
        return Stream(
            encoding=encoding,
            errors=errors,
            line_buffering=not self.unbuffered and (end.kind == "tty" or fd == 2),
            write_through=self.unbuffered,
            kind=end.kind,
            size=end.size,
        )


@dataclass(frozen=True)
class Describe:
    """In the new process: describe a run."""

    native: NativeRequest
    answer: socket.socket
    interpreter: Interpreter

    def begin(self, stash: Stash) -> run_child.Start:
        """Become the caller, as far as it matters; what is to be called then."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(TIMEOUT)
        native = self.native
        groups = sorted(os.getgroups())
        if native.namespaces != namespaces() or native.user != [
            list(os.getresuid()), list(os.getresgid()), groups
        ]:  # fmt: skip
            self._say({"cold": "another user, or another namespace"})
        request = self.interpreter.request(native)
        Active.describe = self._describe
        self._end_without_plugin()
        os.umask(native.umask)
        try:
            run_child.enter(native.cwd)
        except run_child.Refused as refused:
            self._say({"cold": str(refused)})
        run_child.assume_interpreter(request)
        return run_child.prepare(request, stash)

    def _describe(self, config: pytest.Config) -> NoReturn:
        """The point at which the plugin would hand the run over."""
        native = self.native
        if (cold := eligibility.judge_natively(config)) is not None:
            self._say({"cold": cold})
        request = run_request(config, "")
        process: dict[str, Any] = {
            name: getattr(native, name)
            for name in (
                "ignored_signals", "blocked_signals", "rlimits", "nice", "affinity", "inherited",
            )
        }  # fmt: skip
        streams = self.interpreter.request(native).streams
        found = dataclasses.replace(request, streams=streams, **process)
        self._say({"request": protocol.to_json(found), "root": str(config.rootpath)})

    def _end_without_plugin(self) -> None:
        """Where our plugin is blocked or is not looked for, nothing else would keep pytest from
        going on: it would run the tests, here and once more in the caller."""

        say: Callable[[dict[str, Any]], object] = self._say

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def end(
            _config: pytest.Config, early_config: pytest.Config
        ) -> Generator[None, object, object]:
            say({"cold": "the plugin is not loaded"})
            return (yield)  # pytest takes no other function for a wrapper

        # The plugin's own is registered later, and so called before this one.
        config: Any = pytest.Config
        config.pytest_load_initial_conftests = end

    def ended(self, error: BaseException | None) -> NoReturn:
        """The run would have ended before it could be handed over."""
        self._say({"cold": f"it ends before it is described ({error!r})"})

    def _say(self, answer: dict[str, Any]) -> NoReturn:
        with contextlib.suppress(OSError):
            protocol.send(self.answer, answer, limit=protocol.MAX_CONTROL_FRAME)
        os._exit(0)
