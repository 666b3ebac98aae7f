"""Real editors, configured by what docs/editors.md says, driven by a script of ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import HANG, SmallBench

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "editors.md"

DRIVEN = """\
import os

def test_fails():
    assert 1 == 2

def test_writes():
    open("written", "w").close()

class TestGroup:
    def test_inside(self): ...
"""


def snippet(name: str) -> str:
    """The text that a person copies: the block behind this comment."""
    found = re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert found, f"docs/editors.md has no configuration for {name}"
    return found[1]


def needs(program: str) -> str:
    """The program's path; the test is skipped where it is not installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def drive(bench: SmallBench, command: Sequence[str], **env: str) -> Mapping[str, Any]:
    """Run an editor to its end in the project; what its script has seen."""
    home = bench.root.parent / "home"
    home.mkdir()
    seen = home / "seen.json"
    environ = {
        **bench.env,
        **env,
        "PATH": f"{bench.project.python.parent}{os.pathsep}{bench.env['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_STATE_HOME": str(home),
        "FASTCOLLECT_SEEN": str(seen),
    }
    done = subprocess.run(
        command,
        cwd=bench.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * HANG,
    )
    assert seen.exists(), done.stdout + done.stderr
    found: Mapping[str, Any] = json.loads(seen.read_text())
    assert not found.get("trouble"), f"{found}\n{done.stdout}\n{done.stderr}"
    return found
