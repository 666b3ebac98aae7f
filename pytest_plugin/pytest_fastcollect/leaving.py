"""How a run child ends: as Python ends, without taking apart what nobody will miss.

At the end of a process Python clears every module, which in a fork copies the whole heap: with
numpy and pandas that takes ten times as long as one test. All that can be seen of it is the
finalizers of objects that are still there: `__del__`, suspended generators, files not closed. A
process without any of those does what comes before and after: threads are waited for, `atexit`'s
functions called, streams flushed, and the C library's `exit` called, which has handlers of its own.
"""

from __future__ import annotations

import atexit
import contextlib
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

from . import lifetime
from .known import QUIET_AT_EXIT

_exit_now = os._exit  # as it is before any test may have replaced it
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
        # Whoever is at its other end sees the same; it is only warned of, as of files.
        return one.fileno() >= 0 and (bool(sys.warnoptions) or sys.flags.dev_mode)
    return not (type(one) is subprocess.Popen and one.returncode is not None)


def leave(
    code: int,
    before: Iterable[Callable[[], object]],
    channel: int,
    last: Callable[[], object] = lambda: None,
) -> None:
    """End this process with an exit code, if nothing can be seen of what is left out; else return:
    the interpreter goes on to its own end.

    `before`: what the collector does not tell of, because it was there before the run. `channel`:
    the descriptor to the caller. `last`: called when nothing else is to be done.
    """
    others = (one for one in threading.enumerate() if one is not threading.main_thread())
    # A daemon is stopped wherever it is, in both ways; what it holds is looked at below.
    if sys.flags.dev_mode or not all(one.daemon for one in others):
        return
    if sys.gettrace() or sys.getprofile():
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
    _exit(code, channel, last)


def _exit(code: int, channel: int, last: Callable[[], object]) -> None:
    if not any(map(_has_end, list(sys.modules.values()))):
        # The caller need not wait until the kernel has taken the memory apart.
        if "ctypes" in sys.modules:
            import ctypes

            ctypes.PyDLL(None).fflush(None)
        lifetime.survive_peer(channel)  # what the run leaves running is not ours to kill
        with contextlib.suppress(OSError):
            os.write(channel, f"status {code << 8}".encode())
        last()
        _exit_now(code)
    last()
    import ctypes

    ctypes.PyDLL(None).exit(code)


_DYNLOAD = os.path.dirname(os.__file__) + os.sep


def _has_end(module: object) -> bool:
    """Whether it is C code that Python does not bring: it may have something to do at the end."""
    try:
        namespace = object.__getattribute__(module, "__dict__")
        file, name = namespace.get("__file__"), namespace.get("__name__")
    except AttributeError:
        return False
    return (
        isinstance(file, str)
        and file.endswith(".so")
        and (not file.startswith(_DYNLOAD) or "-packages" in file)
        and str(name).partition(".")[0] not in QUIET_AT_EXIT
    )
