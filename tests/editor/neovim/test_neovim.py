"""Neovim, headless, with the configuration that docs/editors.md gives."""

from __future__ import annotations

import subprocess
from pathlib import Path

from real_editors import DRIVEN, drive, needs, snippet

from tests.support import Shared, small_bench

DRIVE = Path(__file__).with_name("drive.lua")


def test_neovim(shared: Shared, tmp_path: Path) -> None:
    nvim = needs("nvim")
    version = subprocess.run([nvim, "--version"], capture_output=True, text=True).stdout
    minor = int(version.split("v0.", 1)[1].split(".")[0]) if "v0." in version else 99
    config = tmp_path / "init.lua"
    config.write_text(snippet("neovim 0.11" if minor >= 11 else "neovim 0.7"))
    with small_bench(shared, {"pytest.ini": "[pytest]\n", "test_driven.py": DRIVEN}) as bench:
        command = [nvim, "--headless", "-n", "-i", "NONE", "-u", str(config)]
        seen = drive(bench, [*command, "-c", f"luafile {DRIVE}"])
        assert seen["symbols"] == ["test_fails", "test_writes", "TestGroup", "test_inside"]
        assert seen["failed"] == [[3, "assert 1 == 2"]]
        assert sorted(seen["lenses"]) == ["Debug", "Run", "✗ assert 1 == 2"]
