"""One WebSocket of the console or an API client: uvicorn's protocol on wsproto, with an end for every kind of silence.

It lives inside a `PeopleConnection`, which stays the door's guest: the door counts it, and closes it where it has not been
answered anything yet. Messages are not compressed: a small one could unfold into a large one.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, final

from uvicorn.config import Config
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState
from wsproto import events
from wsproto.connection import ConnectionState

MESSAGE_MAX_BYTES: Final = 262_144
"""Unit: bytes of a message from a peer, whole; more closes with 1009."""
PING_EVERY_S: Final = 20.0
"""Unit: seconds between two pings of ours."""
PONG_WITHIN_S: Final = 20.0
"""Unit: seconds. A peer that has not answered a ping by then is gone."""
SLOW_READER_S: Final = 15.0
"""Unit: seconds. A peer that does not read what waits for it for this long is cut; nothing more is written meanwhile."""
CLOSE_WAIT_S: Final = 5.0
"""Unit: seconds from our last word until the connection is cut."""

# uvicorn writes a line with the whole address for each connection; our own log tells what matters.
_quiet = logging.getLogger(f"{__name__}.protocol")
_quiet.setLevel(logging.WARNING)


@final
class WebSocketConnection(WSProtocol):
    """Frames of one peer, from the upgrade until it is gone."""

    def __init__(self, config: Config, state: ServerState, answered: Callable[[], None]) -> None:
        super().__init__(config, state, {})
        self.logger = _quiet
        self.close_timeout = CLOSE_WAIT_S
        self._answered: Callable[[], None] | None = answered
        self._slow: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Go; the application hears `websocket.disconnect`."""
        for timer in (self._slow, self._end):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        super().data_received(data)
        self._end_in_time()

    def handle_ping(self, event: events.Ping) -> None:
        """Answer a ping, unless earlier answers were never read."""
        if self.writable.is_set():
            super().handle_ping(event)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Hear that the peer does not read."""
        super().pause_writing()
        if self._slow is None:
            self._slow = self.loop.call_later(SLOW_READER_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Hear that it reads again."""
        super().resume_writing()
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def keepalive_timeout(self) -> None:
        """Give up a peer that answers no ping."""
        super().keepalive_timeout()
        self._end_in_time()

    def shutdown(self) -> None:
        """End because the control plane stops."""
        if self.conn.state is ConnectionState.CLOSED:  # the peer has said its last word already
            self.transport.close()
        else:
            super().shutdown()
        self._end_in_time()

    async def send(self, message: Any) -> None:  # Any: ASGI's dictionaries
        """Say what the application says."""
        await super().send(message)
        if message["type"] == "websocket.send" and self._answered is not None:
            answered, self._answered = self._answered, None
            answered()
        self._end_in_time()

    def _end_in_time(self) -> None:
        """Cut a peer that does not take our last word, or does not answer it."""
        if self._end is None and not self.disconnected and (self.close_sent or self.transport.is_closing()):
            self._end = self.loop.call_later(CLOSE_WAIT_S + 1, self.transport.abort)
