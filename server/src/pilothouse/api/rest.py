"""REST: sign-in, health and figures. Every route declares who may call it; the OpenAPI description is made from this table."""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from enum import StrEnum, unique
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.bodies import read_json
from pilothouse.api.context import Services
from pilothouse.api.sessions import address_of, caller_of, clear_cookie, refuse_cross_origin, set_cookie
from pilothouse.base.errors import NotPermitted
from pilothouse.operations.sign_in import sign_in, sign_out
from pilothouse.storage import events


@unique
class Access(StrEnum):
    """Who may call a route."""

    ANYONE = "anyone"
    SESSION = "session"
    LOOPBACK_OR_METRICS_TOKEN = "loopback or metrics token"  # noqa: S105 - a description


_FORWARDED = {"forwarded", "x-forwarded-for", "x-real-ip"}


class SignInRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name and password."""

    username: str
    password: str


class SessionView(msgspec.Struct, frozen=True, rename="camel"):
    """Who is signed in."""

    username: str
    display_name: str


class PartHealth(msgspec.Struct, frozen=True):
    """Whether one part is ready, and what is wrong with it."""

    ready: bool
    detail: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether the control plane can do its work, part by part."""

    ready: bool
    parts: dict[str, PartHealth]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool
    version: str


Handler = Callable[[Request, Services], Awaitable[Response]]


class RestRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One route, as declared."""

    method: str
    path: str
    access: Access
    summary: str
    handler: Handler
    request: Any = None  # Any: a struct type, for the description
    responses: dict[int, Any]  # Any: a struct type, or None where there is no JSON body


async def _sign_in(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    wish = await read_json(request, SignInRequest, services.settings.body_limit_bytes)
    opened = await sign_in(
        services.store,
        services.passwords,
        services.throttle,
        username=wish.username.strip()[:100],
        password=wish.password,
        address=address_of(request),
        now=services.clock.now(),
    )
    response = json_response(SessionView(opened.user.username, opened.user.display_name))
    set_cookie(response, services, opened.token)
    return response


async def _sign_out(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    session_id = caller.session_id
    if session_id is not None:
        await services.store.write(lambda tx: sign_out(tx, session_id, services.clock.now()))
    response = Response(status_code=204)
    clear_cookie(response, services)
    return response


async def _session(request: Request, services: Services) -> Response:
    subject = (await caller_of(request, services)).subject
    return json_response(SessionView(subject.username, subject.display_name))


async def _alive(_request: Request, services: Services) -> Response:
    return json_response(Alive(alive=True, version=services.version))


async def _ready(_request: Request, services: Services) -> Response:
    try:
        await services.store.read(events.bounds)
        reading = PartHealth(ready=True, detail="answers")
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
        reading = PartHealth(ready=False, detail=str(error))
    failed = services.store.last_failure
    writing = PartHealth(ready=failed is None, detail=failed or "the last write was committed")
    parts = {"database.read": reading, "database.write": writing}
    ready = all(part.ready for part in parts.values())
    return json_response(Readiness(ready=ready, parts=parts), status=200 if ready else 503)


async def _metrics(request: Request, services: Services) -> Response:
    token = services.settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    address = address_of(request)
    # A proxy on this machine speaks for somebody elsewhere.
    is_local = bool(address) and ipaddress.ip_address(address).is_loopback and _FORWARDED.isdisjoint(request.headers)
    if not is_local and not (token and hmac.compare_digest(given.encode(), token.encode())):
        raise NotPermitted(
            "Figures are for loopback, or for who holds the metrics token.",
            fix="Set PILOTHOUSE_METRICS_TOKEN on the server and send it as `Authorization: Bearer …`.",
        )
    return Response(services.figures.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def json_response(value: Any, status: int = 200) -> Response:  # Any: anything that msgspec can encode
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="POST",
        path="/auth/sign-in",
        access=Access.ANYONE,
        summary="Open a session; it comes as a cookie.",
        handler=_sign_in,
        request=SignInRequest,
        responses={200: SessionView},
    ),
    RestRoute(
        method="POST",
        path="/auth/sign-out",
        access=Access.SESSION,
        summary="End the session.",
        handler=_sign_out,
        responses={204: None},
    ),
    RestRoute(
        method="GET",
        path="/auth/session",
        access=Access.SESSION,
        summary="Tell who is signed in.",
        handler=_session,
        responses={200: SessionView},
    ),
    RestRoute(
        method="GET",
        path="/healthz",
        access=Access.ANYONE,
        summary="Tell that the process answers.",
        handler=_alive,
        responses={200: Alive},
    ),
    RestRoute(
        method="GET",
        path="/readyz",
        access=Access.ANYONE,
        summary="Tell whether every part can do its work.",
        handler=_ready,
        responses={200: Readiness, 503: Readiness},
    ),
    RestRoute(
        method="GET",
        path="/metrics",
        access=Access.LOOPBACK_OR_METRICS_TOKEN,
        summary="Own figures, as Prometheus text.",
        handler=_metrics,
        responses={200: None},
    ),
)
