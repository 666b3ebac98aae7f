"""The end of a run: what can be seen of the end of a process is seen, in every depth."""

from __future__ import annotations

import pytest

from tests.conftest import MakeProject
from tests.sampling import sampled

ENDS = {
    "atexit": "import atexit, sys\natexit.register(lambda: print('at exit', file=sys.stderr))\n",
    "an object with __del__": """
class Loud:
    def __del__(self): print("gone")
LOUD = Loud()
""",
    "an object with __del__ made by a test": """
class Loud:
    def __del__(self): print("gone")
def test_keeps(request):
    request.config.kept = Loud()
""",
    "a file that is not closed": """
def test_writes(request):
    request.config.kept = open("written", "w")
    request.config.kept.write("all of it")
""",
    "a suspended generator": """
def generate():
    try: yield 1
    finally: print("finally")
def test_keeps(request):
    request.config.kept = generate(); next(request.config.kept)
""",
    "a coroutine that nobody has awaited": """
async def nothing(): pass
def test_keeps(request): request.config.kept = nothing()
""",
    "a thread that goes on": """
import threading, time
def test_starts():
    threading.Thread(target=lambda: (time.sleep(0.3), print("thread done"))).start()
""",
    "a daemon that serves": """
import socket, threading
def test_starts(request):
    request.config.kept = server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=server.accept, daemon=True).start()
""",
    "a daemon with a file": """
import threading
def test_starts():
    held, begun = threading.Event(), threading.Event()
    def hold():
        with open("held", "w") as file:
            file.write("not all of it")
            begun.set()
            held.wait()
    threading.Thread(target=hold, daemon=True).start()
    begun.wait()
""",
    "a finalizer": """
import weakref
class Thing: pass
THING = Thing()
weakref.finalize(THING, print, "finalized")
""",
    "output without an end of line": """
import sys
def test_prints(): sys.__stdout__.write("no end of line")
""",
    "a process that goes on": """
import subprocess
def test_starts(): subprocess.Popen(["sleep", "0.2"])
""",
    "C code that prints": """
import ctypes
def test_prints(): ctypes.CDLL(None).printf(b"from C\\n")
""",
}


@pytest.mark.parametrize("name", sampled(list(ENDS), 1))
def test_end(name: str, project: MakeProject) -> None:
    text = f"import slow_to_import\n{ENDS[name]}\ndef test_plain(): pass\n"
    bench = project({"test_a.py": text})
    bench.pytest("-q", "-s")
    bench.wait_until_warm()
    for _ in range(2):  # warm, then collected where it can be
        compared = bench.compare(("-q", "-s"))
        assert compared.served["served"] != "cold", compared.served
        assert not compared.differences, compared.differences[-1]
        if name == "a file that is not closed":
            assert (bench.root / "written").read_text() == "all of it"
            bench.pytest("-q", "-s")
            assert (bench.root / "written").read_text() == "all of it"
        bench.wait_until_warm()
