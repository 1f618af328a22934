"""Starlette's and FastAPI's requests, at the outermost door of the application: ``__call__`` of its class.

At the class and not at the server, so that it is the same under every server and in tests; an application that is
mounted within another is part of that one's request.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, Final

from pilothouse_bridge.telemetry import _served
from pilothouse_bridge.telemetry._hub import hub
from pilothouse_bridge.telemetry._served import Served

_MARK: Final = "pilothouse.telemetry"
_KINDS: Final = ("http", "websocket")
_WRAPPED: Final = "__pilothouse_telemetry__"
Scope = dict[str, Any]  # ASGI's own type
App = Callable[[Any, Scope, Any, Any], Awaitable[None]]


def watch(class_name: str, module: ModuleType) -> None:
    """Measure what comes to instances of this class."""
    found: Any = getattr(module, class_name)
    original: App = found.__call__
    if getattr(original, _WRAPPED, False):
        return

    @functools.wraps(original)
    async def __call__(self: Any, scope: Scope, receive: Any, send: Any) -> None:  # noqa: N807 - it takes its place
        kind = scope["type"]
        wish = None if _MARK in scope or kind not in _KINDS else _served.wanted()
        if wish is None or (kind == "websocket" and not wish[1]):
            await original(self, scope, receive, send)
            return
        scope[_MARK] = True
        app = functools.partial(original, self)
        if kind == "http":
            await _measured(wish, app, scope, receive, send)
        else:
            await _followed(app, scope, receive, send)

    setattr(__call__, _WRAPPED, True)
    found.__call__ = __call__


async def _measured(
    wish: tuple[bool, bool], app: Callable[[Scope, Any, Any], Awaitable[None]], scope: Scope, receive: Any, send: Any
) -> None:
    hub.process.loops.meet(asyncio.get_running_loop())
    traceparent, tracestate = _trace_headers(scope)
    request = Served(wish, scope["method"], scope["path"], traceparent, tracestate)

    async def noting(message: dict[str, Any]) -> None:
        await send(message)
        kind = message["type"]
        if kind == "http.response.start":
            request.status = message["status"]
        elif kind == "http.response.body" and not message.get("more_body", False):
            request.answered()

    try:
        await app(scope, receive, noting)
    except BaseException as error:
        # A client that went away in the middle of an answer is no failure of ours.
        if not (isinstance(error, asyncio.CancelledError) and request.status):
            request.note(error)
        raise
    finally:
        request.leave()
        request.route = route_of(scope)
        request.end()


async def _followed(app: Callable[[Scope, Any, Any], Awaitable[None]], scope: Scope, receive: Any, send: Any) -> None:
    """A WebSocket, until its end."""
    from pilothouse_bridge.telemetry._conversed import Conversed

    hub.process.loops.meet(asyncio.get_running_loop())
    connection = Conversed(scope["path"], *_trace_headers(scope))

    async def hearing() -> dict[str, Any]:
        message: dict[str, Any] = await receive()
        connection.heard(message)
        return message

    async def saying(message: dict[str, Any]) -> None:
        await send(message)
        connection.said(message)

    try:
        await app(scope, hearing, saying)
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):  # the server ends
            connection.note(error)
        raise
    finally:
        connection.end(route_of(scope))


def _trace_headers(scope: Scope) -> tuple[str, str]:
    parent = state = ""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            parent = value.decode("latin-1")
        elif name == b"tracestate":
            state = value.decode("latin-1")
    return parent, state


def route_of(scope: Scope) -> str | None:
    """The template of the route that was taken, with what it is mounted below; None where none fitted."""
    route = scope.get("route")
    if route is None:
        return None
    # An included router's routes know their own part only; FastAPI keeps what they are called here beside them.
    context = scope.get("fastapi", {}).get("effective_route_context") if "fastapi" in scope else None
    taken = context if context is not None and getattr(context, "original_route", None) is route else route
    below = str(getattr(taken, "path", None) or "")
    root, app_root = str(scope.get("root_path") or ""), scope.get("app_root_path")
    if app_root is None:  # nothing was mounted
        return below or "/"
    template = _templated(root.removeprefix(str(app_root)), below, scope.get("path_params", {}))
    return f"{template}{below}" or "/" if hasattr(route, "endpoint") else f"{template}/*"


def _templated(mounted: str, below: str, params: dict[str, Any]) -> str:
    """A mount's path with its parameters' names in place of their values."""
    names = {str(value): name for name, value in params.items() if f"{{{name}" not in below}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in mounted.split("/"))
