"""Which server may know a command, found without pytest, configuration or root: hints, no proofs.

Imported at the start of the interpreter (`pytest_fastcollect.start`): nothing but `os` and `sys`,
which are there already.
"""

from __future__ import annotations

import os
import sys

from .digest import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing and collections.abc are not there yet
    from collections.abc import Sequence

_EXPRESSIONS = ("-k", "-m")
"""Options whose values say which tests are meant, not what kind of run it is."""


def base_directory() -> str:
    """`$FASTCOLLECT_DIR`, `$XDG_RUNTIME_DIR/fastcollect`, or one of the user's own in /tmp."""
    if explicit := os.environ.get("FASTCOLLECT_DIR"):
        return os.path.abspath(explicit)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime) and os.access(runtime, os.W_OK):
        return os.path.join(runtime, "fastcollect")
    return f"/tmp/fastcollect-{os.getuid()}"


def command_link(argv: Sequence[str], cwd: str) -> str:
    """The link that leads to the server of commands of this kind: of the same environment,
    directory and options, whichever tests they are for."""
    options = [
        word
        for before, word in zip(argv, argv[1:], strict=False)  # noqa: RUF007  (no itertools yet)
        if word.startswith("-") and before not in _EXPRESSIONS
    ]
    text = "\0".join([cwd, sys.prefix, argv[0], *options])
    name = blake2b(os.fsencode(text), digest_size=12).hexdigest()
    return os.path.join(base_directory(), "commands", name)


def known_command(argv: Sequence[str], cwd: str) -> str | None:
    """The directory of the server that may know a command."""
    try:
        name = os.readlink(command_link(argv, cwd))
    except (OSError, ValueError):
        return None
    return None if "/" in name else os.path.join(base_directory(), name)
