"""Open documents: an unsaved buffer counts instead of the file (LSP 3.17, "Text Synchronization").

The documents themselves are kept by pygls' own handlers, which run before these.
"""

from __future__ import annotations

from lsprotocol import types

from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.uris import path_of


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        if path := module_path(params.text_document.uri):
            peer.buffers.opened(path, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        if path := module_path(uri := params.text_document.uri):
            document = server.workspace.get_text_document(uri)
            peer.buffers.edited(path, lambda: document.source)
        peer.edited(params.text_document.uri, params.content_changes)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE, types.SaveOptions(include_text=False))
    def did_save(params: types.DidSaveTextDocumentParams) -> None:
        if path := path_of(params.text_document.uri):
            peer.buffers.saved(path)
            peer.host.saved(path)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        if path := module_path(params.text_document.uri):
            peer.buffers.closed(path)


def module_path(uri: str) -> str | None:
    """The path of a Python module; None for other documents, which the scan does not read."""
    path = path_of(uri)
    return path if path is not None and path.endswith(".py") else None
