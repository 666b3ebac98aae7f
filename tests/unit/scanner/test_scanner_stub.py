"""The types of the compiled module are what its stub says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_stub() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "fastcollect_lsp._core"]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
