"""From a WebSocket to the request that it began as, which is who asks."""

from typing import Any, Final

from starlette.requests import Request
from starlette.websockets import WebSocket

from pilothouse.api.graphql.socket_messages import CloseCode, Closing

AUTHORIZATION_LENGTH_MAX: Final = 8_192
"""Characters of what connection_init carries to sign in with."""


def authorization_in(payload: dict[str, Any]) -> str | None:  # Any: JSON values
    """Find what connection_init signs in with.

    Raises: Closing
    """
    given = payload.get("authorization", payload.get("Authorization"))
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > AUTHORIZATION_LENGTH_MAX or not given.isascii():
        raise Closing(CloseCode.BAD_REQUEST, "`authorization` is the text `Bearer` and a token.")
    return given


def request_of(socket: WebSocket, authorization: str | None = None) -> Request:
    """Show the upgrade as the request that it was; what connection_init says takes the place of header and cookie."""
    headers: list[tuple[bytes, bytes]] = list(socket.scope["headers"])
    if authorization is not None:
        headers = [(name, value) for name, value in headers if name not in (b"cookie", b"authorization")]
        headers.append((b"authorization", authorization.encode()))
    return Request({**socket.scope, "type": "http", "method": "GET", "headers": headers})
