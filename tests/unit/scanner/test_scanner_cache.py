"""The cache of facts: an unchanged project is not opened; nothing in the cache is trusted."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fastcollect_lsp import cache
from fastcollect_lsp._core import Scan, project_config
from tests.unit.scanner.scanner_support import write_files

FILES = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": "import pytest\n",
    "test_a.py": "def test_a(): pass\n",
    "pkg/conftest.py": "import pytest\n",
    "pkg/__init__.py": "",
    "pkg/test_b.py": "class TestB:\n    def test_b(self): pass\n",
}

SCAN = """
import sys
from fastcollect_lsp._core import Scan, project_config
scan = Scan(project_config(sys.argv[1]), cache=sys.argv[2])
scan.refresh()
sys.stdout.buffer.write(scan.tree_json())
"""

TICK = 0.11
"""Seconds after which a file's time stamp tells every later change (`src/proof/stat.rs`)."""

IN_OPEN, IN_ISDIR = 0x20, 0x40000000


def scanned(root: Path, kept: Path) -> bytes:
    """The tree that a new process would see."""
    scan = Scan(project_config(str(root)), cache=str(kept))
    scan.refresh()
    return scan.tree_json()


def fresh(root: Path) -> bytes:
    """The tree without any cache: the oracle of these tests."""
    scan = Scan(project_config(str(root)))
    scan.refresh()
    return scan.tree_json()


def settle(root: Path) -> None:
    """Wait until the files' time stamps are old enough to be trusted."""
    newest = max(path.stat().st_ctime for path in root.rglob("*"))
    time.sleep(max(0.0, newest + TICK - time.time()))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the cache is."""
    return tmp_path / "cache"


@pytest.fixture
def project(root: Path) -> Path:
    """A small project whose time stamps can be trusted."""
    write_files(root, FILES)
    settle(root)
    return root


class Opened:
    """Names of the files below a directory that anybody opens, as the kernel tells."""

    def __init__(self, root: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0
        for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
            assert libc.inotify_add_watch(self._fd, os.fsencode(directory), IN_OPEN) >= 0

    def names(self) -> set[str]:
        """Those since the last call."""
        try:
            events = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return set()
        found, start = set(), 0
        while start < len(events):
            _, mask, _, length = struct.unpack_from("iIII", events, start)
            start += struct.calcsize("iIII")
            if not mask & IN_ISDIR:
                found.add(os.fsdecode(events[start : start + length].rstrip(b"\0")))
            start += length
        return found

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def opened(project: Path) -> Iterator[Opened]:
    """Which of the project's files are opened from now on."""
    if sys.platform != "linux":
        pytest.skip("asks Linux' inotify")
    watch = Opened(project)
    yield watch
    watch.close()


def in_another_process(root: Path, kept: Path) -> subprocess.Popen[bytes]:
    """A scan by a process of its own, which prints the tree."""
    command = [sys.executable, "-c", SCAN, str(root), str(kept)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_an_unchanged_project_is_not_opened(project: Path, kept: Path, opened: Opened) -> None:
    first = in_another_process(project, kept).communicate()[0]
    assert {"test_a.py", "test_b.py", "conftest.py"} <= opened.names()
    second = in_another_process(project, kept).communicate()[0]
    assert opened.names() <= {"pytest.ini"}
    assert first == second == fresh(project)


def test_what_changed_is_opened_and_nothing_else(project: Path, kept: Path, opened: Opened) -> None:
    scanned(project, kept)
    (project / "test_a.py").write_text("def test_z(): pass\n")
    (project / "test_new.py").write_text("def test_new(): pass\n")
    (project / "pkg" / "test_b.py").unlink()
    settle(project)
    expected = fresh(project)
    opened.names()
    tree = scanned(project, kept)
    assert opened.names() - {"pytest.ini"} == {"test_a.py", "test_new.py"}
    assert tree == expected
    assert b"test_z" in tree and b"test_a.py::test_a" not in tree and b"test_b" not in tree
    opened.names()
    assert scanned(project, kept) == tree
    assert opened.names() <= {"pytest.ini"}


def test_edits_in_quick_succession_are_all_seen(project: Path, kept: Path) -> None:
    for number in range(100):
        (project / "test_a.py").write_text(f"def test_{number:03}(): pass\n")
        assert f"test_{number:03}".encode() in scanned(project, kept)


def test_an_edit_that_restores_size_and_mtime_is_seen(project: Path, kept: Path) -> None:
    path = project / "test_a.py"
    scanned(project, kept)
    before = path.stat()
    path.write_text("def test_b(): pass\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert b"test_a.py::test_b" in scanned(project, kept)


def test_unsaved_buffers_are_never_kept(project: Path, kept: Path) -> None:
    scan = Scan(project_config(str(project)), cache=str(kept))
    scan.refresh({str(project / "test_a.py"): b"def test_buffer(): pass\n"})
    assert b"test_buffer" in scan.tree_json()
    assert scanned(project, kept) == fresh(project)


def test_many_processes_at_once(project: Path, kept: Path, opened: Opened) -> None:
    files = {f"more/test_{n}.py": f"def test_{n}(): pass\n" * 50 for n in range(40)}
    write_files(project, files)
    settle(project)
    running = [in_another_process(project, kept) for _ in range(4)]
    trees = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert set(trees) == {fresh(project)}
    opened.names()
    assert scanned(project, kept) == trees[0]
    assert opened.names() <= {"pytest.ini"}


def _cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


DAMAGES: Mapping[str, object] = {
    "empty": lambda content: b"",
    "cut off": _cut_off,
    "a byte changed": _flipped,
    "another file": lambda content: b"\x7fELF" * 100_000,
    "zeros behind": lambda content: content + bytes(100_000),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_mended(
    project: Path, kept: Path, opened: Opened, damage: object
) -> None:
    assert callable(damage)
    expected = scanned(project, kept)
    (pack,) = kept.iterdir()
    pack.write_bytes(damage(pack.read_bytes()))
    assert scanned(project, kept) == expected
    opened.names()
    assert scanned(project, kept) == expected
    assert opened.names() <= {"pytest.ini"}


def test_a_directory_that_is_open_to_others_is_not_used(project: Path, kept: Path) -> None:
    kept.mkdir(mode=0o755)
    kept.chmod(0o755)
    assert scanned(project, kept) == fresh(project)
    assert not list(kept.iterdir())
    elsewhere = kept.with_name("link")
    elsewhere.symlink_to(kept)
    kept.chmod(0o700)
    assert scanned(project, elsewhere) == fresh(project)
    assert not list(kept.iterdir())


def test_modes(project: Path, kept: Path) -> None:
    scanned(project, kept)
    (pack,) = kept.iterdir()
    assert (kept.stat().st_mode & 0o777, pack.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_full_disk_is_no_error(project: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    assert scanned(project, full) == fresh(project)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FASTCOLLECT_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.directory() == str(tmp_path / ".cache" / "fastcollect")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.directory() == str(tmp_path / "xdg" / "fastcollect")
    monkeypatch.setenv("FASTCOLLECT_DIR", str(tmp_path / "own"))
    assert cache.directory() == str(tmp_path / "own" / "cache")
