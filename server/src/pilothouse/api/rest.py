"""REST: sign-in, health and figures. Every route declares who may call it; the OpenAPI description is made from this table."""

import hmac
import ipaddress

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Services
from pilothouse.api.rest_audit import AUDIT_ROUTES
from pilothouse.api.rest_auth import AUTH_ROUTES
from pilothouse.api.rest_devices import DEVICE_ROUTES
from pilothouse.api.rest_logs import LOG_ROUTES
from pilothouse.api.rest_observability import OBSERVABILITY_ROUTES
from pilothouse.api.rest_oidc import OIDC_ROUTES
from pilothouse.api.rest_routes import Access, Handler, RestRoute, json_response
from pilothouse.api.sessions import address_of
from pilothouse.base.errors import NotPermitted
from pilothouse.storage import events

__all__ = ["ROUTES", "Access", "Handler", "RestRoute", "json_response"]

_FORWARDED = {"forwarded", "x-forwarded-for", "x-real-ip"}


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


ROUTES: tuple[RestRoute, ...] = (
    *AUDIT_ROUTES,
    *AUTH_ROUTES,
    *DEVICE_ROUTES,
    *LOG_ROUTES,
    *OBSERVABILITY_ROUTES,
    *OIDC_ROUTES,
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
