"""What a client says in `initialize` that it can do, as far as it matters to us."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types


@dataclass(frozen=True)
class ClientSide:
    """Absent capabilities are capabilities that the client does not have (LSP 3.17)."""

    progress: bool = False
    """Shows work in progress that the server begins."""
    show_document: bool = False
    refreshes_lenses: bool = False
    refreshes_hints: bool = False
    related_information: bool = False
    """Shows further locations of a diagnostic."""
    action_literals: bool = False
    """Takes `CodeAction`s, not commands only."""
    configuration: bool = False
    """Can be asked for settings."""
    test_explorer: bool = False
    """rust-analyzer's `experimental.testExplorer`."""
    commands: frozenset[str] = field(default_factory=frozenset)
    """Commands that the client executes itself (rust-analyzer's `experimental.commands`)."""

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities) -> ClientSide:
        """Of what the client has sent."""
        window, workspace = capabilities.window, capabilities.workspace
        document = capabilities.text_document
        action = document.code_action if document else None
        diagnostics = document.publish_diagnostics if document else None
        lens = workspace.code_lens if workspace else None
        hint = workspace.inlay_hint if workspace else None
        experimental: Any = capabilities.experimental
        experimental = experimental if isinstance(experimental, dict) else {}
        return cls(
            progress=bool(window and window.work_done_progress),
            show_document=bool(window and window.show_document and window.show_document.support),
            refreshes_lenses=bool(lens and lens.refresh_support),
            refreshes_hints=bool(hint and hint.refresh_support),
            related_information=bool(diagnostics and diagnostics.related_information),
            action_literals=bool(action and action.code_action_literal_support),
            configuration=bool(workspace and workspace.configuration),
            test_explorer=bool(experimental.get("testExplorer")),
            commands=_commands(experimental),
        )


def _commands(experimental: dict[str, Any]) -> frozenset[str]:
    options = experimental.get("commands")
    names = options.get("commands") if isinstance(options, dict) else None
    return frozenset(n for n in names if isinstance(n, str)) if isinstance(names, list) else _NONE


_NONE: frozenset[str] = frozenset()
