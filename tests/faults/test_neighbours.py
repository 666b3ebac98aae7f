"""Another user of the machine: what they put in our way, or try to get from us, as that user.

Every run here is right all the same: it is cold, and its header says why. SECURITY.md has the
model.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcollect_lsp import rendezvous
from tests.conftest import MakeProject
from tests.faults.killing import is_native
from tests.sampling import sampled
from tests.support import HANG, SmallBench, eventually, header

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")

STRANGER = 61234
"""A user id that nobody has."""
FILES = {"conftest.py": "import slow_to_import\n", "test_good.py": "def test_good(): pass\n"}


def stranger(code: str, *args: str) -> subprocess.Popen[str]:
    """Python code as the other user; `args` are in `sys.argv[1:]`."""
    return subprocess.Popen(
        ["/usr/bin/python3", "-I", "-S", "-c", code, *args],
        cwd="/", user=STRANGER, group=STRANGER, extra_groups=[], text=True, env={},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def as_stranger(code: str, *args: str) -> str:
    """What such code has printed; it has ended well."""
    with stranger(code, *args) as process:
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 0, output
    return output.strip()


def test_the_stranger_is_one() -> None:
    """The control of all tests here."""
    assert as_stranger("import os; print(os.getresuid(), os.getgroups())").startswith(
        str((STRANGER,) * 3)
    )


@pytest.fixture
def bench(project: MakeProject) -> SmallBench:
    """A project whose server directory is to be below a directory that everybody can write to."""
    made = project(FILES)
    world = made.root.parent / "world"
    world.mkdir()
    world.chmod(0o1777)
    made.root.parent.chmod(0o755)
    made.directory = world / "run"
    return made


def runs(bench: SmallBench) -> list[str]:
    """What the headers of runs say, by the plugin and by the native command; all tests pass."""
    said = []
    native = bench.project.python.parent / "fastcollect"
    commands = [bench.command] + ([[str(native), "run"]] if is_native(native) else [])
    for command in commands:
        done = subprocess.run(
            command, cwd=bench.root, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}, timeout=HANG,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout
        said.append(header(done.stdout))
    return said


SQUAT = """
import os, sys
path, mode = sys.argv[1], int(sys.argv[2], 8)
os.mkdir(path)
os.chmod(path, mode)
"""


@pytest.mark.parametrize("mode", sampled(["700", "777"], 1))
def test_squatted_directory(mode: str, bench: SmallBench) -> None:
    as_stranger(SQUAT, str(bench.directory), mode)
    for said in runs(bench):
        assert said.startswith("cold: ") and f"belongs to user {STRANGER}" in said
    assert not list(bench.directory.iterdir())
    health = bench.fastcollect("health")
    assert health.returncode == 1
    assert f"belongs to user {STRANGER}" in health.stdout


@pytest.mark.long
def test_squatted_server_directory(bench: SmallBench) -> None:
    """The name of the server's own directory is no secret."""
    bench.directory.mkdir()
    bench.directory.chmod(0o755)
    (server,) = _server_directory(bench)
    as_stranger_owned(server)
    for said in runs(bench):
        assert said.startswith("cold: ") and f"belongs to user {STRANGER}" in said
    assert not list(server.iterdir())


def _server_directory(bench: SmallBench) -> list[Path]:
    """Where the server of a bench will be met: found out by having one, and stopping it."""
    bench.warm_up()
    found = bench.servers()
    assert bench.fastcollect("stop").returncode == 0
    bench.directory.mkdir(exist_ok=True)
    return found


def as_stranger_owned(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    os.chown(directory, STRANGER, STRANGER)


@pytest.mark.long
def test_link_to_a_directory_of_ours(bench: SmallBench, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    as_stranger("import os, sys; os.symlink(*sys.argv[1:])", str(tmp_path), str(bench.directory))
    for said in runs(bench):
        assert said.startswith("cold: ") and "not a directory of its own" in said
    assert not list(tmp_path.iterdir())


PLANT = """
import fcntl, os, socket, sys
directory, name, target = sys.argv[1:]
path = f"{directory}/{name}"
kept = None
if target:
    os.symlink(target, path)
elif name == "socket":
    kept = socket.socket(socket.AF_UNIX)
    kept.bind(path)
    kept.listen()
    os.chmod(path, 0o777)
elif name == "records":
    os.mkdir(path, 0o777)
    os.chmod(path, 0o777)
else:
    kept = open(path, "w")
    os.chmod(path, 0o666)
    fcntl.flock(kept, fcntl.LOCK_EX)
print("planted", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def planted(directory: Path, name: str, target: str = "") -> Iterator[None]:
    """Something of the other user's, made while the directory was open to everybody. It is closed
    again afterwards: as if its owner had found out, and not looked inside."""
    directory.chmod(0o777)
    with stranger(PLANT, str(directory), name, target) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "planted\n"
        directory.chmod(0o700)
        try:
            yield
        finally:
            process.communicate("", timeout=HANG)


@pytest.mark.long
@pytest.mark.parametrize("name", ["lock", "log"])
@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_planted_file(name: str, linked: bool, bench: SmallBench, tmp_path: Path) -> None:
    """Nothing of ours is written to it, and to nothing that it leads to."""
    bench.directory.parent.chmod(0o1777)
    (server,) = _server_directory(bench)
    server.mkdir(mode=0o700)
    precious = tmp_path / "precious"
    precious.write_text("kept")
    with planted(server, name, str(precious) if linked else ""):
        said = runs(bench)
        assert said[0].startswith("cold: ") or said[0] == "Daemon: starting"
        bench.fastcollect("status", "--wait", "3", "--json")
        assert bench.status()["state"] == "stopped"
        assert (server / name).read_text() == ("kept" if linked else "")
    assert precious.read_text() == "kept"


@pytest.mark.long
def test_planted_records(bench: SmallBench) -> None:
    """They would have modules imported: none of another user's is read."""
    (server,) = _server_directory(bench)
    server.mkdir(mode=0o700)
    with planted(server, "records"):
        (server / "records" / "theirs.json").write_text("{}")
        bench.pytest()
        eventually(lambda: bench.status()["state"] != "stopped", "a server")
        assert bench.pytest().exit == 0
        assert [path.name for path in (server / "records").iterdir()] == ["theirs.json"]
        assert "records not read" in (server / "log").read_text()
        assert bench.fastcollect("stop").returncode == 0


FAKE = """
import array, os, select, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
sock.listen(50)
print("listening", flush=True)
count = 0
while True:
    ready, _, _ = select.select([sock, sys.stdin], [], [])
    if sys.stdin in ready:
        break
    peer, _ = sock.accept()
    count += 1
    peer.settimeout(10)
    data, ancillary, _, _ = peer.recvmsg(1 << 20, socket.CMSG_SPACE(64))
    if data or ancillary:
        print("got", data[:200], ancillary, flush=True)
print(count, flush=True)
"""


def test_fake_server(bench: SmallBench) -> None:
    """It wants a run's descriptors, and gets not one byte."""
    (server,) = _server_directory(bench)
    theirs = bench.root.parent / "world" / "theirs"
    as_stranger(SQUAT, str(theirs), "755")
    with stranger(FAKE, str(theirs / "socket")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        server.mkdir(mode=0o700)
        (theirs / "socket").rename(server / "socket")  # as only root, or a bug of ours, could
        said = runs(bench)
        for command in ("status", "stop", "health", "start"):
            done = bench.fastcollect(command)
            assert done.returncode != 0, (command, done.stdout)
            assert f"user {STRANGER}" in done.stdout + done.stderr, command
        output, _ = process.communicate("", timeout=HANG)
    for line in said:
        assert (
            line == f"cold: the process at the other end of the socket belongs to user {STRANGER}"
        )
    assert int(output) >= len(said) + 4, output
    assert "got" not in output


CONNECT = """
import array, json, socket, sys
path, hello = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
try:
    sock.connect(path)
except PermissionError:
    print("not let in")
    sys.exit()
body = hello.encode()
null = open("/dev/null")
try:
    sock.sendmsg([len(body).to_bytes(4, "big") + body],
                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()] * 4))])
except BrokenPipeError:
    pass
try:
    print("answer", sock.recv(4096))
except ConnectionResetError:
    print("answer", b"")
"""


@pytest.mark.parametrize(
    "kind", sampled(["status", "stop", "editor", "report", "run"], 1, always=["run"])
)
def test_connecting_to_our_socket(kind: str, bench: SmallBench) -> None:
    """Kept out by the directory; and if that were open, by the server itself."""
    bench.warm_up()
    (server,) = bench.servers()
    status = json.dumps({"kind": kind, "version": bench.status()["version"], "pid": 1})
    pid = bench.server_pid()
    assert as_stranger(CONNECT, str(server / "socket"), status) == "not let in"
    server.chmod(0o711)
    bench.directory.chmod(0o711)
    (server / "socket").chmod(0o777)
    assert as_stranger(CONNECT, str(server / "socket"), status) == "answer b''"
    server.chmod(0o700)
    assert f"belongs to user {STRANGER}" in (server / "log").read_text()
    assert bench.server_pid() == pid
    assert bench.compare_warm().differences == ()


@pytest.mark.long
def test_directory_that_others_may_replace(bench: SmallBench) -> None:
    """A directory of ours in one of theirs: they could put another in its place at any moment."""
    theirs = bench.root.parent / "world" / "theirs"
    as_stranger(SQUAT, str(theirs), "777")
    bench.directory = theirs / "run"
    bench.directory.mkdir(mode=0o700)
    for said in runs(bench):
        assert said == f"cold: no server could be started (others may replace what is in {theirs})"
    assert not list(bench.directory.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("mode", [0o1777, 0o777], ids=["sticky", "not sticky"])
def test_temporary_directory_open_to_all(mode: int, bench: SmallBench) -> None:
    """TMPDIR is where tests write, and nobody else of us."""
    world = bench.directory.parent
    bench.directory = bench.root.parent / "run"
    world.chmod(mode)
    bench.extra_env["TMPDIR"] = str(world)
    bench.warm_up()
    found = bench.compare_warm()
    assert not found.differences, found.differences[-1]
    assert not [path for path in world.rglob("*") if "fastcollect" in path.name]


@pytest.mark.long
def test_a_run_as_another_user_is_another_server(bench: SmallBench) -> None:
    """Root's server is not asked by a user's run, and has not to be: directories have owners."""
    bench.warm_up()
    (server,) = bench.servers()
    code = "import os, sys\ntry: os.listdir(sys.argv[1])\nexcept PermissionError: print('closed')"
    assert as_stranger(code, str(server)) == "closed"
    with pytest.raises(rendezvous.Unsafe):
        os.chown(server, STRANGER, STRANGER)
        try:
            rendezvous.check_owned(server, 0o700)
        finally:
            os.chown(server, 0, 0)
