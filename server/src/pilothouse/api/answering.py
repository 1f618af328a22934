"""Around every request of people: its id, which its answer, its errors and the log carry, and the figures about it."""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilothouse.observe import requests
from pilothouse.observe.traffic import Traffic

ROUTE: Final = "pilothouse.route"
"""Where in a request's scope its route is noted, for the figures."""
_ANSWERS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class Answering:
    """The outermost layer: whatever answers, its answer carries the id."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        began_s = time.perf_counter()
        told = next((value for name, value in scope["headers"] if name == requests.HEADER), None)
        request_id = requests.begin(told)

        async def send_marked(message: Message) -> None:
            if message["type"] in _ANSWERS:
                status = message.get("status", 101)
                self._traffic.note(scope.get(ROUTE, "other"), scope.get("method", "GET"), status, began_s)
                message["headers"] = [*message.get("headers", ()), (requests.HEADER, request_id)]
            await send(message)

        await self.app(scope, receive, send_marked)
