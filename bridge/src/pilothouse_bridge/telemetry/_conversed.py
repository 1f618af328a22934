"""WebSockets of an ASGI application: one span each, from the handshake until somebody hangs up.

A connection is not a request: it is not counted among them, and however long it lasts it makes no latency worse.
Source: ASGI, "WebSocket"; RFC 6455, section 7.4; OpenTelemetry's conventions for HTTP spans, which know no WebSockets: what is
said of the conversation bears names of our own.
"""

import time
from typing import Any, Final, final

from pilothouse_bridge.telemetry._context import Entered, Parent, Span, parent_of
from pilothouse_bridge.telemetry._hub import hub
from pilothouse_bridge.telemetry._logs import mark
from pilothouse_bridge.telemetry._served import FAILED_FROM
from pilothouse_bridge.telemetry._thrown import name_of, thrown

CLOSE_CODE: Final = "pilothouse.websocket.close_code"
RECEIVED: Final = "pilothouse.websocket.messages_received"
SENT: Final = "pilothouse.websocket.messages_sent"
_NO_CODE: Final = 1005  # ASGI's own default
_NORMAL: Final = 1000
_SWITCHING: Final = 101
_FORBIDDEN: Final = 403
_CRASHED: Final = 1011
#: They went as they may: done, going away, no code given, service restart. Codes from 3000 on are the application's own.
_IN_ORDER: Final = frozenset({1000, 1001, 1005, 1012})
_OWN_FROM: Final = 3000


@final
class Conversed:
    """One connection in hand."""

    def __init__(self, path: str, traceparent: str, tracestate: str) -> None:
        """It has just asked for its handshake."""
        parent: Parent | None = parent_of(traceparent, tracestate) if traceparent else None
        self._path = path
        self._span: Span = hub.begin_served(parent)
        self._entered = Entered(self._span)
        self._status = 0
        self._code: int | None = None
        self._received = 0
        self._sent = 0
        self._error: BaseException | None = None
        self._is_gone = False
        self._began_s = time.perf_counter()

    def heard(self, message: dict[str, Any]) -> None:
        """The client has sent this."""
        kind = message["type"]
        if kind == "websocket.receive":
            self._received += 1
        elif kind == "websocket.disconnect":
            self._is_gone = True
            self._end_with(message.get("code", _NO_CODE))

    def said(self, message: dict[str, Any]) -> None:
        """The application has sent this."""
        kind = message["type"]
        if kind == "websocket.send":
            self._sent += 1
        elif kind == "websocket.accept":
            self._status = _SWITCHING
        elif kind == "websocket.http.response.start":
            self._status = message["status"]
        elif kind == "websocket.close":
            if self._status:
                self._end_with(message.get("code", _NORMAL))
            else:
                self._status = _FORBIDDEN

    def note(self, error: BaseException) -> None:
        """The application has failed."""
        # Frameworks tell the application by an exception that the client has gone; how it went, the code says.
        if not (self._is_gone and type(error).__name__ == "WebSocketDisconnect"):
            self._error = error
            mark(error, self._span)

    def end(self, route: str | None) -> None:
        """It is over."""
        self._entered.leave()
        duration_s = time.perf_counter() - self._began_s
        error, span = self._error, self._span
        status = self._status or (500 if error is not None else 0)
        if error is not None and self._status == _SWITCHING and self._code is None:
            self._code = _CRASHED  # what servers say for the application
        span.name = "GET" if route is None else f"GET {route}"
        span.error_type = self._error_type(status)
        attributes: dict[str, object] = {
            "http.request.method": "GET",
            "url.path": self._path,
            "network.protocol.name": "websocket",
        }
        optional = (
            ("http.route", route),
            ("http.response.status_code", status or None),
            (CLOSE_CODE, self._code),
            ("error.type", span.error_type),
        )
        attributes |= {name: value for name, value in optional if value is not None}
        if self._status == _SWITCHING:
            attributes |= {RECEIVED: self._received, SENT: self._sent}
        span.attributes = attributes
        if error is not None:
            span.thrown = thrown(error)
        hub.end_span(span, duration_s)

    def _end_with(self, code: object) -> None:
        if self._code is None:  # who hung up first has said why
            self._code = code if isinstance(code, int) else _NO_CODE

    def _error_type(self, status: int) -> str | None:
        if self._error is not None:
            return name_of(type(self._error))
        if status >= FAILED_FROM:
            return str(status)
        code = self._code
        return None if code is None or code in _IN_ORDER or code >= _OWN_FROM else str(code)
