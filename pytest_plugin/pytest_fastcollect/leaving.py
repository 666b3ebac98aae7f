"""How a run child ends: as Python ends, without taking apart what nobody will miss.

At the end of a process Python clears every module, which in a fork copies the whole heap: with
numpy and pandas that takes ten times as long as one test. All that can be seen of it is the
finalizers of objects that are still there: `__del__`, suspended generators, files not closed. A
process without any of those does what comes before and after: threads are waited for, `atexit`'s
functions called, streams flushed, and the C library's `exit` called, which has handlers of its own.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import socket
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_SUSPENDED = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


def finalizers(objects: Iterable[object]) -> list[object]:
    """Those whose end could be seen, as far as one can tell now."""
    objects = list(objects)
    suspects = {kind for kind in set(map(type, objects)) if hasattr(kind, "__del__")}
    if not suspects:
        return []
    own = set(_own_streams())
    return [
        one for one in objects if type(one) in suspects and id(one) not in own and can_be_seen(one)
    ]


def remember(found: Iterable[object]) -> list[Callable[[], object]]:
    """How to look later at objects, which may be gone by then."""
    return [_reference(one) for one in found]


def _reference(one: object) -> Callable[[], object]:
    try:
        return weakref.ref(one)
    except TypeError:
        return lambda: one


def _own_streams() -> Iterator[int]:
    for name in _STREAMS:
        text = getattr(sys, name, None)
        buffer = getattr(text, "buffer", None)
        yield from map(id, (text, buffer, getattr(buffer, "raw", None)))


def can_be_seen(one: Any) -> bool:
    """Whether a person or a program could see the end of an object."""
    if isinstance(one, types.GeneratorType):
        return one.gi_frame is not None and one.gi_frame.f_lasti >= 0
    if isinstance(one, _SUSPENDED):
        return True  # also one that was never awaited: Python warns of it
    if type(one) in (io.BytesIO, io.StringIO):
        return False
    if isinstance(one, io.IOBase) and type(one).__module__ == "_io":
        return not one.closed and (one.writable() or bool(sys.warnoptions) or sys.flags.dev_mode)
    if type(one) is socket.socket:
        return one.fileno() >= 0
    return not (type(one) is subprocess.Popen and one.returncode is not None)


def leave(code: int, before: Iterable[Callable[[], object]]) -> None:
    """End this process with an exit code, if nothing can be seen of what is left out; else return:
    the interpreter goes on to its own end.

    `before`: what the collector does not tell of, because it was there before the run.
    """
    if sys.flags.dev_mode or threading.active_count() > 1 or sys.gettrace() or sys.getprofile():
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    lasting = (one for look in before if (one := look()) is not None and can_be_seen(one))
    if any(True for _ in lasting) or finalizers(gc.get_objects()):
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except (OSError, ValueError):
        return  # the interpreter will say what is wrong, and end with 120
    _exit(code)


def _exit(code: int) -> None:
    if "ctypes" not in sys.modules and not any(map(_is_foreign, list(sys.modules.values()))):
        os._exit(code)
    import ctypes

    ctypes.PyDLL(None).exit(code)


_DYNLOAD = os.path.dirname(os.__file__)


def _is_foreign(module: object) -> bool:
    """Whether it is C code that Python does not bring: that may have something to do at the end."""
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:
        return False
    return isinstance(file, str) and file.endswith(".so") and not file.startswith(_DYNLOAD)
