"""The HTTP edge, whatever framework it is: a request comes in, is measured, and says within which trace it runs."""

import time
from contextvars import Token
from typing import Final, final

from pilothouse_bridge.telemetry._context import Parent, Span, current, parent_of
from pilothouse_bridge.telemetry._hub import hub
from pilothouse_bridge.telemetry._logs import mark
from pilothouse_bridge.telemetry._meter import SERVER_DURATION
from pilothouse_bridge.telemetry._thrown import name_of, thrown

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
FAILED_FROM: Final = 500
_FAILED: Final = 500
_SWITCHING: Final = 101


def wanted() -> tuple[bool, bool] | None:
    """Whether a request is to be counted, and whether it is to be traced; None where nothing of it is to be known."""
    if not hub.is_on:
        return None
    counted, traced = hub.sends("metrics"), hub.sends("traces")
    return (counted, traced) if counted or traced else None


def known_method(method: str) -> str:
    """One of HTTP's methods; clients may make up others without end."""
    upper = method.upper()
    return upper if upper in _METHODS else "_OTHER"


@final
class Served:
    """One request in hand."""

    __slots__ = (
        "_began_s",
        "_ended_s",
        "_error",
        "_is_counted",
        "_method",
        "_path",
        "_span",
        "_token",
        "converses",
        "route",
        "status",
    )

    def __init__(self, wish: tuple[bool, bool], method: str, path: str, traceparent: str, tracestate: str) -> None:
        """It has just come in; ``wish`` is what ``wanted`` answered."""
        self._is_counted, is_traced = wish
        self._method = known_method(method)
        self._path = path
        self.status = 0
        self.route: str | None = None
        """The template; None where no route fitted."""
        self.converses = False
        """Whether it asks for a WebSocket: see ``converse``."""
        self._error: BaseException | None = None
        self._span: Span | None = None
        self._token: Token[Span | None] | None = None
        if is_traced:
            parent: Parent | None = parent_of(traceparent, tracestate) if traceparent else None
            self._span = hub.begin_served(parent)
            self._token = current.set(self._span)
        self._ended_s = 0.0
        self._began_s = time.perf_counter()

    def converse(self) -> None:
        """It is a conversation and no request: not counted among them, however long it lasts; it has a span all the same."""
        self.converses = True
        self._is_counted = False

    def note(self, error: BaseException) -> None:
        """It failed; the framework may still make an answer of that."""
        self._error = error
        if self._span is not None:
            mark(error, self._span)

    def enter(self) -> None:
        """More of it runs, after ``leave``."""
        if self._span is not None:
            self._token = current.set(self._span)

    def leave(self) -> None:
        """What runs next does not belong to it."""
        token, self._token = self._token, None
        if token is not None:
            try:
                current.reset(token)
            except ValueError:  # it ends elsewhere than it began: another context, which ends with it
                current.set(None)

    def answered(self) -> None:
        """The whole answer is with the server: what runs on is not waited for by the client."""
        self._ended_s = time.perf_counter()

    def end(self) -> None:
        """It is over."""
        route = self.route
        duration_s = (self._ended_s or time.perf_counter()) - self._began_s
        status = self.status or (_FAILED if self._error is not None else _SWITCHING if self.converses else 0)
        error_type = self._error_type(status)
        if self._is_counted:
            labels: list[tuple[str, str | int | bool]] = [("http.request.method", self._method)]
            if route is not None:
                labels.append(("http.route", route))
            if status:
                labels.append(("http.response.status_code", status))
            if error_type is not None:
                labels.append(("error.type", error_type))
            hub.observe(SERVER_DURATION, tuple(labels), duration_s)
        span = self._span
        if span is not None:
            self._end_span(span, route, status, error_type, duration_s)

    def _error_type(self, status: int) -> str | None:
        error = self._error
        if error is not None and (status >= FAILED_FROM or not status):
            return name_of(type(error))
        return str(status) if status >= FAILED_FROM else None

    def _end_span(self, span: Span, route: str | None, status: int, error_type: str | None, duration_s: float) -> None:
        span.name = self._method if route is None else f"{self._method} {route}"
        span.error_type = error_type
        if span.is_sampled or span.is_kept or error_type is not None:
            attributes: dict[str, object] = {"http.request.method": self._method, "url.path": self._path}
            if self.converses:
                attributes["network.protocol.name"] = "websocket"
            if route is not None:
                attributes["http.route"] = route
            if status:
                attributes["http.response.status_code"] = status
            if error_type is not None:
                attributes["error.type"] = error_type
            span.attributes = attributes
            if self._error is not None and error_type is not None:
                span.thrown = thrown(self._error)
        hub.end_span(span, duration_s)
