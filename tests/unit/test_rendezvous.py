"""The place where a server is met: whose it is, who holds it, what is left of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcollect_lsp import hints, rendezvous
from fastcollect_lsp.rendezvous import Busy, Place, Unsafe


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fc-") as top:
        monkeypatch.setenv("FASTCOLLECT_DIR", f"{top}/run")
        yield Path(top, "run")


@pytest.fixture
def place(base: Path) -> Place:
    made = rendezvous.place("/some/root")
    rendezvous.secure(made.directory)
    return made


def test_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FASTCOLLECT_DIR", str(tmp_path / "explicit"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert rendezvous.base_directory() == tmp_path / "explicit"
    monkeypatch.delenv("FASTCOLLECT_DIR")
    assert rendezvous.base_directory() == tmp_path / "fastcollect"
    for useless in ("relative", str(tmp_path / "missing"), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", useless)
        assert rendezvous.base_directory() == Path("/tmp", f"fastcollect-{os.getuid()}")


def test_one_place_for_one_root_and_interpreter(base: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    same = rendezvous.place(str(tmp_path))
    assert rendezvous.place(str(tmp_path / "link")).directory == same.directory
    assert rendezvous.place(str(tmp_path), "other").directory != same.directory
    assert rendezvous.place("/").directory != same.directory
    assert same.directory.parent == base


def test_secure_makes_private_directories(place: Place) -> None:
    for path in (place.directory, place.directory.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    rendezvous.secure(place.directory)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o755, 0o710])
def test_directory_open_to_others(place: Place, mode: int) -> None:
    place.directory.chmod(mode)
    with pytest.raises(Unsafe, match="open to others"):
        rendezvous.secure(place.directory)
    with pytest.raises(Unsafe, match="open to others"):
        rendezvous.connect(place, 1.0)


def test_base_chosen_by_the_user_may_be_readable(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = place.directory.parent
    base.chmod(0o755)
    rendezvous.secure(place.directory)
    base.chmod(0o775)
    with pytest.raises(Unsafe):
        rendezvous.secure(place.directory)
    base.chmod(0o755)
    monkeypatch.delenv("FASTCOLLECT_DIR")
    with pytest.raises(Unsafe):
        rendezvous.secure(place.directory)


@pytest.mark.parametrize("which", ["base", "own"])
def test_link_in_its_place(base: Path, tmp_path: Path, which: str) -> None:
    place = rendezvous.place("/some/root")
    tmp_path.chmod(0o700)
    if which == "base":
        base.symlink_to(tmp_path)
    else:
        base.mkdir(mode=0o700)
        place.directory.symlink_to(tmp_path)
    with pytest.raises(Unsafe, match="not a directory of its own"):
        rendezvous.secure(place.directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directory_of_another_user(place: Place) -> None:
    os.chown(place.directory, 12345, 12345)
    with pytest.raises(Unsafe, match="belongs to user 12345"):
        rendezvous.connect(place, 1.0)
    with pytest.raises(Unsafe):
        rendezvous.secure(place.directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_peer_of_another_user(place: Place) -> None:
    """The listener's credentials are those of the process that called `listen`."""
    code = (
        "import os, socket, sys\n"
        "sock = socket.socket(socket.AF_UNIX)\nsock.bind(sys.argv[1])\n"
        "os.setuid(12345)\nsock.listen(1)\nprint('listening', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(place.socket)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"listening\n"
        with pytest.raises(Unsafe, match="belongs to user 12345"):
            rendezvous.connect(place, 5.0)
        other.communicate()


def test_no_server(place: Place, base: Path) -> None:
    assert rendezvous.connect(place, 1.0) is None
    assert rendezvous.connect(rendezvous.place("/never/seen"), 1.0) is None
    assert not rendezvous.is_locked(place)
    assert rendezvous.read_holder(place) == {}


def test_socket_is_private_and_connects(place: Place) -> None:
    with rendezvous.listen(place) as listener:
        assert place.socket.stat().st_mode & 0o077 == 0
        ours = rendezvous.connect(place, 1.0)
        assert ours is not None
        theirs, _ = listener.accept()
        with ours, theirs:
            assert rendezvous.check_peer(theirs) == rendezvous.check_peer(ours) == os.getpid()


def test_stale_socket(place: Place) -> None:
    rendezvous.listen(place).close()
    assert place.socket.is_socket()
    assert rendezvous.connect(place, 1.0) is None
    with rendezvous.listen(place):
        connection = rendezvous.connect(place, 1.0)
        assert connection is not None
        connection.close()


def test_path_longer_than_an_address(base: Path) -> None:
    directory = base / ("x" * 150) / "id"
    place = Place("/some/root", "python", directory)
    rendezvous.secure(directory)
    with pytest.raises(OSError, match="too long"), socket.socket(socket.AF_UNIX) as plain:
        plain.bind(str(place.socket))
    before = len(os.listdir("/proc/self/fd"))
    with rendezvous.listen(place) as listener:
        connection = rendezvous.connect(place, 1.0)
        assert connection is not None
        with connection:
            listener.accept()[0].close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert rendezvous.connect(place, 1.0) is None


def test_lock_is_held_once(place: Place) -> None:
    held = rendezvous.acquire_lock(place)
    assert rendezvous.is_locked(place)
    with pytest.raises(Busy):
        rendezvous.acquire_lock(place)
    rendezvous.write_holder(held, {"pid": 1, "text": "x" * 100})
    rendezvous.write_holder(held, {"pid": 2})
    assert rendezvous.read_holder(place) == {"pid": 2}
    assert not os.get_inheritable(held)
    assert place.lock.stat().st_mode & 0o777 == 0o600
    os.close(held)
    assert not rendezvous.is_locked(place)
    os.close(rendezvous.acquire_lock(place))


def test_lock_of_a_killed_process_is_free(place: Place) -> None:
    code = (
        "import sys\nfrom fastcollect_lsp import rendezvous\n"
        "fd = rendezvous.acquire_lock(rendezvous.place('/some/root'))\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy):
            rendezvous.acquire_lock(place)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    os.close(rendezvous.acquire_lock(place))


def test_lock_that_is_a_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    place.lock.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        rendezvous.acquire_lock(place)
    assert (tmp_path / "victim").read_text() == "kept"


def test_lock_file_removed_while_it_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopping server unlinks the file between our open and our flock: ours is another one."""
    import fcntl

    real = fcntl.flock
    removed: list[Path] = []

    def flock(fd: int, operation: int) -> None:
        if not removed:
            place.lock.unlink()
            removed.append(place.lock)
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    held = rendezvous.acquire_lock(place)
    assert removed
    assert os.path.samestat(os.fstat(held), place.lock.stat())
    os.close(held)


def test_holder_that_is_no_json(place: Place) -> None:
    for text in ("", "{", "[1]"):
        place.lock.write_text(text)
        assert rendezvous.read_holder(place) == {}


def test_remove_leaves_nothing(place: Place) -> None:
    place.records.mkdir()
    (place.records / "one.json").write_text("{}")
    place.log.write_text("")
    held = rendezvous.acquire_lock(place)
    rendezvous.listen(place).close()
    rendezvous.remove(place, held)
    os.close(held)
    assert not place.directory.parent.exists()


def test_commands_lead_to_their_server(place: Place) -> None:
    assert hints.known_command(["pytest", "-q"], "/here") is None
    rendezvous.note_command(place, ["pytest", "-q"], "/here")
    rendezvous.note_command(place, ["pytest", "-q"], "/here")
    assert hints.known_command(["pytest", "-q"], "/here") == str(place.directory)
    assert hints.known_command(["pytest"], "/here") is None
    assert hints.known_command(["pytest", "-q"], "/there") is None
    assert hints.known_command(["bin/pytest", "-q"], "/here") is None
    other = Place("/other", "", place.directory.with_name("other"))
    rendezvous.note_command(other, ["pytest"], "/here")
    rendezvous.forget_commands(place)
    assert hints.known_command(["pytest", "-q"], "/here") is None
    assert hints.known_command(["pytest"], "/here") == str(other.directory)
    rendezvous.forget_commands(other)
    assert not (place.directory.parent / "commands").exists()


@pytest.mark.parametrize(
    ("other", "is_alike"),
    [
        ("-q test_a.py::test_b", True),
        ("test_c.py -q", True),
        ("-q -k something", False),
        ("-q -m something -k that", False),
        ("test_a.py", False),
        ("-q -x test_a.py", False),
    ],
)
def test_commands_of_one_kind(other: str, is_alike: bool, place: Place) -> None:
    """Which tests they are for makes no other kind of commands."""
    rendezvous.note_command(place, ["pytest", "-q", "test_a.py"], "/")
    assert (hints.known_command(["pytest", *other.split()], "/") is not None) == is_alike


def test_expressions_are_no_options(place: Place) -> None:
    rendezvous.note_command(place, ["pytest", "-k", "one"], "/")
    assert hints.known_command(["pytest", "test_a.py", "-k", "-not"], "/") is not None


def test_a_command_that_leads_elsewhere(place: Place) -> None:
    rendezvous.note_command(place, ["pytest"], "/")
    (link,) = (place.directory.parent / "commands").iterdir()
    link.unlink()
    link.symlink_to("../elsewhere")
    assert hints.known_command(["pytest"], "/") is None


def test_commands_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were noted last are kept."""
    monkeypatch.setattr(rendezvous, "MAX_COMMANDS", 3)
    for number in range(6):
        rendezvous.note_command(place, ["pytest", f"-{number}"], "/")
        os.utime(
            hints.command_link(["pytest", f"-{number}"], "/"),
            (number, number),
            follow_symlinks=False,
        )
    known = [hints.known_command(["pytest", f"-{number}"], "/") for number in range(6)]
    assert known == [None] * 3 + [str(place.directory)] * 3


@pytest.mark.parametrize(("mode", "safe"), [(0o700, True), (0o1777, True), (0o777, False)])
def test_what_is_above(base: Path, mode: int, safe: bool) -> None:
    """Whoever may rename a directory may put another in its place."""
    base.parent.chmod(mode)
    place = rendezvous.place("/some/root")
    if safe:
        rendezvous.secure(place.directory)
        rendezvous.check(place.directory)
    else:
        with pytest.raises(Unsafe, match="others may replace"):
            rendezvous.secure(place.directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_what_is_above_belongs_to_another(base: Path) -> None:
    os.chown(base.parent, 12345, 12345)
    with pytest.raises(Unsafe, match="others may replace"):
        rendezvous.secure(rendezvous.place("/some/root").directory)


@pytest.mark.parametrize("name", ["log", "lock"])
def test_files_that_are_not_ours_alone(place: Place, name: str, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    path = place.directory / name
    open_it = rendezvous.open_log if name == "log" else rendezvous.acquire_lock
    os.link(tmp_path / "precious", path)
    with pytest.raises(Unsafe, match="not a file of ours alone"):
        open_it(place)
    path.unlink()
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):
        open_it(place)
    path.unlink()
    if name == "log":
        os.mkfifo(path)
        with pytest.raises((Unsafe, OSError)):
            open_it(place)
        path.unlink()
    os.close(open_it(place))
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_lock_that_is_no_longer_the_one(place: Place) -> None:
    """Of a directory that was removed under its server: what is there now is another's."""
    held = rendezvous.acquire_lock(place)
    assert rendezvous.holds(place, held)
    place.lock.unlink()
    assert not rendezvous.holds(place, held)
    successor = rendezvous.acquire_lock(place)
    rendezvous.remove(place, held)
    assert rendezvous.holds(place, successor)
    rendezvous.remove(place, successor)
    assert not place.directory.exists()
    for fd in (held, successor):
        os.close(fd)
