"""Watching files: the real kernel, the real event loop. Nothing is waited for but events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from fastcollect_lsp._core import InputSet
from fastcollect_lsp.watch import (
    LONGEST_S,
    MOST,
    QUIET_S,
    REST_S,
    SLOWEST,
    Burst,
    Changes,
    FileWatch,
)
from tests.support import HANG


class Heard:
    """A watch, and what it has said."""

    def __init__(self) -> None:
        self.calls: list[Changes] = []
        self._called = asyncio.Condition()
        self.watch = FileWatch(self._changed)
        self._tasks: set[asyncio.Task[None]] = set()

    def _changed(self, changes: Changes) -> None:
        self.calls.append(changes)
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._called:
            self._called.notify_all()

    @property
    def paths(self) -> set[str]:
        """All that was named so far."""
        return {path for changes in self.calls for path in changes.paths}

    async def aim(self, *directories: Path, inputs: InputSet | None = None) -> None:
        """Watch, and let go by what is reported because it was not watched before."""
        self.watch.aim([str(path) for path in directories], [inputs] if inputs else [])
        await self.watch.aimed()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for calls until this holds."""
        async with self._called:
            await asyncio.wait_for(self._called.wait_for(condition), HANG)

    async def of(self, *paths: Path) -> None:
        """Wait until these have been named."""
        wanted = {str(path) for path in paths}
        await self.until(lambda: wanted <= self.paths)


@pytest_asyncio.fixture
async def heard() -> AsyncIterator[Heard]:
    listener = Heard()
    yield listener
    await listener.watch.close()


def edit(root: Path) -> list[Path]:
    (root / "a.py").write_text("2")
    return [root / "a.py"]


def replace(root: Path) -> list[Path]:
    """As editors save: another file takes the place."""
    (root / "a.py.tmp").write_text("2")
    os.replace(root / "a.py.tmp", root / "a.py")
    return [root / "a.py"]


def rename(root: Path) -> list[Path]:
    (root / "a.py").rename(root / "b.py")
    return [root / "a.py", root / "b.py"]


def delete(root: Path) -> list[Path]:
    (root / "a.py").unlink()
    return [root / "a.py"]


def make_directory(root: Path) -> list[Path]:
    (root / "new").mkdir()
    return [root / "new"]


def move_directory(root: Path) -> list[Path]:
    (root / "sub").rename(root / "bus")
    return [root / "sub", root / "bus"]


def touch(root: Path) -> list[Path]:
    os.utime(root / "a.py", (1, 1))
    return [root / "a.py"]


def configure(root: Path) -> list[Path]:
    (root / "pytest.ini").write_text("[pytest]")
    return [root / "pytest.ini"]


def change_data(root: Path) -> list[Path]:
    (root / "data.json").write_text("2")
    return [root / "data.json"]


@pytest.mark.parametrize(
    "act",
    [
        edit,
        replace,
        rename,
        delete,
        make_directory,
        move_directory,
        touch,
        configure,
        change_data,
    ],
    ids=lambda act: act.__name__,
)
@pytest.mark.asyncio
async def test_changes_are_reported(
    heard: Heard, tmp_path: Path, act: Callable[[Path], list[Path]]
) -> None:
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "data.json").write_text("1")
    (tmp_path / "sub").mkdir()
    await heard.aim(tmp_path, inputs=InputSet([str(tmp_path / "data.json")], []))
    await heard.of(tmp_path)  # new to us, so it counts as changed
    heard.calls.clear()
    paths = act(tmp_path)
    await heard.of(*paths)
    assert heard.paths == {str(path) for path in paths}


@pytest.mark.asyncio
async def test_what_is_aimed_at_can_change(heard: Heard, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    await heard.aim(first)
    await heard.aim(second)
    (first / "a.py").write_text("")
    (second / "a.py").write_text("")
    await heard.of(first, second, second / "a.py")
    assert str(first / "a.py") not in heard.paths
    assert heard.watch.status.text == "watching 1 directory"


@pytest.mark.asyncio
async def test_root_that_vanishes_and_returns(heard: Heard, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    await heard.aim(root)
    await heard.of(root)
    heard.calls.clear()
    root.rename(tmp_path / "elsewhere")
    await heard.of(root)
    await heard.aim(root)
    heard.calls.clear()
    root.mkdir()
    await heard.of(root)
    await heard.aim(root)
    (root / "a.py").write_text("")
    await heard.of(root / "a.py")


@pytest.mark.asyncio
async def test_switching_branches_is_few_calls(heard: Heard, tmp_path: Path) -> None:
    def git(*args: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *args], cwd=tmp_path, check=True, capture_output=True)

    packages = [tmp_path / f"package{number}" for number in range(10)]
    files = [package / f"test_{number}.py" for package in packages for number in range(100)]
    for package in packages:
        package.mkdir()
    for branch in ("one", "two"):
        if branch == "one":
            git("init", "-q", "-b", branch)
        else:
            git("checkout", "-q", "-b", branch)
        for file in files:
            file.write_text(f"BRANCH = {branch!r}\n")
        git("add", ".")
        git("commit", "-q", "-m", branch)
    await heard.aim(tmp_path, *packages)
    await heard.of(*packages)
    heard.calls.clear()
    await asyncio.to_thread(git, "checkout", "-q", "one")
    wanted = {str(file) for file in files}
    await heard.until(lambda: wanted <= heard.paths or any(c.everything for c in heard.calls))
    assert len(heard.calls) <= len(files) // 20


@pytest.mark.asyncio
async def test_reading_wakes_nobody(heard: Heard, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.py" for number in range(500)]
    for file in files:
        file.write_text("x")
    await heard.aim(tmp_path)
    await heard.of(tmp_path)
    before = _wake_ups("notify")
    for file in files:
        file.read_text()
    files[0].write_text("y")
    await heard.of(files[0])
    assert _wake_ups("notify") - before < len(files) // 10


def _wake_ups(thread: str) -> int:
    """How often a thread of this process, known by the beginning of its name, has waited."""
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith(thread):
            lines = (task / "status").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_"))
    raise AssertionError(f"no thread {thread}")


LEFT_BEHIND = """\
import os, sys, time
from fastcollect_lsp._core import Watcher

def state():
    threads = []
    for task in os.listdir("/proc/self/task"):
        try:
            threads.append(open(f"/proc/self/task/{task}/comm").read())
        except OSError:  # it has ended meanwhile
            pass
    return len(os.listdir("/proc/self/fd")), sorted(threads)

def closed(watcher):
    watcher.close()
    while any(name.startswith("notify") for name in state()[1]):
        time.sleep(0.01)

def used():
    watcher = Watcher()
    watcher.watch([sys.argv[1]])
    return watcher

closed(used())  # from now on the threads that stay for all are there
before = state()
for _ in range(20):
    watcher = used()
    assert state()[0] > before[0]
    closed(watcher)
    del watcher
assert state() == before, (before, state())
"""


def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    """In a process of its own: other tests leave descriptors and threads here."""
    subprocess.run([sys.executable, "-c", LEFT_BEHIND, tmp_path], check=True, timeout=HANG)


# -------------------------------------------------------------------- what the kernel refuses

OVERFLOW = """\
import os, select, sys
from fastcollect_lsp._core import Watcher
watcher = Watcher()
watcher.watch([sys.argv[1]])
print("ready", flush=True)
while True:
    select.select([watcher.fileno()], [], [])
    taken = watcher.take()
    print("everything" if taken is None else "paths", flush=True)
"""


def test_overflow_of_the_kernels_queue_is_everything(tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("the kernel's queue is too long to be filled")
    (tmp_path / "a.txt").write_text("")
    command = [sys.executable, "-c", OVERFLOW, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Nobody reads the queue meanwhile: it must overflow.
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        for _ in range(limit // 4 + 1):  # names that do not matter; each rename is two events
            os.rename(tmp_path / "a.txt", tmp_path / "b.txt")
            os.rename(tmp_path / "b.txt", tmp_path / "a.txt")
        process.send_signal(signal.SIGCONT)
        while (line := process.stdout.readline()) == "paths\n":
            pass
        assert line == "everything\n"
        process.kill()


LIMITED = """\
import os, sys
from fastcollect_lsp._core import Watcher

def limit(name, value):
    with open(f"/proc/sys/user/max_inotify_{name}", "w") as file:
        file.write(str(value))

directories = sys.argv[1:]
watcher = Watcher()
limit("instances", 0)
print(len(watcher.watch(directories)), watcher.state()[-1])
limit("instances", 10)
limit("watches", 3)
print(len(watcher.watch(directories)), watcher.state()[-1])
limit("watches", 0)
print(len(watcher.watch(directories[:1])), watcher.state()[-1])
limit("watches", 100)
print(len(watcher.watch(directories)), watcher.state()[-1])
"""


def test_limits_of_the_kernel_are_states(tmp_path: Path) -> None:
    """The kernel's own limits, lowered in a user namespace of the test's own."""
    inside = ["unshare", "--user", "--map-root-user"]
    with contextlib.suppress(FileNotFoundError):
        probe = subprocess.run(
            [*inside, "sh", "-c", "echo 9 > /proc/sys/user/max_inotify_watches"],
            capture_output=True,
        )
        if probe.returncode == 0:
            inside.append(sys.executable)
    if inside[-1] != sys.executable:
        pytest.skip("no user namespaces here")
    directories = [tmp_path / str(number) for number in range(5)]
    for directory in directories:
        directory.mkdir()
    command = [*inside, "-c", LIMITED, *map(str, directories)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=HANG)
    reached = "the limit of inotify {0} is reached (fs.inotify.max_user_{0})"
    assert done.stdout.splitlines() == [
        "0 not watching: " + reached.format("instances"),
        "3 watching 3 of 5 directories: " + reached.format("watches"),
        "0 watching 1 directory",
        "4 watching 5 directories",
    ]


# -------------------------------------------------------------------- bursts, by a given clock


def test_a_burst_ends_when_it_is_quiet() -> None:
    burst = Burst()
    assert burst.due is None
    burst.add(["/b"], 10.0)
    assert burst.due == 10.0 + QUIET_S
    burst.add(["/a", "/b"], 10.04)
    assert burst.due == 10.04 + QUIET_S
    assert burst.end(10.1) == Changes(("/a", "/b"))
    assert burst.due is None


def test_a_burst_lasts_so_long_at_most() -> None:
    burst = Burst()
    for step in range(50):
        burst.add([f"/{step}"], 10.0 + step * QUIET_S / 2)
    assert burst.due == 10.0 + LONGEST_S
    assert len(burst.end(10.0 + LONGEST_S).paths) == 50


def test_bursts_without_rest_become_longer_and_a_rest_ends_that() -> None:
    burst, now, lengths = Burst(), 10.0, []
    for _ in range(8):
        began = now
        while burst.due is None or burst.due > now:
            burst.add(["/log.py"], now)
            now += QUIET_S / 2
        lengths.append(now - began)
        burst.end(now)
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[-1] < (SLOWEST + 1) * LONGEST_S
    now += REST_S
    burst.add(["/log.py"], now)
    assert burst.due == now + QUIET_S


def test_bursts_in_other_directories_do_not_slow_each_other() -> None:
    burst, now = Burst(), 10.0
    for path in ["/project/.cache/nodeids", "/project/helper.py"] * 4:
        burst.add([path], now)
        assert burst.due == now + QUIET_S
        now += QUIET_S
        burst.end(now)


def test_everything_swallows_names() -> None:
    burst = Burst()
    burst.add(["/a"], 0.0)
    burst.add(None, 0.0)
    burst.add(["/b"], 0.0)
    assert burst.end(0.1) == Changes(everything=True)
    burst.add([f"/{number}" for number in range(MOST + 1)], 0.2)
    assert burst.end(0.3) == Changes(everything=True)
    burst.add(["/c"], 9.0)
    assert burst.end(9.1) == Changes(("/c",))
