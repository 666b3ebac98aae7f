"""Changes on disk that the editor sees (LSP 3.17, "DidChangeWatchedFiles").

A hint, as everywhere: the tree looks at the disk itself.
"""

from __future__ import annotations

from lsprotocol import types

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.uris import path_of

WATCHED = (
    "**/*.py",
    "**/{pytest.toml,.pytest.toml,pytest.ini,.pytest.ini,pyproject.toml,tox.ini,setup.cfg}",
)
"""Modules, and the files pytest reads its configuration from (`_pytest/config/findpaths.py`)."""


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    def ask_client_to_watch() -> None:
        if not can_register(server.client_capabilities):
            return
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob_pattern=pattern) for pattern in WATCHED]
        )
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = types.Registration(method, method, options)
        server.protocol.send_request(
            types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams([registration])
        )

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        paths = [path for event in params.changes if (path := path_of(event.uri))]
        if paths:
            peer.tree.changed_on_disk(paths)

    peer.at_beginning(ask_client_to_watch)


def can_register(capabilities: types.ClientCapabilities) -> bool:
    """Whether the client watches files on request; it cannot be asked to in the server's answer."""
    workspace = capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    return bool(watching and watching.dynamic_registration)
