"""Emacs in batch, lsp-mode and eglot, with the configuration that docs/editors.md gives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from real_editors import DRIVEN, drive, needs, snippet

from tests.support import Shared, small_bench

HERE = Path(__file__).parent


@pytest.mark.long
@pytest.mark.parametrize(("library", "script"), [("eglot", "eglot"), ("lsp-mode", "lsp_mode")])
def test_emacs(shared: Shared, tmp_path: Path, library: str, script: str) -> None:
    emacs = needs("emacs")
    has = [emacs, "-q", "--batch", "--eval", f"(kill-emacs (if (locate-library {library!r}) 0 1))"]
    if subprocess.run([word.replace("'", '"') for word in has]).returncode:
        pytest.skip(f"{library} is not installed")
    config = tmp_path / "init.el"
    config.write_text(snippet(f"emacs {library}"))
    with small_bench(shared, {"pytest.ini": "[pytest]\n", "test_driven.py": DRIVEN}) as bench:
        command = [emacs, "-q", "--batch", "-l", str(config)]
        seen = drive(bench, [*command, "-l", str(HERE / f"drive_{script}.el")])
        assert {"test_fails", "test_writes", "TestGroup"} <= set(seen["symbols"])
        source = "fastcollect: " if library == "eglot" else ""
        assert seen["failed"] == [[4, f"{source}assert 1 == 2"]]
        if library == "lsp-mode":
            assert seen["lenses"] == ["Run", "Debug", "✗ assert 1 == 2"]
