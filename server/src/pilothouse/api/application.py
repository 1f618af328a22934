"""The people's edge as one ASGI application."""

import asyncio
import logging
from http import HTTPStatus

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pilothouse.api import graphiql
from pilothouse.api.answering import ROUTE
from pilothouse.api.console import Console
from pilothouse.api.context import Services
from pilothouse.api.graphql.endpoint import GraphQLEndpoint
from pilothouse.api.graphql.websocket import GraphQLWebSockets
from pilothouse.api.openapi import describe
from pilothouse.api.problems import defect, problem_of, status_of, with_request_id
from pilothouse.api.rest import ROUTES, Handler, json_response
from pilothouse.base.errors import NotFound, PilothouseError, TooManyAttempts, Unavailable

_log = structlog.get_logger(__name__)
ANSWER_WITHIN_S = 60.0
"""Unit: seconds. A slower answer is cancelled and becomes 503; what streams has begun by then."""
_RESERVED = ("/api/", "/auth/", "/icp/", "/graphql")


def build(services: Services, console: Console) -> Starlette:
    """Make the application."""
    description = json_response(describe())

    async def openapi(request: Request) -> Response:
        request.scope[ROUTE] = request.url.path
        return description

    async def anything_else(request: Request) -> Response:
        path = request.url.path
        if request.method in ("GET", "HEAD") and not path.startswith(_RESERVED):
            request.scope[ROUTE] = "console"
            return await console.answer(request)
        allowed = methods.get(path)
        if allowed is not None:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": allowed})
        fix = "See /openapi.json for what there is."
        if path == "/icp/observability/workflow-metrics":
            fix = "Figures of workflows are not kept; read their lines by POST /icp/observability/logs."
        elif path.startswith("/icp/"):
            fix = f"Runtimes report to the other port: set serverUrl to {services.runtime_url()} in Config.toml."
        return _problem(NotFound(f"Nothing is at {path[:200]} on the console's port.", fix=fix))

    methods = {route.path: route.method for route in ROUTES} | {"/graphql": "POST"}
    graphql = GraphQLEndpoint(services)
    sockets = GraphQLWebSockets(graphql, services)
    return Starlette(
        routes=[
            *(Route(route.path, _guarded(route.handler, services), methods=[route.method]) for route in ROUTES),
            Route("/graphql", _guarded(graphql.answer, services), methods=["POST"]),
            WebSocketRoute("/graphql", sockets.serve),
            *(Route(path, _guarded(graphiql.answer, services), methods=["GET"]) for path in graphiql.PATHS),
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/{path:path}", anything_else, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        middleware=[
            # Whoever it names is who asks: throttles and records go by them and not by the proxy.
            Middleware(ProxyHeadersMiddleware, trusted_hosts=list(services.settings.trusted_proxies))
        ],
        exception_handlers={HTTPException: _http_problem},
    )


def _too_slow() -> Unavailable:
    return Unavailable(
        f"The control plane did not find an answer within {ANSWER_WITHIN_S:g} s; what was asked for may still be done.",
        fix="Look whether it was done before you try again. If it stays, /readyz names the part that is not ready.",
    )


def _guarded(handler: Handler, services: Services):  # noqa: ANN202 - Starlette's endpoint type is wider than ours
    """Turn every error into the one shape that errors have; a defect tells nothing of the inside but its request id."""

    async def endpoint(request: Request) -> Response:
        request.scope[ROUTE] = request.url.path  # a route of ours has no part that varies
        deadline = asyncio.timeout(ANSWER_WITHIN_S)
        try:
            async with deadline:
                response = await handler(request, services)
        except PilothouseError as error:
            services.figures.problems[error.code] += 1
            response = _problem(error)
        except Exception:  # noqa: BLE001 - the edge
            is_late = deadline.expired()
            services.figures.problems["TOO_SLOW" if is_late else "DEFECT"] += 1
            if not is_late:
                _log.exception("request.defect", path=request.url.path)
            response = _problem(_too_slow() if is_late else defect())
        response.headers.setdefault("cache-control", "no-store")
        return response

    return endpoint


async def _http_problem(_request: Request, error: Exception) -> Response:
    """Say what the router refuses in the shape that errors have."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = {"code": HTTPStatus(status).name, "message": f"{HTTPStatus(status).phrase}.", "fix": "See /openapi.json."}
    return Response(
        msgspec.json.encode(with_request_id(problem)),
        status_code=status,
        headers=dict(getattr(error, "headers", None) or {}),
        media_type="application/json",
    )


def _problem(error: PilothouseError) -> Response:
    status = status_of(error)
    response = json_response(problem_of(error), status)
    if isinstance(error, TooManyAttempts):
        response.headers["retry-after"] = str(error.wait_s)
    if status >= 500:  # noqa: PLR2004 - our own trouble
        _log.log(logging.ERROR, "request.unavailable", code=error.code, cause=error.message)
        response.headers["retry-after"] = "5"
    return response
