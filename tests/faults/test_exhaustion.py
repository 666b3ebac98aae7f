"""Nothing left of something: descriptors, processes, memory, disk, room in a request.

What comes out is what cold pytest shows under the same limit; warm or cold, and nothing hangs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import WARM_HEADERS

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Result
from tests.conftest import MakeProject
from tests.faults.killing import is_native
from tests.sampling import sampled
from tests.support import HANG, SmallBench, eventually, header

FILES = {
    "conftest.py": "import slow_to_import\n",
    "test_a.py": """\
        import resource
        def test_passes(tmp_path): (tmp_path / "x").write_text("x")
        def test_fails(): assert [1, 2] == [1, 3]
        def test_limits(): print(resource.getrlimit(resource.RLIMIT_NOFILE)); assert 0
        """,
}
OPTIONS = ("-p", "no:cacheprovider")


def limited(bench: SmallBench, limit: str, *args: str, by: str = "plugin", **env: str) -> Result:
    """A run from a shell with `ulimit` set. `by`: plugin, native or cold."""
    command = bench.command
    environ = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), **env}
    if by == "native":
        command = [str(bench.project.python.parent / "fastcollect"), "run"]
    elif by == "cold":
        environ |= {"FASTCOLLECT": "0", "PYTHONPYCACHEPREFIX": str(bench.bytecode)}
    done = subprocess.run(
        ["bash", "-c", f'ulimit {limit} && exec "$@"', "_", *command, *OPTIONS, *args],
        cwd=bench.root, env=environ, stdin=subprocess.DEVNULL, text=True, timeout=2 * HANG,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, (), 0.0)


def commands(bench: SmallBench) -> list[str]:
    native = bench.project.python.parent / "fastcollect"
    return ["plugin", "native"] if is_native(native) else ["plugin"]


def expect_right(bench: SmallBench, limit: str, *args: str, **env: str) -> list[str]:
    """Runs by both commands are as cold pytest under the same limit; what their headers say."""
    cold = limited(bench, limit, *args, by="cold", **env)
    said = []
    for by in commands(bench):
        found = limited(bench, limit, *args, by=by, **env)
        assert not (different := verify.differences(cold, found)), different[-1]
        said.append(header(found.output))
    return said


LIMITS = (
    "-n 64", "-n 12", "-v 400000", "-v 150000", "-f 0", "-s unlimited", "-l 0", "-i 0"
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("limit", LIMITS)
def test_a_run_with_little(limit: str, project: MakeProject) -> None:
    """The server has all; the run has what its caller has."""
    bench = project(FILES)
    bench.warm_up(*OPTIONS)
    for _ in range(2):
        expect_right(bench, limit)
    assert expect_right(bench, "-n 200")[0] in WARM_HEADERS


@pytest.mark.long
@pytest.mark.parametrize("limit", ["-n 64", "-n 24", "-n 12", "-v 500000", "-v 250000", "-f 0"])
def test_a_server_with_little(limit: str, project: MakeProject) -> None:
    """It was started by a run that had no more; those that come have all."""
    bench = project(FILES)
    limited(bench, limit)
    for _ in range(3):
        expect_right(bench, "-n 1024")
        bench.status(5)
    assert bench.fastcollect("stop").returncode == 0


LARGE = """-s 65536
value=$(printf '%0100000d' 0)
for number in $(seq 50); do export "LARGE_$number=$value"; done
true"""
"""Five megabytes of environment; the kernel allows six."""


def test_a_long_environment_and_long_arguments(project: MakeProject) -> None:
    """More than a request may have is a cold run that says so."""
    bench = project(FILES)
    bench.warm_up(*OPTIONS)
    for said in expect_right(bench, LARGE):
        assert said.startswith("cold: a message of 5") and "over the limit" in said
    prefix = f"--junit-prefix={'y' * 100_000}"
    for said in expect_right(bench, "-n 1024", prefix):
        assert said in WARM_HEADERS
    assert bench.status()["state"] == "warm"


@pytest.mark.long
def test_a_server_started_in_a_long_environment(project: MakeProject) -> None:
    bench = project(FILES)
    assert limited(bench, LARGE).exit == 1
    eventually(lambda: bench.status()["state"] != "stopped", "a server")
    bench.pytest(*OPTIONS)
    bench.wait_until_warm()
    assert not bench.compare_warm(*OPTIONS).differences


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A file system of 256 kB."""
    path.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(path)]
    if subprocess.run(["mount", *options], capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path) -> None:
    """Leave not one byte."""
    with open(path / "filling", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert os.statvfs(path).f_bavail == 0


@pytest.mark.long
def test_no_room_for_a_server(project: MakeProject) -> None:
    bench = project(FILES)
    with small_disk(bench.directory):
        fill(bench.directory)
        for said in expect_right(bench, "-n 1024"):
            assert said.startswith("cold: ") and "No space left" in said
        (bench.directory / "filling").unlink()
        bench.warm_up(*OPTIONS)
        fill(bench.directory)
        expect_right(bench, "-n 1024")
        expect_right(bench, "-n 1024", "-k", "fails")
        assert bench.compare_warm(*OPTIONS).differences == ()
        assert bench.fastcollect("stop").returncode == 0


@pytest.mark.long
def test_a_file_system_that_counts_nothing(project: MakeProject) -> None:
    """It is not full for that."""
    bench = project(FILES)
    bench.directory.mkdir(mode=0o700)
    mount = ["mount", "-t", "ramfs", "-o", "mode=0700", "ramfs", str(bench.directory)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        assert os.statvfs(bench.directory).f_blocks == 0
        bench.warm_up(*OPTIONS)
        assert bench.compare_warm(*OPTIONS).differences == ()
        assert bench.fastcollect("stop").returncode == 0
    finally:
        subprocess.run(["umount", "--lazy", str(bench.directory)], check=True)


@pytest.mark.long
def test_no_room_for_temporary_files(project: MakeProject) -> None:
    bench = project(FILES)
    with small_disk(bench.root.parent / "tmp"):
        environ = {"TMPDIR": str(bench.root.parent / "tmp")}
        bench.extra_env |= environ
        bench.warm_up(*OPTIONS)
        fill(bench.root.parent / "tmp")
        for _ in range(2):
            expect_right(bench, "-n 1024")
            bench.wait_until_warm()


@pytest.mark.long
def test_no_room_for_the_project_s_files(project: MakeProject) -> None:
    """No cache directory, no bytecode: as without us."""
    bench = project(FILES)
    with small_disk(bench.root):
        bench.write(FILES)
        bench.warm_up()
        fill(bench.root)
        for _ in range(2):
            expect_right(bench, "-n 1024")
            bench.wait_until_warm()


STRANGER = 61235
"""A user id that nobody has: limits on the number of processes do not hold for root."""
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 10])
def test_few_processes(processes: int, project: MakeProject) -> None:
    """Of a user of their own, with the system's Python and the packages of these tests."""
    bench = project(FILES)
    if not SYSTEM_PYTHON.exists() or _version(SYSTEM_PYTHON) != _version(bench.project.python):
        pytest.skip("the system's Python is not like the one of these tests")
    top = bench.root.parent
    shutil.copy(Path(bench.extra_env["PYTHONPATH"]) / "slow_to_import.py", top)
    top.chmod(0o755)
    for path in (top, bench.root, *bench.root.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    repository = Path(__file__).parent.parent.parent
    paths = [top, repository, repository / "pytest_plugin", sysconfig.get_path("purelib")]
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(top), "FASTCOLLECT_DIR": str(bench.directory),
        "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": bench.extra_env["PYTEST_ADDOPTS"],
        "FASTCOLLECT_TOP_LEVEL": str(os.getpid()),
    }  # fmt: skip

    def run(limit: str, *command: str) -> subprocess.CompletedProcess[str]:
        shell = f'ulimit -u {limit} && exec "$@"'
        return subprocess.run(
            ["bash", "-c", shell, "_", str(SYSTEM_PYTHON), "-m", *command],
            cwd=bench.root, env=environ, user=STRANGER, group=STRANGER, extra_groups=[],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=2 * HANG,
        )  # fmt: skip

    try:
        for _ in range(4):
            done = run(str(processes), "pytest", *OPTIONS)
            assert done.returncode == 1, done.stdout
            assert "2 failed, 1 passed" in done.stdout
            assert header(done.stdout), done.stdout
            run("unlimited", "fastcollect_lsp", "status", "--wait", "5")
    finally:
        run("unlimited", "fastcollect_lsp", "stop")


def _version(python: Path) -> str:
    code = "import sys; print(sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout


TEST_OF_HELPER = "import helper\ndef test_value(): assert helper.VALUE == 1\n"


@pytest.mark.parametrize("at_once", sampled([True, False], 1, always=[True]))
def test_watches_that_were_dropped(at_once: bool, project: MakeProject) -> None:
    """The kernel's queue overflows while the server stands still: what was edited meanwhile is made
    again by itself, and a run that comes at once is right without any event."""
    length = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if length > 100_000:
        pytest.skip("the kernel's queue is too long to be filled")
    bench = project({**FILES, "helper.py": "VALUE = 1\n", "test_b.py": TEST_OF_HELPER})
    bench.warm_up()
    server, before = bench.server_pid(), bench.checkpoint_pids()
    os.kill(server, signal.SIGSTOP)
    try:
        names = [bench.root / name for name in ("a.txt", "b.txt")]
        names[0].touch()
        for number in range(length // 2 + 1):  # each is two events
            os.rename(names[number % 2], names[1 - number % 2])
        bench.write({"helper.py": "VALUE = 2\n"})
    finally:
        os.kill(server, signal.SIGCONT)
    if at_once:
        compared = bench.compare(["-v"])
        assert not compared.differences, compared.differences[-1]
        assert "test_value FAILED" in compared.warm.output
    # Without a run, only what was left of the events, or that some were dropped, can have told.
    eventually(lambda: bench.checkpoint_pids().get("modules") != before["modules"], "the edit")
    bench.wait_until_warm()
    assert bench.server_pid() == server
    assert not bench.compare_warm("-v").differences
