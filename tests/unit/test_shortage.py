"""Who is ended first where memory is short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """\
import subprocess, sys
from fastcollect_lsp import shortage

def score(pid):
    with open(f"/proc/{pid}/oom_score_adj") as file:
        return int(file.read())

before = score("self")
shortage.volunteer(shortage.SERVER)
shortage.volunteer(before)  # never less than before
process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
inherited = score(process.pid)
shortage.release(process.pid)
print(before, score("self"), inherited, score(process.pid))
process.communicate()
shortage.be_as(int(sys.argv[1]))
print(score("self"))
"""


def test_volunteering() -> None:
    own = Path("/proc/self/oom_score_adj").read_text().strip()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(os.getpid())], capture_output=True, text=True
    )
    assert done.stdout.split() == [own, "900", "900", own, own], done.stdout + done.stderr
