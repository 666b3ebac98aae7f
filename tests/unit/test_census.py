"""What is noticed of each use of a thing at import: one forked process for each, as a probe is."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import textwrap
import types
from collections.abc import Mapping
from pathlib import Path

import pytest
from hazards import STANDARD, Use

from pytest_fastcollect import ambient, census

_PROBES = """
import importlib, json, multiprocessing, os, sys
import asyncio, concurrent.futures.process, concurrent.futures.thread, ctypes, logging.handlers
import multiprocessing.managers, multiprocessing.pool, multiprocessing.queues, sqlite3, uuid
from pytest_fastcollect.audit import Audit, Forbidden
from pytest_fastcollect.census import Census, Output

def probe(name):
    output, audit = Output(), Audit()
    audit.wrap_functions()
    with output.watch():
        baseline = Census.take()
        try:
            importlib.import_module(name)
        except Forbidden as forbidden:
            return str(forbidden)
        with audit.paused():
            hazard = baseline.hazard() or output.hazard()
        return hazard or next(iter(audit.take().hazards), None)

sys.path.insert(0, os.getcwd())
with open("found.json", "w") as file:
    for name in sys.argv[1:]:
        pid = os.fork()
        if pid == 0:
            file.write(json.dumps([name, probe(name)]) + "\\n")
            file.flush()
            os._exit(0)
        os.waitpid(pid, 0)
"""


def _found(directory: Path, uses: Mapping[str, Use]) -> dict[str, str | None]:
    """What a probe finds of each use."""
    for name, use in uses.items():
        (directory / f"{name}.py").write_text(textwrap.dedent(use.module))
    subprocess.run([sys.executable, "-c", _PROBES, *uses], cwd=directory, check=True, timeout=300)
    lines = (directory / "found.json").read_text().splitlines()
    return dict(json.loads(line) for line in lines)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    uses = {f"use_{name}": use for name, use in STANDARD.items()}
    return _found(tmp_path_factory.mktemp("uses"), uses)


@pytest.mark.parametrize("name", STANDARD)
def test_found_at_import(name: str, found: dict[str, str | None]) -> None:
    hazard, expected = found[f"use_{name}"], STANDARD[name].left_out
    if expected is None:
        assert hazard is None
    elif expected:
        assert hazard is not None
        assert re.search(expected, hazard)


_WORLD = {
    "writes": Use("open('made.txt', 'w')\n", "", "writes"),
    "swallows": Use("try: open('made.txt', 'w')\nexcept Exception: pass\n", "", "writes"),
    "deletes": Use("import os\nos.remove('kept.txt')\n", "", "os.remove"),
    "starts": Use("import os\nos.system('touch made.txt')\n", "", "os.system"),
    "spawns": Use(
        "import subprocess\nsubprocess.run(['touch', 'made.txt'])\n", "", "subprocess.Popen"
    ),
    "forks": Use(
        "import multiprocessing as m\np = m.get_context('fork').Process(target=print)\np.start()\n",
        "",
        "os.fork",
    ),
    "database": Use("import sqlite3\nsqlite3.connect('made.txt')\n", "", "sqlite3.connect"),
    "connects": Use(
        "import socket\nsocket.create_connection(('127.0.0.1', 9))\n", "", "socket|connect"
    ),
    "makes": Use("import os\nos.makedirs('made.txt', exist_ok=True)\n", "", "os.mkdir"),
}


def test_the_world_is_left_as_it_was(tmp_path: Path) -> None:
    """What would change the world does not happen in a probe, even where errors are caught."""
    (tmp_path / "kept.txt").touch()
    found = _found(tmp_path, {f"use_{name}": use for name, use in _WORLD.items()})
    for name, use in _WORLD.items():
        reason = found[f"use_{name}"]
        assert reason is not None, name
        assert use.left_out is not None
        assert re.search(use.left_out, reason), name
    assert not (tmp_path / "made.txt").exists()
    assert (tmp_path / "kept.txt").exists()


def test_what_leaves_nothing_is_kept(tmp_path: Path) -> None:
    uses = {
        "use_directory": Use("import os\nos.makedirs('.', exist_ok=True)\n", ""),
        "use_tempfile": Use("import tempfile\nWHERE = tempfile.gettempdir()\n", ""),
        "use_null": Use("import os\nopen(os.devnull, 'w').close()\n", ""),
        "use_given_time": Use(
            "import time\nTHEN = time.gmtime(0)\nTEXT = time.strftime('%Y', THEN)\n", ""
        ),
        "use_platform": Use("import platform\nWHAT = platform.processor()\n", ""),
    }
    assert _found(tmp_path, uses) == dict.fromkeys(uses)


LIBRARY = """\
import datetime, os, time
LOADED = time.time()
def now(): return datetime.datetime.now()
def free(): return os.statvfs("/").f_bavail
def kind(): return os.isatty(1)
def lazy(): import another_library
class Base:
    def __init_subclass__(cls): cls.made = time.time()
"""
CALLED = {
    "use_imported": ("", None),
    "use_now": ("lib.now()", "the time"),
    "use_free": ("lib.free()", "what is free"),
    "use_kind": ("lib.kind()", None),  # `replay` asks for that apart
    "use_lazy": ("lib.lazy()", None),
    "use_class": ("class Mine(lib.Base): pass", "the time"),
    "use_sorted": ("sorted([1], key=lambda _: lib.now())", "the time"),
}


def test_what_a_library_is_asked_for(tmp_path: Path) -> None:
    """By the project: that it passes the answer on. What it asks for when it is imported is its
    own affair."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "a_library.py").write_text(LIBRARY)
    (packages / "another_library.py").write_text(LIBRARY)
    head = f"import sys\nsys.path.append({str(packages)!r})\nimport a_library as lib\n"
    found = _found(tmp_path, {name: Use(head + text, "") for name, (text, _) in CALLED.items()})
    for name, (_, expected) in CALLED.items():
        assert (found[name] or "None").startswith(f"asks for {expected}" if expected else "None")


def test_a_library_may_ask_for_the_time() -> None:
    library = ambient.Asker("library.module", is_library=True)
    assert not library.counts_for("the time")
    called = dataclasses.replace(library, for_project=True)
    assert called.counts_for("the time")
    assert not called.counts_for("notice of forks")
    assert library.counts_for("its process id")
    assert not ambient.Asker("psutil._pslinux", is_library=True).counts_for("its process id")
    assert ambient.Asker("project", is_library=False).counts_for("the time")


def test_cuda_is_never_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is initialised, as `torch.cuda` says; that takes no device here."""
    before = census.Census.take()
    cuda = types.ModuleType("torch.cuda")
    cuda.__dict__["_initialized"] = False
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)
    assert before.hazard() is None
    cuda.__dict__["_initialized"] = True
    assert "CUDA" in str(before.hazard())


def test_census_of_an_idle_process_finds_nothing() -> None:
    before = census.Census.take()
    assert before.hazard() is None
