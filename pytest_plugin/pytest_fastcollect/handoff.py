"""What the caller sends: its own process, described so that a run child can become it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import stat
import sys
from typing import Any, TextIO

import pytest

from fastcollect_lsp import client, protocol, rendezvous
from fastcollect_lsp.protocol import Endpoint, NativeRequest, Record, RunRequest, Stream
from fastcollect_lsp.rendezvous import Place

from .identity import identity, namespaces
from .runkey import is_captured, run_key

_LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]


def run_request(config: pytest.Config, run: str) -> RunRequest:
    """This process as it is now, before any conftest is loaded. `run`: the server's id for it."""
    environ = dict(os.environ)
    identified = identity(environ)
    environ.pop("PYTEST_VERSION", None)  # set by pytest's main(): the run child's will set it again
    umask = os.umask(0o077)
    os.umask(umask)
    return RunRequest(
        argv=list(sys.argv),
        orig_argv=list(sys.orig_argv),
        cwd=os.getcwd(),
        env=environ,
        sys_path=_path_before_pytest(config),
        identity=identified,
        umask=umask,
        **_of_kernel(),
        streams=[_stream(0, sys.stdin), _stream(1, sys.stdout), _stream(2, sys.stderr)],
        key=run_key(config),
        executables=[sys.executable, getattr(sys, "_base_executable", sys.executable)],
        inherited=client.inherited(),
        run=run,
        captured=is_captured(config),
    )


def native_request() -> NativeRequest:
    """This process as it is when pytest has only begun; what it is to run, the server may know."""
    environ = dict(os.environ)
    environ.pop("PYTEST_VERSION", None)
    umask = os.umask(0o077)
    os.umask(umask)
    return NativeRequest(
        argv=list(sys.argv),
        orig_argv=list(sys.orig_argv),
        python=sys.executable,
        cwd=os.getcwd(),
        env=environ,
        umask=umask,
        **_of_kernel(),
        streams=[Endpoint(*endpoint(fd)) for fd in range(3)],
        inherited=client.inherited(),
        user=[list(os.getresuid()), list(os.getresgid()), sorted(os.getgroups())],
        namespaces=namespaces(),
    )


def _of_kernel() -> dict[str, Any]:
    """What both requests say of this process in the same words."""
    return {
        "ignored_signals": [
            int(number)
            for number in signal.valid_signals()
            if signal.getsignal(number) is signal.SIG_IGN
        ],
        "blocked_signals": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "rlimits": {name: list(resource.getrlimit(getattr(resource, name))) for name in _LIMITS},
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
    }


def _path_before_pytest(config: pytest.Config) -> list[str]:
    """`sys.path` without what pytest has put there itself, as the run child's will do again
    (`Config._configure_python_path`, from pytest 8.4 on before any hook)."""
    added = [str(path) for path in config.getini("pythonpath")]
    return sys.path[len(added) :] if sys.path[: len(added)] == added else list(sys.path)


def _stream(fd: int, stream: TextIO | None) -> Stream | None:
    if stream is None:
        return None
    kind, size = endpoint(fd)
    return Stream(
        encoding=stream.encoding,
        errors=stream.errors or "strict",
        line_buffering=bool(getattr(stream, "line_buffering", False)),
        write_through=bool(getattr(stream, "write_through", False)),
        kind=kind,
        size=size,
    )


def endpoint(fd: int) -> tuple[str, list[int] | None]:
    """What a descriptor leads to, as `Stream` has it; and its size, of a terminal."""
    try:
        mode = os.fstat(fd)
        if os.isatty(fd):
            return "tty", list(os.get_terminal_size(fd))
    except OSError:
        return "other", None
    if stat.S_ISREG(mode.st_mode):
        return "file", None
    if stat.S_ISFIFO(mode.st_mode) or stat.S_ISSOCK(mode.st_mode):
        return "pipe", None
    is_null = stat.S_ISCHR(mode.st_mode) and mode.st_rdev == os.stat(os.devnull).st_rdev
    return "null" if is_null else "other", None


def leave_record(place: Place, record: Record) -> None:
    """Put a record where the server looks for it. Raises OSError, Unsafe.

    A file, not a message: the server may still be starting.
    """
    rendezvous.secure(place.directory)
    place.records.mkdir(mode=0o700, exist_ok=True)
    rendezvous.check_owned(place.records, allowed=0o700)
    name = f"{os.urandom(8).hex()}.json"
    partial = place.records / f".{name}"
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w", encoding="ascii") as file:
            json.dump(protocol.to_json(record), file)
        os.replace(partial, place.records / name)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
