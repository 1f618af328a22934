"""In front of an application whose port cannot be closed: every request is answered 503, with when to come again."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, final

RETRY_AFTER_S: Final = 5
_BODY: Final = json.dumps(
    {"code": "LISTENER_STOPPED", "message": "This listener is stopped.", "fix": "Start it in the control plane."}
).encode()
_HEADERS: Final = (
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_BODY))),
    ("Retry-After", str(RETRY_AFTER_S)),
    ("Connection", "close"),
)


@final
class AsgiGate:
    """Stands in for an ASGI application; its life (lifespan) goes on behind."""

    def __init__(self, app: Any) -> None:
        """Keep whom it stands for."""
        self.app = app

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Refuse."""
        kind = scope["type"]
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in _HEADERS]
        if kind == "lifespan":
            await self.app(scope, receive, send)
        elif kind == "http":
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
        elif "websocket.http.response" in scope.get("extensions", {}):
            await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": _BODY})
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1013})


@final
class WsgiGate:
    """Stands in for a WSGI application."""

    def __init__(self, app: Any) -> None:
        """Keep whom it stands for."""
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Refuse."""
        del environ
        # A WSGI application may not speak of the connection: the server decides on it.
        start_response("503 Service Unavailable", [header for header in _HEADERS if header[0] != "Connection"])
        return [_BODY]
