"""The environment, and the directories."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from .asking import OWN, own, seen


@seen
def environment() -> Any:
    return {name: value for name, value in os.environ.items() if name not in OWN}


@seen
def environment_of_children() -> Any:
    import subprocess

    return own(subprocess.run(["env", "-0"], capture_output=True).stdout)


@seen
def environment_bytes() -> Any:
    return sorted(
        (name.hex(), value.hex())
        for name, value in os.environb.items()
        if name.decode(errors="replace") not in OWN
    )


@seen
def environment_order() -> Any:
    return [name for name in os.environ if name not in OWN]


@seen
def working_directory() -> Any:
    return os.getcwd(), os.environ.get("PWD")


@seen
def working_directory_of_the_kernel() -> Any:
    return os.readlink("/proc/self/cwd")


@seen
def root_directory() -> Any:
    return os.readlink("/proc/self/root")


@seen
def temporary_directory() -> Any:
    return tempfile.gettempdir(), tempfile.tempdir


@seen
def home() -> Any:
    return str(Path.home()), os.path.expanduser("~")
