"""REST: sign-in, health and figures. Every route declares who may call it; the OpenAPI description is made from this table."""

import hmac
import ipaddress

from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Services
from pilothouse.api.rest_audit import AUDIT_ROUTES
from pilothouse.api.rest_auth import AUTH_ROUTES
from pilothouse.api.rest_devices import DEVICE_ROUTES
from pilothouse.api.rest_health import HEALTH_ROUTES
from pilothouse.api.rest_logs import LOG_ROUTES
from pilothouse.api.rest_observability import OBSERVABILITY_ROUTES
from pilothouse.api.rest_oidc import OIDC_ROUTES
from pilothouse.api.rest_routes import Access, Handler, RestRoute, json_response
from pilothouse.api.rest_try_it import TRY_IT_ROUTES
from pilothouse.api.sessions import address_of
from pilothouse.base.errors import NotPermitted

__all__ = ["ROUTES", "Access", "Handler", "RestRoute", "json_response"]

_FORWARDED = {"forwarded", "x-forwarded-for", "x-real-ip"}


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
    return Response(await services.figures.tell(), media_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES: tuple[RestRoute, ...] = (
    *AUDIT_ROUTES,
    *AUTH_ROUTES,
    *DEVICE_ROUTES,
    *HEALTH_ROUTES,
    *LOG_ROUTES,
    *OBSERVABILITY_ROUTES,
    *OIDC_ROUTES,
    *TRY_IT_ROUTES,
    RestRoute(
        method="GET",
        path="/metrics",
        access=Access.LOOPBACK_OR_METRICS_TOKEN,
        summary="Own figures, as Prometheus text.",
        handler=_metrics,
        responses={200: None},
    ),
)
