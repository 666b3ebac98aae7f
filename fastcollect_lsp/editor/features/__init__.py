"""What editors can ask for, one module per subject.

Each module's `register(server, peer)` adds its methods to one connection; a method that is not
registered is not announced. docs/protocol.md describes them all and changes together with them.
"""

from __future__ import annotations

from collections.abc import Callable

from fastcollect_lsp.editor.features import (
    actions,
    commands,
    coverage,
    diagnostics,
    discovery,
    explorer,
    fixtures,
    hints,
    lenses,
    lifecycle,
    outdated,
    progress,
    runnables,
    running,
    status,
    symbols,
    text_sync,
    watching,
)
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer

FEATURES: tuple[Callable[[EditorServer, EditorPeer], None], ...] = (
    lifecycle.register,
    text_sync.register,
    watching.register,
    discovery.register,
    status.register,
    symbols.register,
    diagnostics.register,
    running.register,
    coverage.register,
    lenses.register,
    actions.register,
    commands.register,
    progress.register,
    hints.register,
    fixtures.register,
    runnables.register,
    explorer.register,
    outdated.register,
)
