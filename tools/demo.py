"""`make demo`: the bundled example, run cold, warm and repeated, as a person would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def show(command: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Run a command where everyone can see it; how long it took, in seconds."""
    print(f"\n$ {' '.join([Path(command[0]).name, *command[1:]])}", flush=True)
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=env, check=False)
    return time.perf_counter() - began


def main() -> int:
    """The exit status: 0 if the last run was served warm, or collected ahead of time."""
    with tempfile.TemporaryDirectory(prefix="fastcollect-") as scratch:
        project = Path(scratch, "weather")
        shutil.copytree(HERE / "examples" / "weather", project)
        # In CI nobody has asked for a server; whoever runs this has.
        env = {**os.environ, "FASTCOLLECT_DIR": str(Path(scratch, "run")), "FASTCOLLECT": "1"}
        pytest, fastcollect = str(BIN / "pytest"), str(BIN / "fastcollect")
        show([pytest], project, env)
        cold = show([pytest, "-p", "no:fastcollect"], project, env)
        try:
            show([fastcollect, "status", "--wait", "120"], project, env)
            warm = show([pytest], project, env)
            show([fastcollect, "status", "--wait", "120"], project, env)
            repeated = show([pytest], project, env)
            show([fastcollect, "status", "--wait", "120"], project, env)
            native = show([fastcollect, "run"], project, env)
            served = subprocess.run(
                [fastcollect, "status", "--json"],
                cwd=project,
                env=env,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        finally:
            show([fastcollect, "stop"], project, env)
    print(f"\npytest, cold           {cold:.2f} s")
    for text, seconds in (
        ("pytest, warm", warm),
        ("pytest, repeated", repeated),
        ("fastcollect run", native),
    ):
        print(f"{text:22} {seconds:.2f} s: {cold / seconds:.1f} times as fast")
    return 0 if b'"served": "cold"' not in served else 1


if __name__ == "__main__":
    sys.exit(main())
