"""What was collected from test modules, kept on disk for runs that no server helps (`selective`).

One file for each root, interpreter and configuration, in the directory of the scanner's cache:

    checksum of all that follows
    header: which directories were collected, what they held; conftests; modules with their stats
    one line for each module: its tests

Nothing in it is trusted: what is not ours, cut off, damaged or of another version is as good as
absent. A second file has what the texts of those modules decide (`determined`), by a process of the
server's. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fastcollect_lsp import __version__, cache, rendezvous
from fastcollect_lsp.digest import blake2b

from .studies import Study, from_json

MAX_BYTES = 16 << 20
"""Largest file that is written or read."""
MAX_FILES = 64
"""Files kept, of all projects together; those not written for longest are removed."""
_TICK_NS = 100_000_000
_COARSE_TICK_NS = 2_000_000_000
"""As in the Rust core's proofs: changes closer than this may carry the same time stamp."""

Stat = tuple[int, int, int, int, int]


def stat_of(path: str | os.PathLike[str]) -> Stat | None:
    """What changes with a file's content; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def is_racy(stat: Stat, now_ns: int) -> bool:
    """Whether a change after `now_ns` could leave this stat as it is."""
    changed = max(stat[:2])
    return now_ns - changed < (_TICK_NS if changed % 1_000_000_000 else _COARSE_TICK_NS)


class Test(NamedTuple):
    """One item, as `-k` and `-m` see it."""

    name: str
    nodeid: str
    names: tuple[str, ...]
    """Names besides those of the item and of the module and what is above it."""
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """All tests of a test module, in their order."""

    name: str
    """By which it was imported."""
    fixtures: tuple[str, ...]
    """Names of all fixtures that its tests use, directly or not."""
    tests: tuple[Test, ...]


@dataclass
class Collected:
    """Test modules of one project, and what was true when they were collected."""

    directories: list[str] = field(default_factory=list)
    """Which were collected with all below them."""
    listings: dict[str, str] = field(default_factory=dict)
    """What each directory held (`listing.digest`)."""
    conftests: dict[str, tuple[Stat, bool]] = field(default_factory=dict)
    """Stat of each, and whether its text has nothing of hooks that could see what is collected."""
    parametrized: list[str] = field(default_factory=list)
    """Fixtures with parameters, and those that use one."""
    stats: dict[str, tuple[str, Stat]] = field(default_factory=dict)
    """Path and stat of each module, by its node id."""
    lines: dict[str, bytes] = field(default_factory=dict)
    """What is known of each module, in the words of the file."""

    def module(self, nodeid: str) -> Module | None:
        """What is known of a module."""
        try:
            data = json.loads(self.lines[nodeid])
            tests = [
                Test(_text(name), nodeid + _text(tail), _texts(names), _texts(marks))
                for name, tail, names, marks in data["tests"]
            ]
            return Module(_text(data["name"]), _texts(data["fixtures"]), tuple(tests))
        except (KeyError, TypeError, ValueError, RecursionError):
            return None

    def put(self, nodeid: str, path: str, stat: Stat, module: Module) -> None:
        """Know this of a module from now on."""
        tests = [
            [one.name, one.nodeid[len(nodeid) :], one.names, one.marks] for one in module.tests
        ]
        data = {"name": module.name, "fixtures": module.fixtures, "tests": tests}
        self.stats[nodeid] = path, stat
        self.lines[nodeid] = json.dumps(data, separators=(",", ":")).encode("ascii")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(_text, values))


def _stat(value: Any) -> Stat:
    if not isinstance(value, list) or len(value) != 5 or not all(type(x) is int for x in value):
        raise ValueError("no stat")
    a, b, c, d, e = value
    return a, b, c, d, e


# --------------------------------------------------------------------------- files


def file_of(place: rendezvous.Place, key: str) -> Path | None:
    """Where this is kept for a project and a configuration; None where nothing can be kept."""
    directory = cache.directory()
    if directory is None:
        return None
    name = blake2b(f"{__version__}\0{key}".encode(), digest_size=8).hexdigest()
    return Path(directory, f"{place.directory.name}-{name}.collected")


def studies_of(file: Path) -> Path:
    """Where the studies of the same project's modules are kept."""
    return file.with_name(f"{file.name.partition('-')[0]}.studies")


def read(file: Path) -> Collected | None:
    """What is known; None for nothing."""
    body = _read(file)
    if body is None:
        return None
    try:
        head, *lines = body.split(b"\n")
        data = json.loads(head)
        stats = {
            _text(nodeid): (_text(path), _stat(stat)) for nodeid, (path, stat) in data["modules"]
        }
        return Collected(
            directories=list(_texts(data["directories"])),
            listings={_text(k): _text(v) for k, v in data["listings"].items()},
            conftests={_text(k): (_stat(v), bool(w)) for k, (v, w) in data["conftests"].items()},
            parametrized=list(_texts(data["parametrized"])),
            stats=stats,
            lines=dict(zip(stats, lines, strict=True)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def write(file: Path, known: Collected) -> bool:
    """Keep this; whether it is kept. Raises OSError, Unsafe."""
    head = {
        "directories": known.directories,
        "listings": known.listings,
        "conftests": known.conftests,
        "parametrized": known.parametrized,
        "modules": [[nodeid, place] for nodeid, place in known.stats.items()],
    }
    lines = [known.lines[nodeid] for nodeid in known.stats]
    return _write(file, b"\n".join([json.dumps(head).encode("ascii"), *lines]))


def read_studies(file: Path) -> dict[str, tuple[Stat, Study | None]]:
    """What the texts of modules decide, by path; empty where nothing is known."""
    body = _read(file)
    try:
        data = json.loads(body or b"{}")
        return {
            _text(path): (_stat(stat), from_json(study)) for path, (stat, study) in data.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def write_studies(file: Path, studies: dict[str, tuple[Stat, object]]) -> None:
    """Keep studies as they are in JSON. Raises OSError, Unsafe."""
    _write(file, json.dumps(studies, separators=(",", ":")).encode("ascii"))


def _read(file: Path) -> bytes | None:
    try:
        rendezvous.check_owned(file.parent, allowed=0o700)
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as opened:
            rendezvous.check_file(fd, file)
            content = opened.read(MAX_BYTES + 1)
    except (OSError, rendezvous.Unsafe):
        return None
    checksum, _, body = content.partition(b"\n")
    return body if len(content) <= MAX_BYTES and checksum == _checksum(body) else None


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=16, person=b"collected").hexdigest().encode("ascii")


def _write(file: Path, body: bytes) -> bool:
    content = _checksum(body) + b"\n" + body
    if len(content) > MAX_BYTES:
        return False
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rendezvous.check_owned(file.parent, allowed=0o700)
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as opened:
            opened.write(content)
        is_new = not file.exists()
        os.replace(partial, file)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if is_new:
        _prune(file)
    return True


def _prune(own: Path) -> None:
    found = []
    with os.scandir(own.parent) as entries:
        for entry in entries:
            if entry.name.strip(".").partition(".")[2].startswith(("collected", "studies")):
                with contextlib.suppress(OSError):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
    for _, path in sorted(found)[:-MAX_FILES]:
        if path != str(own):
            with contextlib.suppress(OSError):
                os.unlink(path)
