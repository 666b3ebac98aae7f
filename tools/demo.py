"""`make demo`: the bundled example, run cold and then warm, as a person would at a terminal."""

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
    """The exit status: 0 if the second run was served warm."""
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
            served = subprocess.run(
                [fastcollect, "status", "--json"],
                cwd=project,
                env=env,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        finally:
            show([fastcollect, "stop"], project, env)
    print(f"\ncold {cold:.2f} s, warm {warm:.2f} s: {cold / warm:.1f} times as fast")
    return 0 if b'"served": "warm"' in served else 1


if __name__ == "__main__":
    sys.exit(main())
