"""What modules of the standard library leave in a process when they are used at import.

Each is a test module that uses the thing when it is imported and again in its test, which fails
where the use at import is not this very process' own, or has seen another run.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """Something used at import, and again in tests."""

    module: str
    """Source of a module of the project."""
    tests: str
    """Source of tests that have all that the module has; `module` is the module itself."""
    left_out: str | None = None
    """Regular expression for the reason why it is left to each run; None: a checkpoint has it."""
    needs: tuple[str, ...] = ()
    """Modules that have to be importable."""
    env: tuple[tuple[str, str], ...] = ()

    def files(self, name: str) -> dict[str, str]:
        """The module and its tests, as files of a project."""
        head = f"import use_{name} as module\nfrom use_{name} import *\n"
        return {
            f"use_{name}.py": textwrap.dedent(self.module),
            f"test_{name}.py": head + textwrap.dedent(self.tests),
        }


STANDARD = {
    "a_start_method": Use(  # the first: the others use it
        "import multiprocessing\nmultiprocessing.set_start_method('fork')\n",
        "def test_it(): assert module.multiprocessing.get_start_method(True) == 'fork'\n",
    ),
    "thread": Use(
        """\
        import threading
        DONE = threading.Event()
        THREAD = threading.Thread(target=DONE.wait, daemon=True)
        THREAD.start()
        """,
        """\
        def test_it(): assert THREAD.is_alive() and THREAD in module.threading.enumerate()
        """,
        "starts a thread",
    ),
    "timer": Use(
        """\
        import threading
        FIRED = threading.Event()
        TIMER = threading.Timer(0.3, FIRED.set)
        TIMER.start()
        """,
        "def test_it(): assert FIRED.wait(30)\n",
        "starts a thread",
    ),
    "thread_that_ended": Use(
        """\
        import threading
        FOUND = []
        THREAD = threading.Thread(target=FOUND.append, args=(1,))
        THREAD.start()
        THREAD.join()
        """,
        "def test_it(): assert FOUND == [1] and not THREAD.is_alive()\n",
        "",  # either is right
    ),
    "executor": Use(
        """\
        from concurrent.futures import ThreadPoolExecutor
        POOL = ThreadPoolExecutor(1)
        assert POOL.submit(abs, -1).result() == 1
        """,
        "def test_it(): assert POOL.submit(abs, -2).result(30) == 2\n",
        "starts a thread",
    ),
    "idle_executor": Use(
        """\
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        POOL, THREADS = ProcessPoolExecutor(1), ThreadPoolExecutor(1)
        """,
        """\
        def test_it():
            assert POOL.submit(abs, -2).result(30) == 2
            assert THREADS.submit(abs, -3).result(30) == 3
            POOL.shutdown()
        """,
        "keeps a descriptor|maps memory",
    ),
    "socket_pair": Use(
        "import socket\nONE, OTHER = socket.socketpair()\n",
        """\
        def test_it():
            ONE.send(b"a")
            OTHER.settimeout(30)
            assert OTHER.recv(2) == b"a"
        """,
        "keeps a descriptor",
    ),
    "server_socket": Use(
        """\
        import socket
        SERVER = socket.create_server(("127.0.0.1", 0))
        """,
        """\
        def test_it():
            with module.socket.create_connection(SERVER.getsockname()): pass
        """,
        "socket.bind|keeps a descriptor",
    ),
    "epoll": Use(
        "import select\nEPOLL = select.epoll()\n",
        "def test_it(): assert EPOLL.poll(0) == []\n",
        "keeps a descriptor",
    ),
    "pipe": Use(
        "import os\nREAD, WRITE = os.pipe()\n",
        """\
        def test_it():
            module.os.write(WRITE, b"x")
            assert module.os.read(READ, 9) == b"x"
        """,
        "keeps a descriptor",
    ),
    "subprocess_run": Use(
        """\
        import subprocess
        OUT = subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout
        """,
        "def test_it(): assert OUT == 'hello\\n'\n",
        "subprocess.Popen",
    ),
    "subprocess_kept": Use(
        """\
        import subprocess
        CAT = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        """,
        """\
        def test_it():
            assert CAT.communicate(b"x", timeout=30)[0] == b"x"
            assert CAT.returncode == 0
        """,
        "subprocess.Popen|keeps a descriptor|leaves a child",
    ),
    "file_written": Use(
        """\
        import os
        with open(os.path.join(os.path.dirname(__file__), "written.tmp"), "a") as file:
            file.write("once\\n")
        """,
        """\
        def test_it():
            path = module.os.path.join(module.os.path.dirname(module.__file__), "written.tmp")
            with open(path) as file:
                assert file.read() == "once\\n"
            module.os.unlink(path)
        """,
        "writes .*written.tmp",
    ),
    "file_kept_open": Use(
        "FILE = open(__file__)\n",
        "def test_it(): assert FILE.readline().startswith('FILE')\n",
        "keeps a descriptor",
    ),
    "temporary_directory": Use(
        "import tempfile\nDIRECTORY = tempfile.TemporaryDirectory()\n",
        """\
        import os
        def test_it():
            assert os.listdir(DIRECTORY.name) == []
            DIRECTORY.cleanup()
            assert not os.path.exists(DIRECTORY.name)
        """,
        "writes|tempfile.mkdtemp",
    ),
    "temporary_file": Use(
        "import tempfile\nFILE = tempfile.TemporaryFile()\n",
        """\
        def test_it():
            assert FILE.tell() == 0
            FILE.write(b"abc")
            assert FILE.tell() == 3
        """,
        "writes|keeps a descriptor|tempfile",
    ),
    "signal_handler": Use(
        """\
        import signal
        GOT = []
        signal.signal(signal.SIGUSR1, lambda number, frame: GOT.append(number))
        """,
        """\
        import os
        def test_it():
            os.kill(os.getpid(), module.signal.SIGUSR1)
            assert GOT == [module.signal.SIGUSR1]
        """,
        "installs a signal handler",
    ),
    "signal_blocked": Use(
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\n",
        """\
        def test_it():
            now = module.signal.pthread_sigmask(module.signal.SIG_UNBLOCK, [module.signal.SIGUSR2])
            assert module.signal.SIGUSR2 in now
        """,
        "signal",
    ),
    "interval_timer": Use(
        "import signal\nsignal.setitimer(signal.ITIMER_VIRTUAL, 10000)\n",
        """\
        def test_it():
            remaining, _ = module.signal.setitimer(module.signal.ITIMER_VIRTUAL, 0)
            assert 0 < remaining < 10001  # the kernel rounds up to its tick
        """,
        "sets a timer",
    ),
    "fault_handler": Use(
        "import faulthandler, signal\nfaulthandler.register(signal.SIGUSR2, file=2)\n",
        """\
        def test_it(): assert module.faulthandler.unregister(module.signal.SIGUSR2)
        """,
        "signal",
    ),
    "resource_limit": Use(
        """\
        import resource
        HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (250, HARD))
        """,
        """\
        def test_it():
            assert module.resource.getrlimit(module.resource.RLIMIT_NOFILE)[0] == 250
        """,
        "changes a resource limit",
    ),
    "shared_value": Use(
        "import multiprocessing\nCOUNT = multiprocessing.Value('i', 0)\n",
        """\
        def test_it():
            COUNT.value += 1
            assert COUNT.value == 1
        """,
        "descriptor|writes|tempfile|maps memory",
    ),
    "shared_lock": Use(
        "import multiprocessing\nLOCK = multiprocessing.Lock()\n",
        """\
        def test_it(): assert LOCK.acquire(timeout=10)  # and never released
        """,
        "maps memory",
    ),
    "shared_map": Use(
        "import mmap\nMEMORY = mmap.mmap(-1, 8192)\n",
        """\
        def test_it():
            assert MEMORY[0] == 0
            MEMORY[0] = 7
        """,
        "maps memory",
    ),
    "queue": Use(
        "import multiprocessing\nQUEUE = multiprocessing.Queue()\n",
        """\
        def test_it():
            QUEUE.put(1)
            assert QUEUE.get(timeout=30) == 1
            QUEUE.close()
            QUEUE.join_thread()
        """,
        "descriptor|maps memory",
    ),
    "process_pool": Use(
        "import multiprocessing\nPOOL = multiprocessing.get_context('fork').Pool(1)\n",
        """\
        def test_it():
            assert POOL.apply_async(abs, (-4,)).get(30) == 4
            POOL.terminate()
            POOL.join()
        """,
        "descriptor|thread|os.fork|maps memory|leaves a child|keeps hold",
    ),
    "manager": Use(
        "import multiprocessing\nMANAGER = multiprocessing.get_context('fork').Manager()\n",
        """\
        def test_it():
            data = MANAGER.dict(a=1)
            assert dict(data) == {'a': 1}
            MANAGER.shutdown()
        """,
        "descriptor|thread|os.fork|maps memory|leaves a child|socket|temp",
    ),
    "queue_listener": Use(
        """\
        import logging, logging.handlers, queue
        SEEN = []
        class Keep(logging.Handler):
            def emit(self, record): SEEN.append(record.getMessage())
        QUEUE = queue.Queue()
        LOGGER = logging.getLogger("of_the_listener")
        LOGGER.propagate = False
        LOGGER.addHandler(logging.handlers.QueueHandler(QUEUE))
        LISTENER = logging.handlers.QueueListener(QUEUE, Keep())
        LISTENER.start()
        """,
        """\
        def test_it():
            LOGGER.warning("heard")
            LISTENER.stop()
            assert SEEN == ["heard"]
        """,
        "starts a thread",
    ),
    "log_file": Use(
        """\
        import logging, os
        PATH = os.path.join(os.path.dirname(__file__), "log.tmp")
        LOGGER = logging.getLogger("of_the_file")
        LOGGER.propagate = False
        LOGGER.addHandler(logging.FileHandler(PATH, "w"))
        """,
        """\
        def test_it():
            LOGGER.warning("written")
            with open(PATH) as file:
                assert file.read() == "written\\n"
        """,
        "writes|descriptor",
    ),
    "log_to_stderr": Use(
        """\
        import logging
        LOGGER = logging.getLogger("of_the_stream")
        LOGGER.addHandler(logging.StreamHandler())
        """,
        """\
        import sys
        def test_it():
            LOGGER.warning("shown")
            sys.stderr.write("and this\\n")
        """,
    ),
    "stream_as_default": Use(
        """\
        import sys
        def show(text, file=sys.stderr): print(text, file=file)
        def tell(text, *, file=sys.stdout): print(text, file=file)
        """,
        """\
        def test_it():
            show("shown")
            tell("told")
        """,
    ),
    "input_kept": Use(
        """\
        import sys
        STREAM = sys.stdin
        def read(stream=sys.stdin): return stream.read()
        """,
        """\
        import pytest
        def test_it():
            assert STREAM is read.__defaults__[0]
            with pytest.raises(OSError):
                read()
        """,
    ),
    "input_read": Use(
        "import os\nDATA = os.read(0, 99)\n",
        "def test_it(): assert DATA == b''\n",
        "reads standard input",
    ),
    "input_asked": Use(
        "import sys\nTERMINAL = sys.stdin.isatty()\n",
        "def test_it(): assert TERMINAL is False\n",
    ),
    "stream_asked": Use(
        "import sys\nERRORS = sys.stdout.errors\n",
        "def test_it(): assert ERRORS == 'replace'\n",
        "asks for what its streams are",
    ),
    "arguments_of_the_kernel": Use(
        "with open('/proc/self/cmdline') as file: ARGS = file.read()\n",
        "def test_it(): assert ARGS\n",
        "reads /proc/self/cmdline",
    ),
    "file_of_the_kernel": Use(
        "with open('/proc/meminfo') as file: FREE = file.read()\n",
        "def test_it(): assert 'MemFree' in FREE\n",
        "asks for what is free",
    ),
    "file_of_the_machine": Use(
        "with open('/proc/version') as file: VERSION = file.read()\n",
        "def test_it(): assert VERSION.startswith('Linux')\n",
    ),
    "processes": Use(
        "import os\nPIDS = [name for name in os.listdir('/proc') if name.isdigit()]\n",
        "def test_it(): assert str(module.os.getpid()) in PIDS\n",
        "asks for what is free, or how busy",
    ),
    "random_device": Use(
        "with open('/dev/urandom', 'rb') as file: TOKEN = file.read(8)\n",
        "def test_it(): assert len(TOKEN) == 8\n",
        "asks for random bytes",
    ),
    "told_of_forks": Use(
        "import os\nTOLD = []\nos.register_at_fork(before=lambda: TOLD.append(1))\n",
        "def test_it(): assert set(TOLD) <= {1}  # by forks of other tests alone\n",
        "asks for notice of forks",
    ),
    "limits": Use(
        "import os\nPROCESSORS = os.sched_getaffinity(0)\n",
        "def test_it(): assert module.os.sched_getaffinity(0) == PROCESSORS\n",
        "asks for its limits",
    ),
    "room": Use(
        "import shutil\nFREE = shutil.disk_usage('/').free\n",
        "def test_it(): assert FREE >= 0\n",
        "asks for what is free",
    ),
    "load": Use(
        "import os\nBUSY = os.getloadavg()[0]\n",
        "def test_it(): assert BUSY >= 0\n",
        "asks for what is free, or how busy",
    ),
    "memory": Use(
        "import os\nFREE = os.sysconf('SC_AVPHYS_PAGES')\n",
        "def test_it(): assert FREE >= 0\n",
        "asks for what is free",
    ),
    "pages": Use(
        "import os\nSIZE = os.sysconf('SC_PAGE_SIZE')\n",
        "def test_it(): assert SIZE == module.os.sysconf('SC_PAGE_SIZE')\n",
    ),
    "input_state": Use(
        "import os\nMODE = os.fstat(0).st_mode\n",
        "def test_it(): assert MODE == module.os.fstat(0).st_mode\n",
        "asks for what its streams are",
    ),
    "file_state": Use(
        "import os\nwith open(__file__) as file: MODE = os.fstat(file.fileno()).st_mode\n",
        "def test_it(): assert MODE == module.os.stat(module.__file__).st_mode\n",
    ),
    "terminal_name": Use(
        """\
        import os
        try:
            NAME = os.ttyname(0)
        except OSError:
            NAME = None
        """,
        "def test_it(): assert NAME is None\n",
        "asks for what its streams are",
    ),
    "umask": Use(
        "import os\nUMASK = os.umask(0o22)\nos.umask(UMASK)\n",
        "def test_it(): assert module.os.umask(UMASK) == UMASK\n",
        "asks for its limits",
    ),
    "signals": Use(
        "import signal\nHANGUP = signal.getsignal(signal.SIGHUP)\n",
        "def test_it(): assert HANGUP is module.signal.getsignal(module.signal.SIGHUP)\n",
        "asks for its signals",
    ),
    "other_clocks": Use(
        "import time\nSTARTED = time.asctime(), time.clock_gettime(0)\n",
        "def test_it(): assert len(STARTED) == 2\n",
        "asks for the time",
    ),
    "stream_kept_in_a_list": Use(
        "import sys\nSTREAMS = [sys.stderr]\n",
        "def test_it(): print('to the stream', file=STREAMS[0])\n",
        "keeps hold of sys.stdout or sys.stderr",
    ),
    "stream_replaced": Use(
        """\
        import sys
        class Stream:
            def __init__(self, stream): self.stream = stream
            def __getattr__(self, name): return getattr(self.stream, name)
        OLD = sys.stderr
        sys.stderr = Stream(sys.stderr)
        """,
        "import sys\ndef test_it(): sys.stderr.write('to a stream')\n",
        "replaces sys.stderr",
    ),
    "asyncio_loop": Use(
        "import asyncio\nLOOP = asyncio.new_event_loop()\n",
        """\
        def test_it():
            assert LOOP.run_until_complete(module.asyncio.sleep(0, 5)) == 5
            LOOP.close()
        """,
        "keeps a descriptor",
    ),
    "at_exit": Use(
        "import atexit\natexit.register(print, 'printed at the very end')\n",
        "def test_it(): pass\n",
    ),
    "sqlite_in_memory": Use(
        """\
        import sqlite3
        DATABASE = sqlite3.connect(":memory:")
        DATABASE.execute("create table t (x)")
        DATABASE.execute("insert into t values (1)")
        """,
        """\
        def test_it():
            DATABASE.execute("insert into t values (2)")
            assert [x for x, in DATABASE.execute("select x from t")] == [1, 2]
        """,
    ),
    "sqlite_file": Use(
        """\
        import os, sqlite3
        PATH = os.path.join(os.path.dirname(__file__), "data.tmp")
        DATABASE = sqlite3.connect(PATH)
        """,
        """\
        def test_it():
            DATABASE.execute("create table t (x)")
            module.os.unlink(PATH)
        """,
        "sqlite3.connect|descriptor",
    ),
    "process_id": Use(
        "import os\nPID = os.getpid()\n",
        "import os\ndef test_it(): assert PID == os.getpid()\n",
        "asks for its process id",
    ),
    "parent_id": Use(
        "import os\nPARENT = os.getppid()\n",
        "import os\ndef test_it(): assert PARENT == os.getppid()\n",
        "asks for its process id",
    ),
    "time": Use(
        "from time import time\nSTARTED = time()\n",
        "def test_it(): assert module.time() - STARTED < 5\n",
        "asks for the time",
    ),
    "now": Use(
        "from datetime import datetime\nSTARTED = datetime.now()\n",
        """\
        def test_it(): assert (module.datetime.now() - STARTED).total_seconds() < 5
        """,
        "asks for the time",
    ),
    "today": Use(
        "import datetime\nTODAY = datetime.date.today()\n",
        "def test_it(): assert TODAY == module.datetime.date.today()\n",
        "asks for the time",
    ),
    "unique_id": Use(
        "import uuid\nID = uuid.uuid4()\n",
        "def test_it(): assert ID.version == 4\n",
        "asks for random bytes",
    ),
    "secret": Use(
        "import secrets\nTOKEN = secrets.token_hex()\n",
        "def test_it(): assert len(TOKEN) == 64\n",
        "asks for random bytes",
    ),
    "unseeded_generator": Use(
        "import random\nMINE = random.Random()\n",
        "def test_it(): assert 0 <= MINE.random() < 1\n",
        "asks for random bytes",
    ),
    "seeded_generator": Use(
        "import random\nMINE = random.Random(5)\nrandom.seed(6)\nDRAWN = random.random()\n",
        """\
        def test_it():
            assert (MINE.random(), DRAWN) == (0.6229016948897019, 0.793340083761663)
            print(module.random.random())
        """,
    ),
    "terminal": Use(
        "import sys\nCOLOR = sys.stdout.isatty()\n",
        "import sys\ndef test_it(): assert COLOR is False\n",
    ),
    "argument_parser": Use(  # which asks how wide the terminal is, for no lasting purpose
        """\
        import argparse
        PARSER = argparse.ArgumentParser("name")
        PARSER.add_argument("--count", type=int, help="h")
        """,
        "def test_it(): assert PARSER.parse_args(['--count', '3']).count == 3\n",
    ),
    "support": Use(
        "from test.support import import_helper\n",  # asks for the time
        "def test_it(): assert import_helper.import_module('json')\n",
    ),
    "tracer": Use(
        """\
        import sys
        LINES = []
        def _trace(frame, event, argument):
            if frame.f_code.co_name == "traced": LINES.append(event)
        sys.settrace(_trace)
        def traced(): return 1
        traced()
        sys.settrace(None)
        """,
        "def test_it(): assert LINES == ['call']\n",
        "sys.settrace",
    ),
    "patched_library": Use(
        """\
        import time
        _sleep, SLEPT = time.sleep, []
        def sleep(seconds):
            SLEPT.append(seconds)
            _sleep(seconds)
        time.sleep = sleep
        """,
        """\
        def test_it():
            module.time.sleep(0)
            assert SLEPT == [0]
            module.time.sleep = module._sleep
        """,
        "replaces time.sleep",
    ),
}
"""Of the standard library: all in one project, each as a module of its own."""
