"""Requests that the program makes, whatever library it uses: measured, and told within which trace they are made."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, final

from pilothouse_bridge.telemetry._context import Span
from pilothouse_bridge.telemetry._hub import hub
from pilothouse_bridge.telemetry._meter import CLIENT_DURATION
from pilothouse_bridge.telemetry._served import known_method
from pilothouse_bridge.telemetry._thrown import name_of, thrown

_FAILED_FROM: Final = 400
#: A library may be built upon another, and follow redirects by calling itself: the outermost call is the request.
_in_hand: Final[ContextVar[bool]] = ContextVar("pilothouse_request_made", default=False)


@final
class Made:
    """One request on its way."""

    __slots__ = ("_began_s", "_host", "_method", "_port", "_span", "_token", "_url")

    def __init__(self, method: str, scheme: str, host: str, port: int | None, path: str) -> None:
        """It is about to go out; the query is not told, because it may hold secrets."""
        self._method = known_method(method)
        self._host = host
        self._port = port or (443 if scheme == "https" else 80)
        self._url = f"{scheme}://{host}:{self._port}{path}"
        self._span: Span | None = hub.begin_made() if hub.sends("traces") else None
        self._token = _in_hand.set(True)
        self._began_s = time.perf_counter()

    def tell(self, has: Callable[[str], bool], put: Callable[[str, str], None]) -> None:
        """Write the trace into the headers, unless the program has done so itself."""
        span = self._span
        if span is not None and not has("traceparent"):
            put("traceparent", span.traceparent())
            if span.state and not has("tracestate"):
                put("tracestate", span.state)

    def end(self, status: int, error: BaseException | None = None) -> None:
        """The answer's head is there, or there is none."""
        duration_s = time.perf_counter() - self._began_s
        try:
            _in_hand.reset(self._token)
        except ValueError:  # it ends elsewhere than it began
            _in_hand.set(False)
        error_type = None if error is None else name_of(type(error))
        if status >= _FAILED_FROM:
            error_type = str(status)
        labels: list[tuple[str, str | int | bool]] = [
            ("http.request.method", self._method),
            ("server.address", self._host),
            ("server.port", self._port),
        ]
        if status:
            labels.append(("http.response.status_code", status))
        if error_type is not None:
            labels.append(("error.type", error_type))
        if hub.sends("metrics"):
            hub.observe(CLIENT_DURATION, tuple(labels), duration_s)
        span = self._span
        if span is not None:
            span.name = self._method
            span.error_type = error_type
            span.attributes = {**dict(labels), "url.full": self._url}
            if error is not None and not status:
                span.thrown = thrown(error)
            hub.end_span(span, duration_s)


def is_wanted() -> bool:
    """Whether to measure what is about to go out."""
    return hub.is_on and not _in_hand.get() and (hub.sends("metrics") or hub.sends("traces"))
