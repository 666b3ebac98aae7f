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
import struct
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fastcollect_lsp import protocol, shortage
from fastcollect_lsp.protocol import RunRequest, Stream

from . import bytecode, lifetime, terminal
from .known import PROCESS_IDS
from .stash import Stash


class Refused(Exception):
    """This process cannot become what the caller is; its text says why."""


def become(request: RunRequest, fds: list[int], channel: socket.socket) -> socket.socket:
    """Take over descriptors, environment and the rest. Returns when the caller has said `go`, with
    the channel where it is now.

    Raises Refused where something cannot be taken over; ends the process if the caller went away.
    """
    assume_state(request)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    for number, stream in enumerate(request.streams):
        if stream is None:
            with contextlib.suppress(OSError):
                os.close(number)
    channel = descriptors_of(channel)
    assume_interpreter(request)
    commit(channel)
    return channel


def assume_state(request: RunRequest) -> None:
    """Take over what the kernel knows of the caller, but for its descriptors. Raises Refused."""
    _signals(request)
    _limits(request)
    os.umask(request.umask)
    enter(request.cwd)


def enter(cwd: str) -> None:
    """Take over the working directory. Raises Refused."""
    try:
        os.chdir(cwd)
    except OSError as error:
        raise Refused(f"the working directory cannot be entered ({error.strerror})") from None


def assume_interpreter(request: RunRequest) -> None:
    """Take over what the caller's interpreter was started with, on the descriptors there are."""
    os.environ.clear()
    os.environ.update(request.env)
    sys.argv[:] = request.argv
    sys.orig_argv[:] = request.orig_argv
    sys.path[:] = request.sys_path
    sys.executable, sys._base_executable = request.executables  # type: ignore[attr-defined]
    _streams(request.streams)


def commit(channel: socket.socket) -> None:
    """Tell the caller that its run can begin; returns when it has said `go`. Ends the process if it
    went away. Raises Refused."""
    _look_at_temporary_directory()
    _be_as_important(channel)
    pidfd = _pidfd()
    socket.send_fds(channel, [f"ready {os.getpid()}".encode()], [pidfd] if pidfd >= 0 else [])
    if pidfd >= 0:
        os.close(pidfd)
    if channel.recv(16) != b"go":
        os._exit(0)
    _begin_now()
    # The caller never writes after `go`, and its end closes early only if it is killed.
    lifetime.die_with_peer(channel, -os.getpgrp())


def _begin_now() -> None:
    """Log records tell how old the process is (`relativeCreated`), in ns since Python 3.13."""
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        is_ns = type(logging._startTime) is int
        logging._startTime = time.time_ns() if is_ns else time.time()


def _be_as_important(channel: socket.socket) -> None:
    """To whoever needs memory, this is the caller and nothing warm any more. Raises Refused."""
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    caller, _, _ = struct.unpack("3i", credentials)
    try:
        shortage.be_as(caller)
    except OSError as error:
        raise Refused(f"its place where memory is short is not to be had ({error})") from None


def _look_at_temporary_directory() -> None:
    """One that was found ahead of time may be full now: a cold run would find another."""
    found = getattr(sys.modules.get("tempfile"), "tempdir", None)
    if found is None:
        return
    try:
        full = os.statvfs(found).f_bavail == 0
    except OSError:
        full = True
    if full:
        raise Refused(f"there is no room in {os.fsdecode(found)}")


def descriptors_of(channel: socket.socket) -> socket.socket:
    """Take over what the caller has inherited beyond its standard streams (a shell's `3<file`,
    make's job server), under the same numbers, and put the channel where no run looks for one."""
    data, fds, flags, _ = socket.recv_fds(channel, 4096, protocol.MAX_INHERITED)
    word, *numbers = data.decode("ascii").split()
    wanted = [int(number) for number in numbers]
    if word != "descriptors" or len(fds) != len(wanted) or flags & socket.MSG_CTRUNC:
        raise Refused("its descriptors did not arrive")
    try:
        moved = move(channel.detach(), wanted)
        above = max([2, *wanted, *fds]) + 1
        parked = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in fds]
        for fd in fds:
            os.close(fd)
        for fd, number in zip(parked, wanted, strict=True):
            os.dup2(fd, number)
            os.close(fd)
    except OSError as error:
        raise Refused(f"its descriptors cannot be taken over ({error.strerror})") from None
    return socket.socket(fileno=moved)


_HIGHEST = 1024
"""Descriptors from here on would make a process' table of them larger."""


def move(fd: int, wanted: Sequence[int] = ()) -> int:
    """Move a descriptor out of the way: high, because runs get the lowest there are."""
    highest = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _HIGHEST) - 1
    place = next(number for number in range(highest, 2, -1) if number not in wanted)
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, place)
    os.close(fd)
    return moved


def _pidfd() -> int:
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return -1


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


LEAST_DESCRIPTORS = 64
"""Descriptors that a run child has room for: it needs one or two more than a process by itself."""


def _limits(request: RunRequest) -> None:
    if request.rlimits.get("RLIMIT_NOFILE", [LEAST_DESCRIPTORS])[0] < LEAST_DESCRIPTORS:
        raise Refused("few descriptors may be open")
    if request.rlimits.get("RLIMIT_FSIZE", [-1])[0] != -1:
        raise Refused(
            "the size of files is limited"
        )  # also of those that find a directory for more
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
    thread: Any = threading.main_thread()
    thread._stderr = sys.stderr
    rename_process()


def rename_process() -> None:
    """Put right who remembers the number of the process that was forked, as the main thread does
    before Python 3.13."""
    thread: Any = threading.main_thread()
    thread._set_native_id()
    for name, attribute in PROCESS_IDS:
        if name in sys.modules:
            setattr(sys.modules[name], attribute, os.getpid())


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


def prepare(request: RunRequest, stash: Stash) -> Start:
    """Have everything as at the first line of the caller's script; what is to be called then."""
    if stash.uses_collector(below=request.cwd):
        gc.unfreeze()  # tests that look at the collector find every object, at the price of time
    else:
        _unfreeze_when_looked_at()
    bytecode.distrust()  # an edit may be seen first by this run, and must be seen
    stash.hide()
    stash.install()
    terminal.lend(stash)
    main = types.ModuleType("__main__")
    fresh = {"__annotations__": {}, "__builtins__": __builtins__}
    main.__dict__.update(
        {name: fresh[name] for name in vars(sys.modules["__main__"]) if name in fresh}
    )
    sys.modules["__main__"] = main
    script = request.argv[0]
    if Path(script).parts[-2:] == ("pytest", "__main__.py"):
        sys.argv[0] = "-m"  # what runpy finds there before it looks the module up
        return Start(runpy._run_module_as_main, ("pytest",))  # type: ignore[attr-defined]
    source = Path(script).read_bytes()
    main.__dict__.update(
        __file__=script,
        __cached__=None,
        __loader__=_script_loader(script),
    )
    return Start(exec, (compile(source, script, "exec"), main.__dict__))


@dataclass(frozen=True)
class Start:
    """The call that is the run: `python -m pytest`, or the console script."""

    function: Callable[..., object]
    arguments: tuple[object, ...]


def hide_our_frame() -> None:
    """Have what the run is about to die of printed as the interpreter would without us: the first
    frame of its traceback is that of the zygote's own start."""
    show = sys.excepthook

    def excepthook(
        kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None
    ) -> None:
        sys.excepthook = show
        if traceback is not None:
            traceback = traceback.tb_next
        error.__traceback__ = sys.last_traceback = traceback
        show(kind, error, traceback)

    sys.excepthook = excepthook


def _script_loader(script: str) -> object:
    from importlib.machinery import SourceFileLoader

    return SourceFileLoader("__main__", script)
