"""The process, as the kernel knows it."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

from .asking import own, seen, status


@seen
def umask() -> Any:
    old = os.umask(0o077)
    os.umask(old)
    return old


@seen
def limits() -> Any:
    return {
        name: resource.getrlimit(getattr(resource, name))
        for name in dir(resource)
        if name.startswith("RLIMIT_")
    }


@seen
def priority() -> Any:
    return os.getpriority(os.PRIO_PROCESS, 0)


@seen
def scheduler() -> Any:
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


@seen
def affinity() -> Any:
    return sorted(os.sched_getaffinity(0))


@seen
def io_priority() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True).syscall(252, 1, 0)  # ioprio_get, x86-64


@seen
def oom_score_adjustment() -> Any:
    return Path("/proc/self/oom_score_adj").read_text()


@seen
def timer_slack() -> Any:
    return Path("/proc/self/timerslack_ns").read_text()


@seen
def personality() -> Any:
    return Path("/proc/self/personality").read_text()


@seen
def core_dump_filter() -> Any:
    return Path("/proc/self/coredump_filter").read_text()


@seen
def process_flags() -> Any:
    return status(
        "NoNewPrivs",
        "Seccomp",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "Uid",
        "Gid",
        "Groups",
        "THP_enabled",
    )


@seen
def parent_death_signal() -> Any:
    import ctypes

    number = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(2, ctypes.byref(number), 0, 0, 0)
    return number.value


@seen
def dumpable_and_subreaper() -> Any:
    import ctypes

    number = ctypes.c_int(-1)
    libc = ctypes.CDLL(None)
    libc.prctl(37, ctypes.byref(number), 0, 0, 0)
    return libc.prctl(3, 0, 0, 0, 0), number.value


@seen
def process_name() -> Any:
    return Path("/proc/self/comm").read_text()


@seen
def command_line_of_the_kernel() -> Any:
    return Path("/proc/self/cmdline").read_bytes().decode().split("\0")


@seen
def environment_of_the_kernel() -> Any:
    return own(Path("/proc/self/environ").read_bytes())


@seen
def executable_of_the_kernel() -> Any:
    return os.readlink("/proc/self/exe")


@seen
def leads_its_group() -> Any:
    return os.getpgrp() == os.getpid()


@seen
def leads_its_session() -> Any:
    return os.getsid(0) == os.getpid()


@seen
def session_of_the_terminal() -> Any:
    return int(os.environ["SHELL_SESSION"]) == os.getsid(0)


@seen
def parent() -> Any:
    return int(os.environ["SHELL_PID"]) == os.getppid()


@seen
def children() -> Any:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@seen
def waiting_for_any_child() -> Any:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError as error:
        return error.strerror


@seen
def native_threads() -> Any:
    return len(os.listdir("/proc/self/task"))


@seen
def cgroup() -> Any:
    return Path("/proc/self/cgroup").read_text()


@seen
def namespaces() -> Any:
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}


@seen
def user_and_groups() -> Any:
    return (os.getresuid(), os.getresgid(), sorted(os.getgroups()))
