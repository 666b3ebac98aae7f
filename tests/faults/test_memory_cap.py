"""Too little memory for all of us together: what is warm goes first, and runs are as without us.

The cap is a control group's, for the runs and all that they start.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import WARM_HEADERS

from tests.conftest import MakeProject
from tests.faults.killing import KillBench, kill_bench
from tests.support import HANG, Shared, eventually, header

GROUPS = Path("/sys/fs/cgroup")
MB = 1 << 20
FILES = {
    "conftest.py": "import slow_to_import\n",
    "large.py": "HELD = bytearray(b'x' * (24 << 20))\n",
    "test_a.py": """\
        import large
        def test_passes(): assert len(large.HELD) == 24 << 20
        def test_fails(): assert [1] == [2]
        def test_needs_some(): assert len(bytearray(b'y' * (8 << 20))) == 8 << 20
        """,
}
OPTIONS = ("-p", "no:cacheprovider")


@dataclass(frozen=True)
class Group:
    """A control group, by the first or the second version of the interface."""

    path: Path

    def write(self, names: tuple[str, str], value: int) -> None:
        (self.path / names[self._version]).write_text(str(value))

    def read(self, names: tuple[str, str]) -> int:
        return int((self.path / names[self._version]).read_text())

    @property
    def _version(self) -> int:
        return int((self.path / "cgroup.controllers").exists())

    def run(self, bench: KillBench, by: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A run, and whatever it starts, under the cap."""
        shell = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return subprocess.run(
            ["bash", "-c", shell, str(self.path), *bench.command(by), *OPTIONS],
            cwd=bench.bench.root,
            env={**bench.bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), **env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=2 * HANG,
        )  # fmt: skip


LIMIT = ("memory.limit_in_bytes", "memory.max")
PEAK = ("memory.max_usage_in_bytes", "memory.peak")


def _parent() -> Path:
    """Below which a group with a limit of memory may be made."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    top = GROUPS / "memory" if "memory" in own else GROUPS
    found = top / own.get("memory", own.get("", "/")).lstrip("/")
    return found if found.is_dir() else top  # what is above may be hidden by a namespace


@contextlib.contextmanager
def control_group() -> Iterator[Group]:
    """A new one, without a limit so far."""
    group = Group(_parent() / f"fastcollect-{os.getpid()}")
    try:
        group.path.mkdir()
        group.write(LIMIT, 1 << 40)
    except OSError as error:
        with contextlib.suppress(OSError):
            group.path.rmdir()
        pytest.skip(f"no control group may be made here ({error})")
    try:
        yield group
    finally:

        def removed() -> bool:
            try:
                group.path.rmdir()
            except OSError:
                return False  # a process is just ending
            return True

        eventually(removed, "the end of all in the group")


@pytest.mark.long
@pytest.mark.parametrize("times", [1.2, 2.0, 3.0, 5.0])
def test_a_cap(times: float, shared: Shared) -> None:
    """So much of what cold pytest alone takes: whatever cannot be warm any more, no run is worse
    than without us.

    Around one and a half times, what is handed over may just not fit beside its caller.
    """
    served = set()
    with control_group() as group, kill_bench(shared, FILES) as bench:
        group.run(bench, "plugin", FASTCOLLECT="0")
        group.write(LIMIT, int(times * group.read(PEAK)))
        kinds = ["plugin"] if bench.native is None else ["plugin", "native"]
        for number in range(8):
            by = kinds[number % len(kinds)]
            done = group.run(bench, by)
            assert done.returncode == 1 and "1 failed, 2 passed" in done.stdout, (
                f"run {number} by {by}: {done.returncode}\n{done.stdout}{bench.log()}"
            )
            served.add(header(done.stdout))
            bench.status("warm", patience_s=10)
        assert all(word for word in served), served
        bench.expect_no_left_overs()
        group.write(LIMIT, 1 << 40)
        bench.run("plugin")  # takes the place of a server that was ended
        eventually(bench.status, "a server")
    print(f"{times} times as much: {sorted(served)}")


SCORES = """\
def test_score():
    with open("/proc/self/oom_score_adj") as file:
        assert file.read() == "nothing like it"
"""


def test_what_is_warm_goes_first_and_runs_as_ever(project: MakeProject) -> None:
    bench = project({"conftest.py": "import slow_to_import\n", "test_a.py": SCORES})
    bench.warm_up(*OPTIONS)

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    warm = {score(pid) for pid in bench.checkpoint_pids().values()}
    assert score(os.getpid()) < score(bench.server_pid()) < min(warm)
    for more in (0, 7):
        wanted = score(os.getpid()) + more
        shell = f'echo {wanted} > /proc/self/oom_score_adj && exec "$@"'
        for _ in range(2):
            done = subprocess.run(
                ["bash", "-c", shell, "_", *bench.command, *OPTIONS], cwd=bench.root, text=True,
                env={**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}, timeout=HANG,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert header(done.stdout) in WARM_HEADERS, done.stdout
            assert f"assert '{wanted}\\n' == 'nothing" in done.stdout, done.stdout
            bench.wait_until_warm()
