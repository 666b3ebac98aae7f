"""Worlds: disposable copies of a project, each with an environment of its own, that are edited.

A world changes through the methods of `World` only. Each notes what it does as a shell command, so
that any history of edits can be printed and repeated by hand, and what was there before, so that an
edit can be undone.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shlex
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import overlay

OLD = 1_000_000_000
"""Seconds since the epoch: the mtime that a file from an archive comes with."""
FUTURE = 2_000_000_000

WAYS = ("in place", "atomic", "kept", "older", "future", "twice", "by another link", "moved aside")
"""How the new content of a file comes to be there. `kept`: with the former mtime. `twice`: another
content comes and goes first, mostly within one tick of the file system's clock."""


@dataclass(frozen=True)
class Base:
    """A project to copy, and the environment to run it in."""

    name: str
    python: Path
    """An interpreter that has the project's dependencies, pytest and ourselves."""
    files: Path | None = None
    """The project's files; None: there is nothing but the overlay."""
    cwd: str = "."
    """Where it is run, below its root."""
    args: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    """Those of its test files that are run and edited, below its root."""
    sources: tuple[str, ...] = ()
    """Source directories: on sys.path as by an editable install."""
    packages: tuple[str, ...] = ()
    """Directories whose modules are edited, below the root."""


@dataclass(frozen=True)
class Template:
    """A base, laid out once, to be copied for each world."""

    base: Base
    directory: Path
    bytecode: Path
    """A pycache prefix with the bytecode of everything but the project's own files."""


def lay_out(base: Base, directory: Path) -> Template:
    """Make the template of a base: its files, the overlay, and a repository with two branches."""
    root = directory / "project"
    if base.files is None:
        root.mkdir(parents=True)
    else:
        ignored = shutil.ignore_patterns("__pycache__", ".git", ".pytest_cache", "docs", "*.so")
        shutil.copytree(base.files, root, symlinks=True, ignore=ignored)
    for name, text in overlay.FILES.items():
        _write(root / name, text)
    _zip(root / overlay.TESTS / "lib/packed.zip", 100)
    for name, target in overlay.LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    git(root, "init", "-q", "-b", "base")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "base")
    git(root, "checkout", "-q", "-b", "other")
    for path in (root / overlay.TOP / "src/probe_bulk").glob("m*.py"):
        path.write_text(path.read_text().replace("100", "200"))
    for path in _python_files(root, base):
        path.write_text(path.read_text() + "\n# another branch\n")
    git(root, "commit", "-q", "-a", "-m", "other")
    git(root, "checkout", "-q", "base")
    return Template(base, directory, directory / "bytecode")


def _python_files(root: Path, base: Base) -> Iterator[Path]:
    for name in (*base.packages, *base.tests):
        path = root / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _zip(path: Path, value: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("probe_packed.py", (2001, 1, 1, 0, 0, 0))
        archive.writestr(info, overlay.VALUE.format(value))


def git(root: Path, *args: str) -> None:
    """One command of git. Raises subprocess.CalledProcessError."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", *identity, *args]
    for attempt in range(5):  # a run that goes on may write into what is being removed
        done = subprocess.run(command, cwd=root, env=env, check=attempt == 4, capture_output=True)
        if done.returncode == 0:
            return


@dataclass
class World:
    """One copy of a template, being edited."""

    template: Template
    top: Path
    env: dict[str, str] = field(default_factory=dict)
    """Variables of the runs, on top of what every run has."""
    script: list[str] = field(default_factory=list)
    """All changes so far, as shell commands; `$ROOT` is the project and `$SITE` site-packages."""
    _journal: dict[Path, bytes | str | None] = field(default_factory=dict)
    """What each path touched by the current edit was: content, target of a link, or absent."""
    _last: dict[Path, bytes | str | None] = field(default_factory=dict)

    @classmethod
    def create(cls, template: Template, top: Path) -> World:
        """Copy a template, and make the environment: its site-packages, then those of the base."""
        world = cls(template, top)
        shutil.copytree(template.directory / "project", world.root, symlinks=True)
        world.aside.mkdir()
        world._make_environment()
        return world

    @property
    def root(self) -> Path:
        """The project."""
        return self.top / "project"

    @property
    def aside(self) -> Path:
        """A directory for our own purposes, in which runs do not look."""
        return self.top / "aside"

    @property
    def python(self) -> Path:
        """The interpreter of the world's own environment."""
        return self.top / "env/bin/python"

    @property
    def site(self) -> Path:
        """The site-packages that edits may change."""
        return next((self.top / "env/lib").iterdir()) / "site-packages"

    @property
    def probe(self) -> Path:
        """The overlay."""
        return self.root / overlay.TOP

    @property
    def tests(self) -> Path:
        """The overlay's tests."""
        return self.root / overlay.TESTS

    def _make_environment(self) -> None:
        """What `python -m venv` makes, with the base's environment behind it."""
        ask = "import sys, sysconfig as s; print(s.get_path('purelib'), sys._base_executable)"
        answer = subprocess.run(
            [self.template.base.python, "-c", ask], capture_output=True, text=True, check=True
        )
        behind, interpreter = map(Path, answer.stdout.split())
        binaries = self.top / "env/bin"
        binaries.mkdir(parents=True)
        (binaries / "python").symlink_to(interpreter)
        _write(self.top / "env/pyvenv.cfg", f"home = {interpreter.resolve().parent}\n")
        site = self.top / "env/lib" / behind.parent.name / "site-packages"
        for name, text in overlay.SITE.items():
            _write(site / name, text)
        sources = [self.root / name for name in self.template.base.sources]
        _write(site / "00_project.pth", "".join(f"{path}\n" for path in sources))
        _write(site / "10_probe.pth", f"{self.probe / 'src'}\n")
        _write(site / "90_behind.pth", f"import site; site.addsitedir({str(behind)!r})\n")
        of_base = (self.template.base.python.parent / "pytest").read_text()
        script = f"#!{binaries / 'python'}\n{of_base.partition(chr(10))[2]}"
        _write(binaries / "pytest", script)
        (binaries / "pytest").chmod(0o755)

    # ---------------------------------------------------------------- changes

    def begin(self) -> None:
        """An edit begins: it is the one that `undo` takes back."""
        if self._journal:
            self._last = self._journal
        self._journal = {}

    def undo(self) -> bool:
        """Bring back what the last edit found, by plain writes. False if that was nothing."""
        self.begin()
        for path, before in self._last.items():
            if path.is_symlink() or (before is None and path.is_file()):
                self.remove(path)
            if before is None:
                continue
            if isinstance(before, str):
                self.link(path, before)
            else:
                self.put(path, before)
        return bool(self._last)

    def _note(self, command: str, *paths: Path) -> None:
        for path in paths:
            if path in self._journal:
                continue
            if path.is_symlink():
                self._journal[path] = os.readlink(path)
            else:
                self._journal[path] = path.read_bytes() if path.is_file() else None
        for name, directory in (("$SITE", self.site), ("$ROOT", self.root)):
            command = command.replace(str(directory), name)
        self.script.append(command)

    def put(self, path: Path, content: str | bytes, way: str = "in place") -> None:
        """Give a file new content, in one of `WAYS`."""
        data = content.encode() if isinstance(content, str) else content
        if not path.is_file() and way not in {"kept", "older", "future", "atomic"}:
            way = "in place"
        shown = shlex.quote(data.decode("utf-8", "backslashreplace"))
        self._note(f"printf %s {shown} > {path}  # {way}", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if way == "atomic":
            _replace(path, data)
        elif way == "kept":
            # Of a new file it is the directory's mtime that is kept, as `rsync -a` does.
            kept = path if path.is_file() else path.parent
            before = kept.stat()
            path.write_bytes(data)
            os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif way in {"older", "future"}:
            path.write_bytes(data)
            os.utime(path, (OLD, OLD) if way == "older" else (FUTURE, FUTURE))
        elif way == "twice":
            path.write_bytes(data.replace(b"VALUE", b"value"))
            path.write_bytes(data)
        elif way == "by another link":
            other = path.with_name(f".{path.name}.link")
            os.link(path, other)
            other.write_bytes(data)
            other.unlink()
        elif way == "moved aside":
            aside = path.with_name(f"{path.name}~")
            path.rename(aside)
            path.write_bytes(data)
            aside.unlink()
        else:
            path.write_bytes(data)

    def append(self, path: Path, text: str) -> None:
        """Add to the end of a file."""
        self._note(f"printf %s {shlex.quote(text)} >> {path}", path)
        with open(path, "a") as file:
            file.write(text)

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a whole directory."""
        is_tree = path.is_dir() and not path.is_symlink()
        self._note(f"rm -rf {path}", *([] if is_tree else [path]))
        if is_tree:
            for inner in path.rglob("*"):
                if inner.is_file() and inner.suffix != ".pyc":
                    self._journal.setdefault(inner, inner.read_bytes())
            shutil.rmtree(path)
        else:
            path.unlink()

    def rename(self, old: Path, new: Path) -> None:
        """Move a file."""
        self._note(f"mv {old} {new}", old, new)
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)

    def link(self, path: Path, target: str) -> None:
        """Make `path` a symbolic link, whatever it was."""
        self._note(f"ln -sfn {target} {path}", path)
        if os.path.lexists(path):
            path.unlink()
        path.symlink_to(target)

    def make_directory(self, path: Path) -> None:
        """An empty directory."""
        self._note(f"mkdir -p {path}")
        path.mkdir(parents=True, exist_ok=True)

    def touch(self, path: Path, seconds: float | None = None) -> None:
        """Change the mtime only."""
        self._note(f"touch {path}" + ("" if seconds is None else f" -d @{seconds}"))
        os.utime(path, None if seconds is None else (seconds, seconds))

    def mode(self, path: Path, mode: int) -> None:
        """Change the permissions only."""
        self._note(f"chmod {mode:o} {path}")
        path.chmod(mode)

    def pack(self, path: Path, value: int) -> None:
        """Write the archive of modules again."""
        self._note(f"# {path} holds probe_packed.py with VALUE = {value}", path)
        _zip(path, value)

    def variable(self, name: str, value: str | None) -> None:
        """Set or unset an environment variable of the runs to come."""
        self._note(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")
        self.env.pop(name, None)
        if value is not None:
            self.env[name] = value

    def git(self, *args: str) -> None:
        """A command of git in the project."""
        self._note(f"(cd {self.root} && git {shlex.join(args)})")
        git(self.root, *args)

    def remove_bytecode(self) -> None:
        """Remove every `__pycache__`."""
        self._note(f"find {self.root} {self.site} -name __pycache__ -exec rm -rf {{}} +")
        for top in (self.root, self.site):
            for path in list(top.rglob("__pycache__")):
                shutil.rmtree(path, ignore_errors=True)

    def plant_bytecode(self, path: Path, text: str) -> None:
        """Bytecode of other content that CPython would take to be that of `path`; older than it."""
        cached = Path(importlib.util.cache_from_source(str(path)))
        self._note(f"# planted {cached}: the bytecode of {text!r}, trusted by mtime and size")
        stat = path.stat()
        other = self.aside / "other.py"
        other.write_text(text)
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        py_compile.compile(str(other), cfile=str(cached), dfile=str(path), doraise=True)
        os.utime(cached, (OLD, OLD))

    def pause(self, milliseconds: int) -> None:
        """Let the server go on for a while, so that edits meet it at any moment of its work."""
        if milliseconds:
            self.script.append(f"sleep {milliseconds / 1000}")
            time.sleep(milliseconds / 1000)


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.new")
    partial.write_bytes(data)
    os.replace(partial, path)


@contextmanager
def gate(top: Path) -> Iterator[Path]:
    """A directory in which a run waits at its end (`PROBE_GATE`, see the overlay's conftest)."""
    directory = top / "gate"
    directory.mkdir()
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
