"""One command line typed at a real terminal twice, warm and cold, and all that can be seen of it.

The shell is nobody's child (its parent is init) and leads a session of its own on a new
pseudo-terminal, so that what it starts is started as a person does it: below no other pytest,
with a controlling terminal, in the foreground.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import harness
import pexpect
import pytest
from pexpect import fdpexpect

from fastcollect_lsp import client, rendezvous
from fastcollect_lsp.verify import normalise
from tests.support import HANG, SmallBench, eventually

ROWS = 40
PROGRAMS = {"coverage", "entr", "make", "nox", "script", "taskset", "tox", "uv", "watch"}
"""What some rows start pytest with, and not every machine has."""
LESSONS = 3
"""Cold runs from which the server learns a command line, at the most: on a busy machine it may hear
late of the first."""
SKIPPED = {"__pycache__"}

_VARIABLE = [
    (re.compile(r"\r"), ""),
    (re.compile(r"collecting \.\.\. "), ""),
    # pytest pads this line with blanks, as many as the longest one before it had letters
    (
        re.compile(r"(collected \d+ items?(?: / [^\n\x1b]*?)?)(?: in \d+\.\d{3}s)? *(\x1b|\n)"),
        r"\1\2",
    ),
    # our plugin, where pytest lists those that are installed
    (re.compile(r"(?m)^  pytest-fastcollect-.*\n"), ""),
    (re.compile(r"(?m)^registered third-party plugins:\n(?!  \S)"), ""),
    # the one frame of ours, below all others
    (re.compile(r'(?m)^  File "<string>", line 5,? in <module>\n'), ""),
    (re.compile(r"(?m)^  <string>\(5\)<module>\(\)\n"), ""),
    (re.compile(r"\x1b\[1m(\x1b\[0m)?(collected [^\n\x1b]*?) *\x1b\[0m"), r"\2"),
    (re.compile(r"(?m)^(.* in )\d+\.\d+s\b"), r"\1<time>"),
    (re.compile(r"(?m)^(.*?)=+( .*<time>.*? ?)=+((?:\x1b\[0m)?)$"), r"\1=\2=\3"),
    (re.compile(r"\d+\.\d+s"), "<time>"),
    (re.compile(r"\d+:\d\d:\d\d ago"), "<time> ago"),
    (re.compile(r"\bpid=\d+"), "pid=<pid>"),
    # what is typed before the debugger reads the terminal is echoed by the terminal as well
    (re.compile(r"(?m)^(ipdb> (.+))\n\2$"), r"\1"),
    # an interrupt comes in the one call of the line or in the other
    (re.compile(r"(?m)^[ \x1b\[\dm;]+\^+[^\n]*\n(?=[^\n]*KeyboardInterrupt)"), ""),
    (re.compile(r"\.\.\.[0-9a-f]{5,12}>"), "...<address>>"),  # a repr cut in the middle
]
_IN_FILES = [
    (re.compile(r'\b(time|timestamp|hostname)="[^"]*"'), r'\1="<varies>"'),
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "<address>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]?\d*"), "<time>"),
]

_TRIED = re.compile("[a-z0-9_]{8}")
"""A file for a moment: `tempfile` tries whether a directory can be written to, in a warm process
that is being made as well."""


@dataclass(frozen=True)
class Screen:
    """What a person saw of a command, and what it left."""

    output: str
    status: int
    """As the shell tells it."""
    files: Mapping[str, str]
    """What files of the project were left changed or new, below the project and TMPDIR."""
    warm: int
    """Runs that were served warm."""
    reason: str = ""
    """Why the last run was cold, if it was, in the words of its header."""

    def text(self) -> str:
        """All that has to be equal, as text, less times and our own line."""
        files = [f"--- left in {name}:\n{text}" for name, text in sorted(self.files.items())]
        return "\n".join([tidy(self.output), f"--- status {self.status}", *files])


def tidy(output: str) -> str:
    """Output less times, addresses and our own line; colours stay."""
    for pattern, replacement in _VARIABLE:
        output = pattern.sub(replacement, output)
    return normalise(output)


Action = Callable[["Typing"], object]
Keys = Sequence[tuple[str, "str | Action"]]
"""(what to wait for on the screen, what to type or to do then)"""


@dataclass
class Typing:
    """A shell on a terminal, while it goes on."""

    master: int
    child: fdpexpect.fdspawn[str]
    bench: SmallBench

    def resize(self, rows: int, columns: int) -> None:
        """As dragging the corner of the window does: the foreground group gets SIGWINCH."""
        _set_size(self.master, rows, columns)

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self.master)
        self.master = -1


def _set_size(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def same_for_both(bench: SmallBench) -> dict[str, str]:
    """Variables that a bench needs from its first run on. No bytecode of the project is ever
    written: cold and warm read that of the standard library and of pytest. Sets have one order."""
    return {
        "PYTHONPYCACHEPREFIX": str(bench.bytecode),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


def environment(bench: SmallBench, cold: bool) -> dict[str, str]:
    """Of the shell. Cold and warm differ in one option: `-p no:fastcollect`."""
    env = {**bench.env, "TERM": "xterm-256color", "TMPDIR": str(bench.root.parent / "tmp")}
    env["PATH"] = f"{bench.project.python.parent}:{env['PATH']}"
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS"):
        if name not in bench.extra_env:
            env.pop(name, None)
    if cold:
        env["PYTEST_ADDOPTS"] = f"{env.get('PYTEST_ADDOPTS', '')} -p no:fastcollect".strip()
    return env


@contextlib.contextmanager
def shell(
    bench: SmallBench, script: str, env: Mapping[str, str], columns: int, status: Path
) -> Iterator[Typing]:
    """`script` in a shell on a terminal of its own; its exit status goes to the file `status`."""
    master, slave = pty.openpty()
    _set_size(slave, ROWS, columns)
    wrapped = (
        f'trap : INT QUIT HUP\n{script}\nfc_status=$?; trap "" HUP; echo $fc_status > "{status}"\n'
    )
    subprocess.run(
        ["setsid", "--fork", "--ctty", "sh", "-c", wrapped],
        cwd=bench.root, env=dict(env), stdin=slave, stdout=slave, stderr=slave, check=True,
    )  # fmt: skip
    os.close(slave)
    typing = Typing(master, fdpexpect.fdspawn(master, timeout=HANG, encoding="utf-8"), bench)
    try:
        yield typing
    finally:
        if typing.master >= 0:
            os.close(typing.master)  # whatever still runs there is hung up


def show(
    bench: SmallBench,
    script: str,
    keys: Keys = (),
    *,
    cold: bool,
    columns: int = 100,
    env: Mapping[str, str] | None = None,
    timeout: float = HANG,
) -> Screen:
    """Type a script at a terminal and look on until everything has let go of the terminal."""
    before = warm_runs(bench)
    status = bench.root.parent / "status"
    status.unlink(missing_ok=True)
    variables = {**environment(bench, cold), **(env or {})}
    shutil.rmtree(variables["TMPDIR"], ignore_errors=True)
    Path(variables["TMPDIR"]).mkdir()
    seen: list[str] = []
    with kept(bench.root, Path(variables["TMPDIR"])) as files:
        with shell(bench, script, variables, columns, status) as typing:
            for expected, action in keys:
                typing.child.expect_exact(expected)
                seen += [str(typing.child.before), str(typing.child.after)]
                if isinstance(action, str):
                    typing.child.send(action)
                else:
                    action(typing)
            if typing.master >= 0:
                typing.child.expect(pexpect.EOF, timeout=timeout)
                seen.append(str(typing.child.before))
        eventually(lambda: status.exists() and status.read_text(), "the shell ends")
    output = "".join(seen)
    return Screen(
        output,
        int(status.read_text()),
        files,
        warm_runs(bench) - before,
        "".join(re.findall(r"(?m)^fastcollect: v.* \| cold: (.*?)\r?$", output)[-1:]),
    )


def warm_runs(bench: SmallBench) -> int:
    """Runs that the project's server has served warm so far."""
    return harness.warm_runs(status_of(bench))


def status_of(bench: SmallBench) -> dict[str, Any]:
    """The server's status without a process of its own to ask for it; empty without a server."""
    python = bench.project.python
    interpreter = rendezvous.interpreter_id(str(python), str(python.parent.parent))
    with mock.patch.dict(os.environ, FASTCOLLECT_DIR=str(bench.directory)):
        return client.ask(rendezvous.place(str(bench.root), interpreter), "status", HANG) or {}


@contextlib.contextmanager
def kept(root: Path, scratch: Path) -> Iterator[dict[str, str]]:
    """Note what is left changed below these directories, and put everything back."""
    before = dict(_files(root))
    left: dict[str, str] = {}
    try:
        yield left
    finally:
        after = dict(_files(root))
        for name in before.keys() | after.keys():
            if after.get(name) != before.get(name):
                left[name] = _stable(after.get(name))
        for name, data in _files(scratch):
            if not (_TRIED.fullmatch(name) and data in (b"", b"blat")):
                left[f"TMPDIR/{name}"] = _stable(data)
        _restore(root, before, after)


def _stable(data: bytes | None) -> str:
    if data is None:
        return "<removed>"
    text = data.decode("utf-8", "backslashreplace")
    for pattern, replacement in _IN_FILES:
        text = pattern.sub(replacement, text)
    return normalise(text)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Files and links below a directory; a link's content is where it leads."""
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in SKIPPED]
        for name in (*files, *names):
            path = Path(directory, name)
            if path.is_symlink():
                yield str(path.relative_to(root)), b"-> " + os.readlink(path).encode()
            elif path.is_file():
                with contextlib.suppress(FileNotFoundError):  # a warm process has just removed it
                    yield str(path.relative_to(root)), path.read_bytes()


def _restore(root: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    for name in after.keys() - before.keys():
        (root / name).unlink()
    for name, data in before.items():
        if after.get(name) != data:
            (root / name).write_bytes(data)
    for directory, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            Path(directory).rmdir()


@dataclass(frozen=True)
class Row:
    """One command line, and how it is served."""

    script: str
    keys: Keys = ()
    warm: int = 1
    """How many of its runs are served warm; 0: cold by a rule ..."""
    reason: str = ""
    """... that its header names in these words."""
    why: str = ""
    """The rule by which it is cold, where no header says it (`docs/equivalence.md`)."""
    shows: str = ""
    """What both have to show, so that the row is about that."""
    columns: int = 100
    env: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    """What the shell tells, where that is the point."""
    quick: bool = False
    """Whether it is part of CI's slice."""


def require_programs(bench: SmallBench, row: Row) -> None:
    """Skip a test whose row needs what is not installed."""
    path = environment(bench, cold=False)["PATH"]
    for name in sorted(PROGRAMS.intersection(re.findall(r"[\w.-]+", row.script))):
        if shutil.which(name, path=path) is None:
            pytest.skip(f"{name} is not installed")


def compare(bench: SmallBench, row: Row, oracle: str = "") -> tuple[Screen, Screen]:
    """A row, warm and cold: equal in all that can be seen, and served as it says.

    `oracle`: the script of the cold run, where that is another.
    """
    require_programs(bench, row)
    warm = show(bench, row.script, row.keys, cold=False, columns=row.columns, env=row.env)
    for _ in range(LESSONS):  # a command line that the server had not seen yet
        if warm.warm >= row.warm:
            break
        bench.wait_until_warm()
        warm = show(bench, row.script, row.keys, cold=False, columns=row.columns, env=row.env)
    script = oracle or row.script
    cold = show(bench, script, row.keys, cold=True, columns=row.columns, env=row.env)
    assert cold.warm == 0
    if warm.warm != row.warm or row.reason not in warm.reason:
        pytest.fail(f"{warm.warm} runs were warm, cold because {warm.reason!r}:\n{warm.output}")
    if row.shows not in cold.output or row.status not in (None, cold.status):
        pytest.fail(f"the row does not show what it is about:\n{cold.output}\n{cold.status}")
    assert_equal(warm, cold)
    return warm, cold


def assert_equal(warm: Screen, cold: Screen) -> None:
    """Fail with what differs."""
    before, after = cold.text().splitlines(), warm.text().splitlines()
    if before != after:
        found = difflib.unified_diff(before, after, "cold", "warm", lineterm="", n=1)
        pytest.fail("\n".join([*found, "", "warm, as it was:", warm.output]))
