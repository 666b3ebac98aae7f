"""How a run ends, seen by the shell that started it, and what ends with it; beside cold pytest."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sampling import sampled
from tests.support import HANG, Shared, SmallBench, ended, eventually, small_bench

COLD = ("-p", "no:fastcollect")

FILES = {
    "conftest.py": """\
        import os
        import pytest
        import slow_to_import

        def note(text):
            fd = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, f"{text}\\n".encode())
            os.close(fd)

        @pytest.fixture(name="note")
        def _note():
            return note

        @pytest.fixture(autouse=True)
        def marker(request):
            note(f"ran {request.node.name}")

        @pytest.fixture
        def wait_for_go():
            with open(os.environ["GO"]) as go:
                return go.read
        """,
    "test_end.py": """\
        import os, signal, pytest

        def test_before(): pass
        def test_pytest_exit(): pytest.exit("enough", returncode=7)
        def test_os_exit(): os._exit(9)
        def test_system_exit(): raise SystemExit(3)
        def test_fails(): assert 0

        @pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM", "SIGABRT", "SIGINT"])
        def test_dies(name): os.kill(os.getpid(), getattr(signal, name))
        """,
    "test_many.py": """\
        import pytest
        @pytest.mark.parametrize("i", range(200))
        def test_many(i): pass
        """,
    "test_waits.py": """\
        import os, pytest

        def wait():
            with open(os.environ["GO"]) as go:
                go.read()

        def test_first(note):
            note(f"pid {os.getpid()}")
            wait()

        def test_passes(): pass
        def test_fails(): assert 0
        def test_exits(): pytest.exit("enough", returncode=5)
        """,
    "test_group.py": """\
        import os, signal, subprocess

        def test_group(note):
            child = subprocess.Popen(["sleep", "300"])
            note(f"pid {child.pid}")
            note(f"pid {os.getpid()}")
            signal.pause()
        """,
    "test_handles.py": """\
        import signal

        def test_handles(note):
            class Stop(Exception): pass
            def stop(number, frame):
                note("handled")
                raise Stop
            signal.signal(signal.SIGTERM, stop)
            note("ready")
            try:
                signal.pause()
            except Stop:
                pass
        """,
    "test_streams.py": """\
        import os, sys

        def test_streams(note):
            note([None if s is None else s.name for s in (sys.__stdin__,)])
            for fd in range(3):
                try:
                    os.fstat(fd)
                    note(f"{fd} open")
                except OSError as error:
                    note(f"{fd} {error.errno}")
        """,
}


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[SmallBench]:
    """A project whose conftest is warm: that serves each command line."""
    with small_bench(shared, FILES) as made:
        made.warm_up("--collect-only", "-q")
        yield made


@pytest.fixture
def own(shared: Shared) -> Iterator[SmallBench]:
    """As `bench`, for tests that kill what the others need."""
    with small_bench(shared, FILES) as made:
        made.warm_up("--collect-only", "-q")
        yield made


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where the tests of the project write to; `go` beside it is a pipe that they wait for."""
    path = tmp_path / "notes"
    os.mkfifo(tmp_path / "go")
    name = "own" if "own" in request.fixturenames else "bench"
    used: SmallBench = request.getfixturevalue(name)
    used.served_warm()
    variables = used.extra_env
    variables.update(NOTES=str(path), GO=str(tmp_path / "go"))
    yield path
    del variables["NOTES"], variables["GO"]


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def pids(notes: Path) -> list[int]:
    return [int(line.removeprefix("pid ")) for line in lines(notes) if line.startswith("pid ")]


def shell(
    bench: SmallBench, script: str, *args: str, program: str = "sh"
) -> subprocess.CompletedProcess[str]:
    """A script in which `"$@"` is the pytest command, as a person's shell would run it."""
    script = f"export FASTCOLLECT_TOP_LEVEL=$$; {script}"
    return subprocess.run(
        [program, "-c", script, program, *bench.command, *args],
        cwd=bench.root, env=bench.env, capture_output=True, text=True, timeout=HANG,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextlib.contextmanager
def started(bench: SmallBench, *args: str) -> Iterator[subprocess.Popen[str]]:
    """pytest in the background; killed at the end if it is still there."""
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    with subprocess.Popen(
        [*bench.command, *args], cwd=bench.root, env=env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def go(notes: Path) -> None:
    """Let the waiting test go on."""
    with open(notes.parent / "go", "w"):
        pass


ENDINGS = {
    "test_before": 0,
    "test_fails": 1,
    "test_pytest_exit": 7,
    "test_os_exit": 9,
    "test_system_exit": 1,
    "test_dies[SIGKILL]": 128 + signal.SIGKILL,
    "test_dies[SIGSEGV]": 128 + signal.SIGSEGV,
    "test_dies[SIGTERM]": 128 + signal.SIGTERM,
    "test_dies[SIGABRT]": 128 + signal.SIGABRT,
    "test_dies[SIGINT]": 2,
}


@pytest.mark.parametrize(("name", "expected"), sampled(list(ENDINGS.items()), 2))
def test_status_in_the_shell(bench: SmallBench, notes: Path, name: str, expected: int) -> None:
    script = '"$@"; status=$?; echo; echo "status $status"'
    warm = shell(bench, script, f"test_end.py::{name}")
    assert bench.served_warm()
    assert lines(notes) == [f"ran {name}"]
    cold = shell(bench, script, *COLD, f"test_end.py::{name}")
    assert lines(notes) == [f"ran {name}"] * 2
    assert warm.stdout.splitlines()[-1] == cold.stdout.splitlines()[-1] == f"status {expected}"


def test_output_to_a_closed_pipe(bench: SmallBench, notes: Path) -> None:
    def run(*args: str) -> tuple[int, str]:
        read_end, write_end = os.pipe()
        os.close(read_end)
        env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
        with os.fdopen(write_end) as out:
            done = subprocess.run(
                [*bench.command, *args, "-v", "test_many.py"], cwd=bench.root, env=env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True,
                timeout=HANG,
            )  # fmt: skip
        return done.returncode, done.stderr

    warm = run()
    assert bench.served_warm()
    ran = Counter(lines(notes))
    assert set(ran.values()) <= {1}
    cold = run(*COLD)
    assert warm[0] == cold[0] != 0
    assert ("BrokenPipeError" in warm[1]) == ("BrokenPipeError" in cold[1])


def test_head_closes_the_pipe(bench: SmallBench, notes: Path) -> None:
    done = shell(bench, '"$@" -v test_many.py | head -n 1')
    assert "test session starts" in done.stdout
    assert bench.served_warm()
    assert set(Counter(lines(notes)).values()) <= {1}


@pytest.mark.parametrize("first", [False, True], ids=["warm", "starts the server"])
def test_a_pipe_ends_with_the_run(own: SmallBench, first: bool) -> None:
    """Nothing that lives on holds the caller's output."""
    if first:
        own.fastcollect("stop")
    done = shell(own, '"$@" test_end.py::test_before 2>&1 | cat')  # hangs where something does
    assert "1 passed" in done.stdout
    assert ("Daemon: starting" if first else "Daemon: active") in done.stdout
    assert eventually(lambda: own.status()["pid"], "the server lives on")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams(bench: SmallBench, notes: Path, closed: str) -> None:
    """pytest itself does not start without stdout or stderr: then neither do we."""
    warm = shell(bench, f'"$@" test_streams.py {closed}')
    was_warm, seen = bench.served_warm(), lines(notes)
    notes.unlink(missing_ok=True)
    cold = shell(bench, f'"$@" -p no:fastcollect test_streams.py {closed}')
    assert seen == lines(notes)
    assert warm.returncode == cold.returncode
    if closed == "<&-":
        assert was_warm
        assert seen


def test_term_reaches_the_run(bench: SmallBench, notes: Path) -> None:
    with started(bench, "test_handles.py") as process:
        eventually(lambda: "ready" in lines(notes), "the test waits")
        process.terminate()
        output, _ = process.communicate(timeout=HANG)
    assert bench.served_warm()
    assert process.returncode == 0, output
    assert lines(notes)[1:] == ["ready", "handled"]


def test_term_ends_the_run(bench: SmallBench, notes: Path) -> None:
    with started(bench, "test_waits.py") as process:
        (run,) = eventually(lambda: pids(notes), "the test waits")
        assert run != process.pid, "not a warm run"
        process.terminate()
        process.communicate(timeout=HANG)
    assert process.returncode == -signal.SIGTERM
    assert ended(run)


def test_killed_caller_takes_the_run_and_its_group(bench: SmallBench, notes: Path) -> None:
    with started(bench, "test_group.py") as process:
        found = eventually(lambda: len(pids(notes)) == 2 and pids(notes), "the test waits")
        assert process.pid not in found, "not a warm run"
        process.kill()
        process.wait()
        for pid in found:
            assert ended(pid), "an orphan"


VICTIMS = {
    "checkpoint": ("conftests",),
    "all checkpoints": ("pytest", "plugins", "conftests"),
    "server": ("server",),
    "everything": ("server", "pytest", "plugins", "conftests"),
}


KILLED = [
    ("checkpoint", "fails", 1),
    ("all checkpoints", "exits", 5),
    ("server", "passes", 0),
    ("everything", "passes", 0),
    ("everything", "fails", 1),
    ("everything", "exits", 5),
]


@pytest.mark.parametrize(
    ("victims", "last", "expected"), sampled(KILLED, 1, always=[("everything", "fails", 1)])
)
def test_killed_in_mid_run(
    own: SmallBench, notes: Path, victims: str, last: str, expected: int
) -> None:
    """The run goes on to its end, with its own status, and is not begun again; so does the next."""
    alive = {**own.checkpoint_pids(), "server": own.server_pid()}
    args = ("test_waits.py::test_first", f"test_waits.py::test_{last}")
    with started(own, *args) as process:
        (run,) = eventually(lambda: pids(notes), "the test waits")
        assert run != process.pid, "not a warm run"
        doomed = [alive[name] for name in VICTIMS[victims] if name in alive]
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        assert all(ended(pid) for pid in doomed)
        go(notes)
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == expected, output
    assert Counter(lines(notes)) == {"ran test_first": 1, f"ran test_{last}": 1, f"pid {run}": 1}
    following = own.compare(["test_end.py::test_before", "test_end.py::test_fails"])
    assert not following.differences


def test_killed_at_any_moment(own: SmallBench, notes: Path) -> None:
    """Whenever the server or a checkpoint is killed: each test once, and the right status."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(5):
        alive = {**own.checkpoint_pids(), "server": own.server_pid()}
        name, delay = chance.choice(sorted(alive)), chance.uniform(0, 0.6)
        what = f"seed {seed}: {name} killed after {delay:.3f} s"
        with started(own, "test_end.py::test_before", "test_end.py::test_fails") as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            os.kill(alive[name], signal.SIGKILL)
            output, _ = process.communicate(timeout=HANG)
        assert process.returncode == 1, (what, output)
        assert lines(notes) == ["ran test_before", "ran test_fails"], (what, output)
        notes.unlink()
        own.warm_up("--collect-only", "-q")
