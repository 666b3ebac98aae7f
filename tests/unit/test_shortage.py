"""Who is ended first where memory is short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fastcollect_lsp import shortage

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


def test_capacity(tmp_path: Path) -> None:
    """The tightest limit of all groups above, by either version; of none, the machine's memory."""
    own, groups = tmp_path / "own", tmp_path / "groups"
    own.write_text("0::/\n")
    machine = shortage.capacity(str(groups), str(own))
    assert machine == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert shortage.capacity(str(groups), str(tmp_path / "absent")) == machine
    own.write_text("0::/user/app:1/run\n")
    (groups / "user" / "app:1" / "run").mkdir(parents=True)
    (groups / "user" / "memory.max").write_text("max\n")
    (groups / "user" / "app:1" / "memory.max").write_text("3000000\n")
    (groups / "user" / "app:1" / "run" / "memory.max").write_text("4000000\n")
    assert shortage.capacity(str(groups), str(own)) == 3_000_000
    own.write_text("5:cpu:/other\n4:hugetlb,memory:/app\n0::/user/app:1/run\n")
    (groups / "memory" / "app").mkdir(parents=True)
    (groups / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (groups / "memory" / "app" / "memory.limit_in_bytes").write_text("2000000\n")
    assert shortage.capacity(str(groups), str(own)) == 2_000_000
