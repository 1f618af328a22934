"""One connection of the console or an API client: uvicorn's HTTP/1.1 protocol for ASGI, with the door's deadlines.

uvicorn's server is not used: it has no limit on silence before the first request, and none below TLS.
Source: docs/why/0002-carrier.md.
"""

import asyncio
from typing import Any, final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pilothouse.serving.door import Door, Guest
from pilothouse.serving.settings import CarrierSettings

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
            ws="none",
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
        cycle: RequestResponseCycle = send.__self__

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
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Come in."""
        super().connection_made(transport)
        self.came_in = True
        self._door.waiting(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Go; the application hears `http.disconnect`."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come, heads only up to their limit."""
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
        self._door.reading(self, self._settings.body_timeout_s)

    def on_message_complete(self) -> None:
        """Hear that a body is whole; what follows is our time, not the peer's."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()
        if self.cycle.response_complete:
            self._door.waiting(self)
        else:
            self._door.busy(self)

    def on_response_complete(self) -> None:
        """Hear that an answer is complete."""
        super().on_response_complete()
        if self._in_head and not self.pipeline and not self.transport.is_closing():
            self._door.waiting(self)

    def late(self) -> None:
        """End: whoever is this late does not wait for an answer."""
        self.cut()

    def cut(self) -> None:
        """End now."""
        self.transport.abort()

    def leave(self) -> None:
        """End after the answer that is under way, or now."""
        self.shutdown()
