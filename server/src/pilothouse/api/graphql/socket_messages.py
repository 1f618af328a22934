"""The messages of graphql-transport-ws, as a peer sends them, and the codes that a connection is closed with.

Source: the protocol of the graphql-ws project, PROTOCOL.md.
"""

from enum import IntEnum, unique
from typing import Any, Final

import msgspec

from pilothouse.api.graphql.preparing import Body

SUBPROTOCOL: Final = "graphql-transport-ws"
_REASON_MAX_BYTES: Final = 123
"""What a close frame has room for."""


@unique
class CloseCode(IntEnum):
    """Why a connection ends."""

    STOPPING = 1012
    """The control plane stops or restarts: come back soon."""
    TRY_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    """An operation came before the connection was acknowledged."""
    FORBIDDEN = 4403
    """Not signed in, or the session ended."""
    SUBPROTOCOL_UNKNOWN = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITS = 4429
    DEFECT = 4500


class Closing(Exception):
    """The connection ends now."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason.encode()[:_REASON_MAX_BYTES].decode(errors="ignore")
        super().__init__()


class Init(msgspec.Struct, frozen=True, tag="connection_init", tag_field="type"):
    """The first message."""

    payload: dict[str, Any] | None = None  # Any: JSON values


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="type"):
    """A question whether we are there."""

    payload: dict[str, Any] | None = None  # Any: JSON values


class Pong(msgspec.Struct, frozen=True, tag="pong", tag_field="type"):
    """An answer to such a question."""

    payload: dict[str, Any] | None = None  # Any: JSON values


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe", tag_field="type"):
    """An operation to run, of any type."""

    id: str
    payload: Body


class Complete(msgspec.Struct, frozen=True, tag="complete", tag_field="type"):
    """The peer wants no more results of an operation."""

    id: str


Message = Init | Ping | Pong | Subscribe | Complete
_decoder: "msgspec.json.Decoder[Message]" = msgspec.json.Decoder(Message)


def read(frame: dict[str, Any]) -> Message:  # Any: ASGI's dictionaries
    """Read a message.

    Raises: Closing
    """
    text = frame.get("text")
    if text is None:
        raise Closing(CloseCode.BAD_REQUEST, "Messages are JSON in text frames.")
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Closing(CloseCode.BAD_REQUEST, f"The message does not fit the protocol: {error}") from None
