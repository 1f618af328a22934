"""REST: signing in at the identity provider, by browser."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pilothouse.api.context import Services
from pilothouse.api.cookies import clear_trip_cookie, set_session_cookies, set_trip_cookie, trip_cookie
from pilothouse.api.rest_auth import origin_of
from pilothouse.api.rest_routes import Access, RestRoute
from pilothouse.base.errors import NotFound, PilothouseError
from pilothouse.identity.oidc import OidcProvider
from pilothouse.operations.external_sign_in import check_return_to
from pilothouse.operations.sessions import SessionKind

SIGN_IN_PATH = "/sign-in"
"""The console's page that says what was wrong, by its code."""


async def _start(request: Request, services: Services) -> Response:
    provider = _provider(services)
    return_to = check_return_to(request.query_params.get("returnTo", "/"))
    try:
        url, sealed = await services.door.begin_at_provider(provider, return_to, services.clock.now())
    except PilothouseError as error:
        return _problem(error)
    response = RedirectResponse(url, 302)
    set_trip_cookie(response, services, sealed)
    return response


async def _callback(request: Request, services: Services) -> Response:
    provider, query = _provider(services), request.query_params
    now = services.clock.now()
    try:
        opened, return_to = await services.door.finish_at_provider(
            provider,
            request.cookies.get(trip_cookie(services), ""),
            code=query.get("code"),
            state=query.get("state"),
            error=query.get("error"),
            issuer=query.get("iss"),
            origin=origin_of(request, SessionKind.CONSOLE),
            now=now,
        )
    except PilothouseError as error:
        response = _problem(error)
    else:
        response = RedirectResponse(return_to, 302)
        set_session_cookies(response, services, opened, now)
    clear_trip_cookie(response, services)
    return response


def _provider(services: Services) -> OidcProvider:
    provider = services.door.external.oidc
    if provider is None:
        raise NotFound(
            "Nobody signs in at an identity provider here.",
            fix="Sign in by password; an administrator sets PILOTHOUSE_OIDC_ISSUER.",
        )
    return provider


def _problem(error: PilothouseError) -> Response:
    """Send the browser to where people read what is wrong; only the code travels."""
    return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'problem': error.code})}", 302)


OIDC_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="GET",
        path="/auth/oidc/start",
        access=Access.ANYONE,
        summary="Send the browser to the identity provider.",
        handler=_start,
        query=("returnTo",),
        responses={302: None},
    ),
    RestRoute(
        method="GET",
        path="/auth/oidc/callback",
        access=Access.ANYONE,
        summary="Take the browser back from the identity provider, and open a session.",
        handler=_callback,
        query=("code", "state", "error", "iss"),
        responses={302: None},
    ),
)
