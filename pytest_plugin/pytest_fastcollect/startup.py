"""What the interpreter executes before any program: `.pth` files and `sitecustomize`.

A warm process has executed that as it was when it started, in the environment that it started in.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator

from .modules import peek

_IMPORTED = re.compile(r"^import\s+([\w., ]+)", re.MULTILINE)
_QUOTED = re.compile(r"""['"]([A-Za-z_]\w*)['"]""")


def startup_state(environ: dict[str, str]) -> list[tuple[str, str]]:
    """Texts of the `.pth` files, and variables of the environment that code run at start may read:
    whatever is quoted in it could be the name of one."""
    texts = _texts()
    modules = {"sitecustomize", "usercustomize"}
    for _, text in texts:
        for names in _IMPORTED.findall(text):
            modules.update(name.strip().partition(" ")[0] for name in names.split(","))
    code = [text for _, text in texts if _IMPORTED.search(text)]
    code += [_read(path) for path in map(_source, sorted(modules)) if path is not None]
    quoted = {name for text in code for name in _QUOTED.findall(text)}
    variables = [(name, environ[name]) for name in sorted(quoted & environ.keys())]
    places = [(path, "there" if os.path.exists(path) else "") for path in _named(texts)]
    return texts + places + variables


def named_places() -> list[str]:
    """What `.pth` files add to `sys.path`, if it is there (`site.addpackage`)."""
    return _named(_texts())


def _named(texts: Iterable[tuple[str, str]]) -> list[str]:
    return [
        os.path.join(os.path.dirname(file), line.rstrip())
        for file, text in texts
        for line in text.splitlines()
        if line.strip() and not line.startswith(("#", "import ", "import\t"))
    ]


def _texts() -> list[tuple[str, str]]:
    return [(path, _read(path)) for path in sorted(pth_files())]


def changed_since_start() -> str | None:
    """A file that this interpreter has executed or followed at its start and that is another one by
    now: what it did with the old one, like `sys.path`, does not belong to what is there."""
    started = _started_ns()
    if started is None:
        return None
    paths = [*pth_files(), os.path.join(sys.prefix, "pyvenv.cfg")]
    paths += filter(None, map(_source, ("sitecustomize", "usercustomize")))
    for path in paths:
        if _changed_ns(path) >= started:
            return path
    for directory in _site_packages():
        # One of them may be gone; but whoever imports from there first makes a directory in it.
        bytecode = _changed_ns(os.path.join(directory, "__pycache__"))
        if _changed_ns(directory) >= started and bytecode < started:
            return directory
    return None


def _started_ns() -> int | None:
    """When this process was started, in ns since the epoch, or up to two ticks of the kernel's
    clock earlier (proc_pid_stat(5)): the times of files are a tick behind as well."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        running = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError, ValueError, IndexError):
        return None
    per_tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return time.time_ns() - running + (ticks - 2) * per_tick


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns
    except OSError:
        return 0


def pth_files() -> Iterator[str]:
    """The `.pth` files that an interpreter like this one executes or follows."""
    for directory in _site_packages():
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        yield from (os.path.join(directory, name) for name in names if name.endswith(".pth"))


def _site_packages() -> list[str]:
    names = ("site-packages", "dist-packages")
    return [path for path in dict.fromkeys(sys.path) if os.path.basename(path) in names]


def _source(module: str) -> str | None:
    """The file of a module that is there already and is not Python's own."""
    if module.partition(".")[0] in sys.stdlib_module_names - {"sitecustomize", "usercustomize"}:
        return None
    path = peek(sys.modules.get(module), "__file__")
    return path if isinstance(path, str) and path.endswith(".py") else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
