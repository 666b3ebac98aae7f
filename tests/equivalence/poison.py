"""What a run may do to its own process, and how a later run would notice: data, no tests.

Each `Poison` is code that spoils something and an expression whose value shows it. Both see the
names of the project's own module `state` (`STATE` below), which a checkpoint has executed ahead of
time like any other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Poison:
    """One thing that a run spoils."""

    name: str
    code: str
    """Statements that spoil it."""
    probe: str
    """An expression; equal in all runs that nobody has spoilt."""
    group: str = "gentle"
    """Those of a group spoil the same run, one after the other."""


STATE = """\
import abc, ast, asyncio, atexit, builtins, calendar, codecs, collections.abc, contextlib
import contextvars, copy, copyreg, ctypes, decimal, enum, faulthandler, fcntl, functools, gc
import importlib, importlib.abc, importlib.machinery, io, json, linecache, locale, logging, mmap
import multiprocessing, os, pathlib, pickle, random, re, resource, select, shutil, signal, socket
import subprocess, sys, tempfile, threading, time, tracemalloc, types, unittest, warnings, weakref

import _pytest.config, _pytest.pathlib, _pytest.python, pluggy, pytest

FLAG = False
NAMES = ["one"]

class Base:
    pass

class Thing(Base):
    limit = 1
    made = []

class Colour(enum.Enum):
    RED = 1

def counter():
    yield from range(1000)

@functools.lru_cache(maxsize=None)
def cached(x):
    return len(NAMES)

@functools.singledispatch
def dispatched(x):
    return "default"

GENERATOR = counter()
CONTEXT = contextvars.ContextVar("context", default="default")
LOCAL = threading.local()
THING = Thing()
DEFAULTS = lambda items=[]: items
ONCE = {"here": 1}
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.getenv.restype = ctypes.c_char_p
HERE = pathlib.Path(__file__).parent
INTERNED = sys.intern("a_name_that_nobody_else_has_interned")

def find_child():
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return "none"

def can_lock(name, how):
    with open(HERE / name, "a") as file:
        try:
            how(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno
    return "free"

def can_bind(name):
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.bind(name)
        except OSError as error:
            return error.errno
    return "free"

def outcome(function, *args):
    try:
        return function(*args)
    except BaseException as error:
        return type(error).__name__
"""
"""A module of the project; `conftest.py` and the test module import it."""
