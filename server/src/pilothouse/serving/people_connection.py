"""One connection of the console or an API client: uvicorn's HTTP/1.1 protocol for ASGI, with the door's deadlines.

uvicorn's server is not used: it has no limit on silence before the first request, and none below TLS.
Source: docs/why/0002-carrier.md.
"""

import asyncio
from typing import Any, final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pilothouse.observe import requests
from pilothouse.serving.door import Door, Guest
from pilothouse.serving.settings import CarrierSettings
from pilothouse.serving.web_socket import MESSAGE_MAX_BYTES, PING_EVERY_S, PONG_WITHIN_S, WebSocketConnection

AsgiApplication = Any
"""An ASGI application or one of its parameters: dictionaries by specification, so a type would say nothing."""


@final
class PeerGone(OSError):
    """The peer hung up while it was being answered."""


@final
class PeopleSide:
    """What the connections of one ASGI application share."""

    def __init__(self, app: AsgiApplication, settings: CarrierSettings) -> None:
        self.settings = settings
        self._app = app
        self.stopping = False
        # The door measures idleness; uvicorn's own keep-alive clock only has to be the later of the two.
        self.config = Config(
            self._carry,
            http="httptools",
            ws=WebSocketConnection,
            ws_max_size=MESSAGE_MAX_BYTES,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            interface="asgi3",
            timeout_keep_alive=int(settings.idle_timeout_s) + 60,
        )
        self.config.load()
        self.state = ServerState()

    async def _carry(self, scope: AsgiApplication, receive: AsgiApplication, send: AsgiApplication) -> None:
        """Run the application; end it at its next word when its peer has gone: no stream outlives its reader."""
        cycle: RequestResponseCycle | WebSocketConnection = send.__self__

        async def send_to_peer(message: AsgiApplication) -> None:
            if cycle.disconnected:
                raise PeerGone
            await send(message)

        try:
            await self._app(scope, receive, send_to_peer)
        except PeerGone:
            return
        except asyncio.CancelledError:
            if not self.stopping:
                raise

    @property
    def running(self) -> "set[asyncio.Task[None]]":
        """The requests under way."""
        return self.state.tasks


@final
class PeopleConnection(HttpToolsProtocol, Guest):
    """Bytes of one peer, from its arrival until it is gone."""

    def __init__(self, door: Door, side: PeopleSide) -> None:
        super().__init__(side.config, side.state, {})
        self._door = door
        self._settings = side.settings
        self._side = side
        self._head_bytes = 0
        self._in_head = True
        self._answering = False
        self._web_socket: WebSocketConnection | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Come in."""
        super().connection_made(transport)
        self.came_in = True
        self._door.waiting(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Go; the application hears `http.disconnect` or `websocket.disconnect`."""
        if self._web_socket is not None:
            self._web_socket.connection_lost(exc)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come, heads only up to their limit."""
        if self._web_socket is not None:
            self._web_socket.data_received(data)
            return
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._settings.head_limit_bytes and b"\r\n\r\n" not in data:
                self.cut()
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Hear that a head is whole."""
        self._in_head = False
        super().on_headers_complete()
        if self._becomes_a_web_socket:
            return
        self._answering = True
        self._door.reading(self, self._settings.body_timeout_s)

    def on_message_complete(self) -> None:
        """Hear that a body is whole; what follows is our time, not the peer's."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()
        if self._becomes_a_web_socket:
            return
        if self.cycle.response_complete:
            self._door.waiting(self)
        else:
            self._door.busy(self)

    def on_response_complete(self) -> None:
        """Hear that an answer is complete."""
        self._answering = bool(self.pipeline)
        super().on_response_complete()
        if self._in_head and not self.pipeline and not self.transport.is_closing():
            self._door.waiting(self)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; this answer, too, has an id."""
        body = msg.encode("ascii")
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            b"%b: %b\r\ncontent-length: %d\r\n\r\n%b" % (requests.HEADER, requests.begin(), len(body), body)
        )
        self.transport.close()

    @property
    def _becomes_a_web_socket(self) -> bool:
        """Whether the head that was just read asks for it."""
        return self.parser is not None and bool(self.parser.should_upgrade()) and self._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        """Go on as a WebSocket, behind the same door; until it is answered something, it may have to make room."""
        if self._answering:
            self.cut()  # asked for while an answer is under way, which no honest peer does
            return
        head = [self.scope["method"].encode(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            head += [name, b": ", value, b"\r\n"]
        self._web_socket = WebSocketConnection(self._side.config, self._side.state, self._web_socket_is_answered)
        self._web_socket.connection_made(self.transport)
        self._web_socket.data_received(b"".join([*head, b"\r\n"]))
        self._door.waiting(self)

    def _web_socket_is_answered(self) -> None:
        self._door.busy(self)

    def pause_writing(self) -> None:
        """Hear that the peer does not read."""
        (self._web_socket or super()).pause_writing()

    def resume_writing(self) -> None:
        """Hear that it reads again."""
        (self._web_socket or super()).resume_writing()

    def late(self) -> None:
        """End: whoever is this late does not wait for an answer."""
        self.cut()

    def cut(self) -> None:
        """End now."""
        self.transport.abort()

    def leave(self) -> None:
        """End after the answer that is under way, or now."""
        if self._web_socket is not None:
            self._web_socket.shutdown()
        else:
            self.shutdown()
