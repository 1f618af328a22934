"""Flask's requests, at the outermost door of the application: ``__call__`` of its class, around all its middleware."""

import functools
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, final

from pilothouse_bridge.telemetry import _served
from pilothouse_bridge.telemetry._served import Served

_MARK: Final = "pilothouse.telemetry"
_SWITCHING: Final = 101
_WRAPPED: Final = "__pilothouse_telemetry__"
Environ = dict[str, Any]  # WSGI's own type


def watch(module: ModuleType) -> None:
    """Measure what comes to Flask's applications."""
    found: Any = getattr(module, "Flask")  # noqa: B009 - the type checker knows no such module
    original: Callable[[Any, Environ, Any], Iterable[bytes]] = found.__call__
    if getattr(original, _WRAPPED, False):
        return
    original_handling: Callable[[Any, Exception], Any] = found.handle_exception

    @functools.wraps(original)
    def __call__(self: Any, environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: N807 - it takes its place
        wish = None if _MARK in environ else _served.wanted()
        if wish is None:
            return original(self, environ, start_response)
        if is_handshake(environ):
            _learn_routes(found)
        return _measured(wish, functools.partial(original, self), environ, start_response)

    @functools.wraps(original_handling)
    def handle_exception(self: Any, e: Exception) -> Any:
        request = _in_hand()
        if request is not None:
            request.note(e)
        return original_handling(self, e)

    setattr(__call__, _WRAPPED, True)
    found.__call__ = __call__
    found.handle_exception = handle_exception


def is_handshake(environ: Environ) -> bool:
    """Whether a client asks for a WebSocket, as servers of ASGI tell one: what is answered then is no request's answer.

    Most libraries write it to the connection themselves, so that nobody is told of a status.
    Source: RFC 6455, section 4.2.1.
    """
    return "HTTP_SEC_WEBSOCKET_KEY" in environ and "websocket" in environ.get("HTTP_UPGRADE", "").lower()


def _learn_routes(flask_class: Any) -> None:
    """Note a conversation's route when it begins: no status is told, and Flask forgets the route when it is over."""
    original: Callable[[Any], Any] = flask_class.dispatch_request
    if getattr(original, _WRAPPED, False):
        return

    @functools.wraps(original)
    def dispatch_request(self: Any) -> Any:
        _in_hand()
        return original(self)

    setattr(dispatch_request, _WRAPPED, True)
    flask_class.dispatch_request = dispatch_request


def _in_hand() -> Served | None:
    """The request that Flask is about, when it is one that we measure."""
    import flask

    if not flask.has_request_context():
        return None
    environ: Environ = flask.request.environ
    found = environ.get(_MARK)
    if not isinstance(found, Served):
        return None
    found.route = route_of(environ)
    return found


def _measured(
    wish: tuple[bool, bool], app: Callable[[Environ, Any], Iterable[bytes]], environ: Environ, start_response: Any
) -> Iterable[bytes]:
    request = Served(
        wish,
        environ.get("REQUEST_METHOD", ""),
        environ.get("PATH_INFO", ""),
        environ.get("HTTP_TRACEPARENT", ""),
        environ.get("HTTP_TRACESTATE", ""),
    )
    environ[_MARK] = request
    if is_handshake(environ):
        request.converse()

    def noting(status: str, headers: Any, exc_info: Any = None) -> Any:
        code = status[:3]
        request.route = route_of(environ)  # Flask forgets it when the request is over
        request.status = int(code) if code.isdecimal() else 0
        if request.status == _SWITCHING:
            request.converse()
        return start_response(status, headers, exc_info) if exc_info is not None else start_response(status, headers)

    try:
        body = app(environ, noting)
    except BaseException as error:
        # Who has taken the connection from the server says so by one of these when the conversation is over.
        if not (request.converses and not request.status and isinstance(error, (StopIteration, ConnectionError))):
            request.note(error)
        request.leave()
        request.end()
        raise
    request.leave()
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type) and isinstance(body, wrapper):  # the server sends it in a way of its own
        request.end()
        return body
    return _Body(body, request)


def route_of(environ: Environ) -> str | None:
    """The rule that was taken; None where none fitted."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return None if rule is None else str(rule.rule)


@final
class _Body:
    """An answer on its way: the request ends when its last part has been fetched, or when the server gives up."""

    def __init__(self, body: Iterable[bytes], request: Served) -> None:
        self._body = body
        self._parts: Iterator[bytes] | None = None
        self._request = request
        self._is_over = False

    def __iter__(self) -> "_Body":
        self._parts = iter(self._body)
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            self._parts = iter(self._body)
        self._request.enter()
        try:
            return next(self._parts)
        except StopIteration:
            self._request.answered()
            raise
        except BaseException as error:
            self._request.note(error)
            self._request.status = 0  # what was said before the failure is not how it ended
            raise
        finally:
            self._request.leave()

    def __len__(self) -> int:
        """WSGI servers write a Content-Length where the body is one part."""
        return len(self._body)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - as the body itself answers

    def close(self) -> None:
        """The server is done with it."""
        try:
            close: Callable[[], None] | None = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            if not self._is_over:
                self._is_over = True
                self._request.end()
