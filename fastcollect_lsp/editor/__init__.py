"""The editor side of the server: LSP connections, and the relay of `fastcollect lsp`.

Importing this package costs nothing. `wire`, `codec`, `host` and `relay` are cheap too; everything
else imports pygls and lsprotocol (0.25 s and more) and is for the server only, which imports
`connection` when its first editor connects.
"""
