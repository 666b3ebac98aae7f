"""What the interpreter executes before any program: `.pth` files and `sitecustomize`.

A warm process has executed that as it was when it started, in the environment that it started in.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from .modules import peek

_IMPORTED = re.compile(r"^import\s+([\w., ]+)", re.MULTILINE)
_QUOTED = re.compile(r"""['"]([A-Za-z_]\w*)['"]""")


def startup_state(environ: dict[str, str]) -> list[tuple[str, str]]:
    """Texts of the `.pth` files, and variables of the environment that code run at start may read:
    whatever is quoted in it could be the name of one."""
    paths = sorted(pth_files())
    texts = [(path, _read(path)) for path in paths]
    modules = {"sitecustomize", "usercustomize"}
    for _, text in texts:
        for names in _IMPORTED.findall(text):
            modules.update(name.strip().partition(" ")[0] for name in names.split(","))
    code = [text for _, text in texts if _IMPORTED.search(text)]
    code += [_read(path) for path in map(_source, sorted(modules)) if path is not None]
    quoted = {name for text in code for name in _QUOTED.findall(text)}
    return texts + [(name, environ[name]) for name in sorted(quoted & environ.keys())]


def pth_files() -> Iterator[str]:
    """The `.pth` files that an interpreter like this one executes or follows."""
    for directory in dict.fromkeys(sys.path):
        if os.path.basename(directory) in ("site-packages", "dist-packages"):
            try:
                names = os.listdir(directory)
            except OSError:
                continue
            yield from (os.path.join(directory, name) for name in names if name.endswith(".pth"))


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
