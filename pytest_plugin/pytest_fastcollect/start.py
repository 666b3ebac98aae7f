"""Has the native command run `pytest`, before Python has imported anything of it.

`pytest_fastcollect.pth` imports this at the start of the interpreter, where its program is a script
called `pytest`. Where a server may know a command of this kind, this process becomes the native
command, which stands for pytest's own script as after `fastcollect shim`. What that cannot hand
over, it starts by the same script once more.
"""

from __future__ import annotations

import os
import sys

from .observers import observer

LEFT_VARIABLE = "FASTCOLLECT_LEFT"
"""Set for the native command, and so for what it leaves to pytest, which is not handed to it again.
Taken off before anything can see it."""


asked = os.environ.pop(LEFT_VARIABLE, None) is not None
"""Whether the native command has been here, and has left this run to pytest."""


def _command() -> str | None:
    """The native command that may take this run over; None: pytest itself goes on."""
    if asked:
        return None
    forced = os.environ.get("FASTCOLLECT")
    if forced == "0" or (os.environ.get("CI") and forced != "1"):
        return None
    script = sys.argv[0]
    if not os.path.isabs(script) or sys.orig_argv != [sys.executable, *sys.argv]:
        return None  # an interpreter with options, say
    with open(script, "rb") as file:
        if file.readline().rstrip() != b"#!" + os.fsencode(sys.executable):
            return None  # started by another name, which tests can see
    if any("fastcollect" in word for word in sys.argv[1:]):
        return None  # switched off, or asked for something else
    from fastcollect_lsp import hints

    if hints.known_command(sys.argv, os.getcwd()) is None or observer() is not None:
        return None
    if len(os.listdir("/proc/self/task")) > 1:
        return None  # something else that is started with every interpreter is at work
    command = os.path.join(os.path.dirname(script), "fastcollect")
    return command if os.access(command, os.X_OK) else None


def become_native() -> None:
    """Returns if this run is for pytest itself. Never raises."""
    try:
        command = _command()
        if command is None:
            return
        import _signal  # type: ignore[import-not-found]  # `signal` takes longer than all of this

        # Which Python has ignored at its start, as it will again.
        numbers = (_signal.SIGPIPE, _signal.SIGXFSZ)
        for number in numbers:
            _signal.signal(number, _signal.SIG_DFL)
        try:
            os.execve(command, sys.argv, {**os.environ, LEFT_VARIABLE: "1"})
        finally:
            for number in numbers:
                _signal.signal(number, _signal.SIG_IGN)
    except Exception:  # whatever it is: pytest itself goes on, and finds out
        return


become_native()
