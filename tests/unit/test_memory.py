"""What the Rust core holds in memory beside what it was asked to keep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PROOFS = """\
import os, threading
from fastcollect_lsp._core import InputSet

there = threading.Barrier(6)

def prove():
    inputs = InputSet([os.devnull] * 100, ["/"])
    inputs.changed()
    there.wait()

threads = [threading.Thread(target=prove) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with open("/proc/self/smaps_rollup") as file:
    print(*(line.split()[1] for line in file if line.startswith("AnonHugePages:")))
"""


def test_a_thread_that_proves_takes_no_huge_page() -> None:
    """Two megabytes each, for a few kilobytes: as much as the rest of a server."""
    if not HUGE_PAGES.exists() or "[madvise]" not in HUGE_PAGES.read_text():
        pytest.skip("huge pages are not given to who asks for them here")
    done = subprocess.run([sys.executable, "-c", PROOFS], capture_output=True, text=True)
    assert done.stdout.split() == ["0"], done.stdout + done.stderr
