"""Build backend: maturin's, with the native `fastcollect` command among the wheel's scripts.

maturin builds either an extension module or binaries from one crate; the command is a crate of its
own because it must start without Python.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import maturin
from maturin import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_ROOT = Path(__file__).parents[2]
_SCRIPTS = _ROOT / "target" / "fastcollect_lsp.data" / "scripts"
"""Below what `tool.maturin.data` names, which has to be there for the metadata as well."""
_SCRIPTS.mkdir(parents=True, exist_ok=True)


def _build_command(profile: str) -> None:
    target = Path(os.environ.get("CARGO_TARGET_DIR", _ROOT / "target"))
    command = ["cargo", "build", "--profile", profile, "--package", "fastcollect", "--locked"]
    subprocess.run([*command, "--target-dir", str(target)], cwd=_ROOT, check=True)
    directory = target / ("debug" if profile == "dev" else profile)
    shutil.copy2(directory / "fastcollect", _SCRIPTS / "fastcollect")


def _profile_of_wheels() -> str:
    """As maturin chooses it."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--profile", default="release")
    options, _ = parser.parse_known_args(shlex.split(os.environ.get("MATURIN_PEP517_ARGS", "")))
    return str(options.profile)


def build_wheel(directory: str, *args: Any, **kwargs: Any) -> str:
    """PEP 517."""
    _build_command(_profile_of_wheels())
    return str(maturin.build_wheel(directory, *args, **kwargs))


def build_editable(directory: str, *args: Any, **kwargs: Any) -> str:
    """PEP 660. The profile is `tool.maturin.editable-profile`."""
    _build_command("dev")
    return str(maturin.build_editable(directory, *args, **kwargs))


def build_sdist(directory: str, *args: Any, **kwargs: Any) -> str:
    """PEP 517. maturin takes crates that it does not know out of the workspace: put them back."""
    name = str(maturin.build_sdist(directory, *args, **kwargs))
    made, whole = Path(directory, name), Path(directory, f"{name}.whole")
    with tarfile.open(made) as old, tarfile.open(whole, "w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            path = Path(*Path(member.name).parts[1:])
            if str(path) in ("Cargo.toml", "Cargo.lock"):
                data = (_ROOT / path).read_bytes()
                member.size, content = len(data), io.BytesIO(data)
            new.addfile(member, content)
    whole.replace(made)
    return name
