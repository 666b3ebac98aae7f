"""Who goes first where memory is short: what is warm, because it can be made again.

The kernel ends the process that it takes for the worst (proc_pid_oom_score_adj(5)). Without a word
of ours that would often be a run, for which there would be memory if nothing was warm.

Standard library only and cheap to import: the zygote uses it too.
"""

from __future__ import annotations

import contextlib
import os

WARM = 1000
"""For what is warm: before anything else."""
SERVER = 900
"""For the server: next."""

_before: list[str] = []
"""What this process was started with."""


def capacity(groups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """Bytes of memory for this process and those beside it: the machine's, or what the tightest of
    its control groups allows (cgroups(7), both versions)."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError):
        with open(own, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        for _, controllers, path in lines:
            if not controllers:
                top, name = groups, "memory.max"
            elif "memory" in controllers.split(","):
                top, name = f"{groups}/memory", "memory.limit_in_bytes"
            else:
                continue
            names = [part for part in path.split("/") if part]
            for depth in range(len(names) + 1):
                # "max", what a namespace hides, and groups without this controller say nothing.
                where = "/".join([top, *names[:depth], name])
                with contextlib.suppress(OSError, ValueError), open(where, "rb") as limit:
                    found = min(found, int(limit.read()))
    return found


def volunteer(score: int) -> None:
    """Be ended before others, by so much of all memory (thousandths). Never less than before."""
    with contextlib.suppress(OSError, ValueError):
        before = _read("self")
        if int(before) < score:
            _write("self", str(score))
            _before[:] = [before]


def release(pid: int) -> None:
    """Have a process that was started here be as this one was before it volunteered."""
    if _before:
        with contextlib.suppress(OSError):
            _write(str(pid), _before[0])


def be_as(pid: int) -> None:
    """Be ended neither sooner nor later than another process. Raises OSError."""
    try:
        mine = _read("self")
    except OSError:
        return  # not to be had here: nobody has volunteered
    theirs = _read(str(pid))
    if mine != theirs:
        _write("self", theirs)


def _read(process: str) -> str:
    with open(f"/proc/{process}/oom_score_adj", encoding="ascii") as file:
        return file.read().strip()


def _write(process: str, score: str) -> None:
    # Unbuffered: what the kernel refuses is to be known here.
    fd = os.open(f"/proc/{process}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, score.encode("ascii"))
    finally:
        os.close(fd)
