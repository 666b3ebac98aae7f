"""What of a process cannot be changed once it runs: compared before a run is handed over."""

from __future__ import annotations

import json
import os
import sys

import pytest

from fastcollect_lsp.digest import blake2b

from .known import READ_AT_EACH_USE, STARTUP_VARIABLES
from .startup import startup_state

_NAMESPACES = ("mnt", "pid", "net", "user", "ipc", "uts", "cgroup")


def startup_environment(environ: dict[str, str]) -> dict[str, str]:
    """The part of an environment that only a new process can take over."""
    return {
        name: environ[name]
        for name in sorted(environ)
        if name.startswith(STARTUP_VARIABLES) and name not in READ_AT_EACH_USE
    }


def identity(environ: dict[str, str]) -> str:
    """This process' identity as canonical JSON. Environment values enter as a digest only."""
    return json.dumps(
        {
            "executable": os.path.realpath(sys.executable),
            "prefix": sys.prefix,
            "version": sys.version,
            "flags": [int(flag) for flag in sys.flags],
            "options": interpreter_options(),
            "pytest": pytest.__file__,
            "environment": _digest(startup_environment(environ)),
            "startup files": _digest(startup_state(environ)),
            "namespaces": namespaces(),
            "user": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        }
    )


def _digest(value: object) -> str:
    return blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()


def interpreter_options() -> list[str]:
    """The command line options that start an interpreter with this one's flags."""
    flags = sys.flags
    options = []
    for letter, level in (
        ("B", flags.dont_write_bytecode),
        ("O", flags.optimize),
        ("b", flags.bytes_warning),
        ("v", flags.verbose),
        ("d", flags.debug),
    ):
        options.extend([f"-{letter}"] * level)
    if flags.isolated:
        options.append("-I")
    else:
        options.extend("-E" for _ in range(flags.ignore_environment))
        options.extend("-s" for _ in range(flags.no_user_site))
        if getattr(flags, "safe_path", False):
            options.append("-P")
    if flags.no_site:
        options.append("-S")
    options.extend(
        f"-X{name}" if value is True else f"-X{name}={value}"
        for name, value in sys._xoptions.items()
    )
    # -X dev and -b add filters of their own, which the new interpreter adds again.
    implied = {"default"} if flags.dev_mode else set()
    options.extend(f"-W{option}" for option in sys.warnoptions if option not in implied)
    return options


def namespaces() -> list[str]:
    """The kernel's namespaces that this process is in."""
    found = []
    for name in _NAMESPACES:
        try:
            found.append(os.readlink(f"/proc/self/ns/{name}"))
        except OSError:
            found.append("")
    return found
