"""Become the process that the caller would have been, then run what it would have run."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import io
import os
import resource
import runpy
import signal
import socket
import sys
import threading
import types
from pathlib import Path
from typing import Any, NoReturn, TextIO

from fastcollect_lsp.protocol import RunRequest, Stream

from . import bytecode
from .stash import Stash


class Refused(Exception):
    """This process cannot become what the caller is; its text says why."""


def become(request: RunRequest, fds: list[int], channel: socket.socket) -> None:
    """Take over descriptors, environment and the rest. Returns when the caller has said `go`.

    Raises Refused where something cannot be taken over; ends the process if the caller went away.
    """
    _signals(request)
    _limits(request)
    os.umask(request.umask)
    try:
        os.chdir(request.cwd)
    except OSError as error:
        raise Refused(f"the working directory cannot be entered ({error.strerror})") from None
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    for number, stream in enumerate(request.streams):
        if stream is None:
            with contextlib.suppress(OSError):
                os.close(number)
    os.environ.clear()
    os.environ.update(request.env)
    sys.argv[:] = request.argv
    sys.orig_argv[:] = request.orig_argv
    sys.path[:] = request.sys_path
    _streams(request.streams)
    pidfd = _pidfd()
    socket.send_fds(channel, [f"ready {os.getpid()}".encode()], [pidfd] if pidfd >= 0 else [])
    if pidfd >= 0:
        os.close(pidfd)
    if channel.recv(16) != b"go":
        os._exit(0)
    # The caller never writes after `go`, and its end closes early only if it is killed.
    die_with_peer(channel, -os.getpgrp())


def _pidfd() -> int:
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return -1


def die_with_peer(sock: socket.socket, target: int) -> None:
    """Have the kernel kill `target` (a pid, or minus a group) when the peer of `sock` closes.

    Only for sockets on which nothing is received meanwhile: any arrival would do the same. This
    works while user code runs, and when whoever else would have watched is gone already.
    """
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        fd = sock.fileno()
        fcntl.fcntl(fd, fcntl.F_SETOWN, target)
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)


def survive_peer(sock: socket.socket) -> None:
    """Undo `die_with_peer`."""
    with contextlib.suppress(AttributeError, OSError):
        fd = sock.fileno()
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC)


def _signals(request: RunRequest) -> None:
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            wanted = number in request.ignored_signals
            current = signal.getsignal(number)
            if wanted and current is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_IGN)
            elif not wanted and current is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
    if signal.SIGINT not in request.ignored_signals:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, request.blocked_signals)


def _limits(request: RunRequest) -> None:
    for name, (soft, hard) in request.rlimits.items():
        number = getattr(resource, name, None)
        if number is None or resource.getrlimit(number) == (soft, hard):
            continue
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError):
            raise Refused(f"{name} cannot be set to {soft}, {hard}") from None
    try:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        if nice != request.nice:
            os.setpriority(os.PRIO_PROCESS, 0, request.nice)
        if request.affinity and sorted(os.sched_getaffinity(0)) != request.affinity:
            os.sched_setaffinity(0, request.affinity)
    except OSError as error:
        raise Refused(f"priority or CPU affinity cannot be set ({error.strerror})") from None


def _streams(streams: list[Stream | None]) -> None:
    """Build the standard streams as the interpreter does (`create_stdio`, pylifecycle.c)."""
    names = ("stdin", "stdout", "stderr")
    for number, (name, stream) in enumerate(zip(names, streams, strict=True)):
        new = None if stream is None else _open_stream(number, name, stream)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    # The main thread remembers the stream that it was started with (`Thread.__init__`).
    threading.main_thread()._stderr = sys.stderr  # type: ignore[attr-defined]


def _open_stream(fd: int, name: str, stream: Stream) -> TextIO:
    writing = fd > 0
    unbuffered = stream.write_through and writing
    raw = io.FileIO(fd, "wb" if writing else "rb", closefd=False)
    raw.name = f"<{name}>"
    buffer: Any = raw
    if not unbuffered:
        buffer = io.BufferedWriter(raw) if writing else io.BufferedReader(raw)
    text = io.TextIOWrapper(
        buffer,
        stream.encoding,
        stream.errors,
        newline="\n" if writing else None,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    text.mode = "w" if writing else "r"  # type: ignore[misc]
    return text


def _unfreeze_when_looked_at() -> None:
    """Let whoever asks the collector for objects find those of the checkpoint as well."""
    get_objects, get_referrers = gc.get_objects, gc.get_referrers

    def unfreeze() -> None:
        gc.unfreeze()
        gc.get_objects, gc.get_referrers = get_objects, get_referrers

    def all_objects(generation: int | None = None) -> list[Any]:
        unfreeze()
        return get_objects(generation=generation)

    def all_referrers(*objects: Any) -> list[Any]:
        unfreeze()
        return [found for found in get_referrers(*objects) if found is not objects]

    gc.get_objects, gc.get_referrers = all_objects, all_referrers


def run(request: RunRequest, stash: Stash) -> NoReturn:
    """Run the caller's command line; raises SystemExit as the interpreter's own start would."""
    if stash.uses_collector(below=request.cwd):
        gc.unfreeze()  # tests that look at the collector find every object, at the price of time
    else:
        _unfreeze_when_looked_at()
    bytecode.distrust()  # an edit may be seen first by this run, and must be seen
    stash.hide()
    stash.install()
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    try:
        _execute(request.argv[0], main)
    except Exception as error:
        _print_uncaught(error)
        raise SystemExit(1) from None
    raise SystemExit(0)


def _execute(script: str, main: types.ModuleType) -> None:
    """Run `python -m pytest` or the console script as `__main__`."""
    if Path(script).parts[-2:] == ("pytest", "__main__.py"):
        sys.argv[0] = "-m"  # what runpy finds there before it looks the module up
        runpy._run_module_as_main("pytest")  # type: ignore[attr-defined]
        return
    source = Path(script).read_bytes()
    main.__dict__.update(
        __file__=script,
        __cached__=None,
        __loader__=_script_loader(script),
        __annotations__={},
    )
    exec(compile(source, script, "exec"), main.__dict__)


def _print_uncaught(error: Exception) -> None:
    """As the interpreter does (`PyErr_PrintEx`), but without our own frames, which come first."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    error.__traceback__ = traceback
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback
    sys.excepthook(type(error), error, traceback)


def _script_loader(script: str) -> object:
    from importlib.machinery import SourceFileLoader

    return SourceFileLoader("__main__", script)
