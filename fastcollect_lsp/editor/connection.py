"""One editor's connection: pygls' protocol object on an accepted Unix socket.

Imports pygls and lsprotocol: the server imports this module when its first editor connects.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket

from fastcollect_lsp.editor import framing
from fastcollect_lsp.editor.features import FEATURES
from fastcollect_lsp.editor.host import EditorHost
from fastcollect_lsp.editor.outbox import Outbox
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorProtocol, EditorServer

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0
"""For a client to take the last answers of a connection that ends."""

_numbers = itertools.count(1)


async def serve_connection(sock: socket.socket, host: EditorHost, rest: bytes = b"") -> None:
    """Serve one editor until it closes, says `exit`, or breaks the protocol's framing.

    `sock` is a connected, non-blocking Unix stream socket, owned by this call from now on. Returns
    normally however the connection ends; only cancelling it raises. Other connections, and the
    process, go on. `rest` is what has been read from the socket already, behind the hello.
    """
    name = f"editor {next(_numbers)}"
    reader, writer = await _open(sock, rest)
    server = EditorServer(host.version)
    server.protocol.set_writer(Outbox(writer.transport, name))
    peer = EditorPeer(name, host, server.protocol)
    for register in FEATURES:
        register(server, peer)
    logger.info("%s connected", name)
    reason = "cancelled"
    try:
        reason = await _read(reader, server.protocol)
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        logger.info("%s ended: %s", name, reason)
        peer.end()
    await _close(writer)


async def _open(
    sock: socket.socket, rest: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams on a connected socket; `rest` has been read from it before, and comes first."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    reader.feed_data(rest)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_unix_connection(lambda: protocol, sock=sock)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _read(reader: asyncio.StreamReader, protocol: EditorProtocol) -> str:
    """Handle messages until there are no more; returns why there are no more."""
    while not protocol.exited:
        try:
            body = await framing.read_frame(reader)
        except framing.FramingError as error:
            protocol.refuse(str(error))
            return str(error)
        except OSError as error:
            return str(error)
        if body is None:
            return "closed by the editor"
        protocol.receive(body)
        # Reading what is buffered already does not yield: let other connections have their turn.
        await asyncio.sleep(0)
    return "exit"


async def _close(writer: asyncio.StreamWriter) -> None:
    """Send what is left, then close; a client that does not take it is not waited for."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT_S)
    except asyncio.TimeoutError:
        writer.transport.abort()
    except OSError:
        pass  # it has hung up: there is nobody to send to
