"""pygls' protocol object, made fit to serve one of several clients of a long-lived process.

Differences from the stock one (pygls 2.1.1, whose private parts are used here; it is pinned):

- `exit` ends the connection, not the process;
- a client's mistake (no JSON, no JSON-RPC, wrong types, wrong order) is answered as the
  specification says, instead of being shown to the user or swallowed;
- messages are written by orjson, results of ours without a detour over lsprotocol's converter, and
  params of ours arrive as plain data;
- documents split into lines as LSP says, positions are always UTF-16, and nothing is announced that
  does not exist.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from functools import cache
from typing import Any, TypeGuard

import attrs
import orjson
from cattrs import Converter, transform_error
from lsprotocol import types
from pygls.exceptions import (
    FeatureRequestError,
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.lsp.server import LanguageServer
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from fastcollect_lsp.editor import codec, framing, wire
from fastcollect_lsp.editor.clientside import ClientSide
from fastcollect_lsp.editor.documents import EditorWorkspace

logger = logging.getLogger(__name__)

PlainParams = Any
"""Params of our own methods, as parsed; see `params_of`. Annotated `object`, a handler would be
given the server as well: pygls looks whether that is an instance of the first argument's type."""


class NoMessage(JsonRpcInvalidRequest):
    """JSON that is no JSON-RPC 2.0 message at all: answered even where there is no id."""


class EditorProtocol(LanguageServerProtocol):
    """JSON-RPC with one client."""

    exited = False
    """The client has said `exit`: nothing more is to be read."""

    # ---- in ----

    def receive(self, body: bytes) -> None:
        """Handle one message. Never raises: one message ends no connection."""
        data: Any = None
        try:
            data = parse(body)
            self._dispatch(data)
        except (JsonRpcParseError, NoMessage) as error:
            self._send_response(_id_of(data), error=error.to_response_error())
        except JsonRpcException as error:
            logger.info("%s refused: %s", data["method"], error)
            if "id" in data:
                self._send_response(data["id"], error=error.to_response_error())
        except Exception:
            logger.exception("a message could not be handled")

    def refuse(self, reason: str) -> None:
        """Tell the client, before its connection is closed, what cannot be read."""
        self._send_response(None, error=JsonRpcInvalidRequest(reason).to_response_error())

    def _dispatch(self, data: Any) -> None:
        """Handle parsed JSON. Raises JsonRpcException where it is no message that may come now."""
        if not isinstance(data, dict) or data.get("jsonrpc") != self.VERSION:
            raise NoMessage("not a JSON-RPC 2.0 message")
        if "method" not in data:
            self._dispatch_response(data)
            return
        method, is_request = data["method"], "id" in data
        if not isinstance(method, str) or (is_request and _id_of(data) is None):
            raise NoMessage("method is no string, or id neither string nor integer")
        if method != types.EXIT and (refusal := self._refusal(method)):
            raise refusal
        if not self._exists(method):
            if is_request:
                raise JsonRpcMethodNotFound.of(method)
            return
        if (message_type := self.get_message_type(method)) is not None:
            self.handle_message(self._structured(data, message_type))
        elif is_request:
            self.handle_message(
                JsonRPCRequestMessage(data["id"], method, self.VERSION, data.get("params"))
            )
        else:
            self.handle_message(JsonRPCNotification(method, self.VERSION, data.get("params")))

    def _exists(self, method: str) -> bool:
        return (
            method in self.fm.builtin_features
            or method in self.fm.features
            or method == types.CANCEL_REQUEST
        )

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        """`$/cancelRequest`: lsprotocol lets any JSON pass for its id."""
        if _is_id(msg_id):
            super()._handle_cancel_notification(msg_id)

    def _structured(self, data: dict[str, Any], message_type: type[Any]) -> Any:
        """A message as lsprotocol types it. Raises JsonRpcInvalidParams, which says what is wrong.

        pygls' own `structure_message` writes a traceback of 50 lines into the log.
        """
        try:
            return self._converter.structure(data, message_type)
        except Exception as error:
            raise JsonRpcInvalidParams("; ".join(transform_error(error, path=""))) from None

    def _refusal(self, method: str) -> JsonRpcException | None:
        """Why a message may not come now (LSP 3.17, "Server lifecycle")."""
        if self._shutdown:
            return JsonRpcInvalidRequest("shutting down")
        if (self._workspace is None) != (method == types.INITIALIZE):
            if self._workspace is None:
                return JsonRpcServerNotInitialized("initialize comes first")
            return JsonRpcInvalidRequest("initialized already")
        return None

    def _dispatch_response(self, data: dict[str, Any]) -> None:
        """The client's answer to a request of ours."""
        if "result" not in data and "error" not in data:
            raise NoMessage("neither request, notification nor response")
        if _id_of(data) not in self._request_futures:
            logger.info("answer to nothing: id %r", data.get("id"))
            return
        identity = data["id"]
        result_type = self._result_types.pop(identity, None) or JsonRPCResponseMessage
        try:
            response = self._structured(
                data, types.ResponseErrorMessage if "error" in data else result_type
            )
        except JsonRpcException as error:
            # Not answered: answering answers might never end.
            logger.info("answer %r of a wrong type: %s", identity, error)
            self._request_futures.pop(identity).cancel()
        else:
            self.handle_message(response)

    # ---- out ----

    def send(self, message: dict[str, object]) -> None:
        """Send plain data, wire types and `orjson.Fragment`s as one message."""
        if self.writer is not None:
            self.writer.write(framing.frame(codec.encode(message)))

    def notify_plain(self, method: str, params: object) -> None:
        """Send a notification whose params are as for `send`."""
        self.send({"jsonrpc": self.VERSION, "method": method, "params": params})

    def _send_data(self, data: Any) -> None:
        """pygls' way out: typed messages of lsprotocol."""
        self.send(self._converter.unstructure(data))

    def _send_response(
        self,
        msg_id: str | int | None,
        result: Any | None = None,
        error: types.ResponseError | None = None,
    ) -> None:
        """Answer a request; a plain result is sent as it is."""
        response: dict[str, object] = {"jsonrpc": self.VERSION, "id": msg_id}
        if error is not None:
            response["error"] = self._converter.unstructure(error)
        else:
            typed = attrs.has(type(result))
            response["result"] = self._converter.unstructure(result) if typed else result
        self.send(response)

    # ---- life of the connection ----

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Answer with what exists, and no more."""
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None  # UTF-16, as in the Rust scan
        result = yield from super().lsp_initialize(params)
        self._workspace = EditorWorkspace.like(self.workspace)
        capabilities = result.capabilities
        capabilities.experimental = {
            "fastcollect": {"version": wire.PROTOCOL_VERSION},
            "runnables": {"kinds": ["shell"]},
        }
        capabilities.workspace = None  # pygls announces this always
        # Clients make commands of their own of those announced: not where they have them already.
        theirs = ClientSide.of(params.capabilities).commands
        ours = [name for name in self.fm.commands if name not in theirs]
        capabilities.execute_command_provider = types.ExecuteCommandOptions(ours)
        return result

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Generator[Any, Any, None]:
        """End this connection. The process serves others: stock pygls would `sys.exit` here."""
        self.exited = True
        if self.writer is not None:
            self.writer.close()
        yield from ()  # a generator, as pygls has it


class EditorServer(LanguageServer):
    """What pygls' protocol object wants for a server: the registry of one connection's features."""

    protocol: EditorProtocol

    def __init__(self, version: str) -> None:
        super().__init__(
            "fastcollect", version, protocol_cls=EditorProtocol, converter_factory=shared_converter
        )

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log, where pygls would put up a message box."""
        if source is not FeatureRequestError:  # that one is answered, and logged by pygls
            logger.error("%s: %s", source.__name__, error)


@cache
def shared_converter() -> Converter:
    """lsprotocol's converter, one for all connections: making it and warming it up takes 20 ms."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    return converter


def parse(body: bytes) -> Any:
    """JSON as plain data. Raises JsonRpcParseError.

    Half a surrogate pair, which editors written in JavaScript do send, becomes U+FFFD: neither
    orjson nor UTF-8 has it.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        mended = ESCAPE.sub(_without_half_pair, body)
        if mended == body:
            raise JsonRpcParseError(f"not JSON: {error}") from None
    try:
        return orjson.loads(mended)
    except orjson.JSONDecodeError as error:
        raise JsonRpcParseError(f"not JSON: {error}") from None


ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\."
)


def _without_half_pair(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]


def _id_of(data: Any) -> str | int | None:
    """The id to answer to; None where there is none, or none that may be one."""
    identity = data.get("id") if isinstance(data, dict) else None
    return identity if _is_id(identity) else None


def _is_id(value: object) -> TypeGuard[str | int]:
    """Whether a request may have this id."""
    return type(value) in (str, int)


def params_of(cls: type[codec.T], params: PlainParams) -> codec.T:
    """A request's plain params as a wire type; absent ones as the empty object.

    Raises JsonRpcInvalidParams, which pygls answers with.
    """
    try:
        return codec.decode(cls, {} if params is None else params)
    except codec.InvalidParams as error:
        raise JsonRpcInvalidParams(str(error)) from None
