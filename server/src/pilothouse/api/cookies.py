"""The cookies of a session: out of reach of scripts, sent to nobody else, and of nobody else.

`__Host-` makes browsers insist on TLS, on this very host and on the whole path; `__Secure-` on TLS.
"""

from typing import Final

from starlette.responses import Response

from pilothouse.api.context import Services
from pilothouse.base.instants import Instant
from pilothouse.operations.external_sign_in import ROUND_TRIP_S
from pilothouse.operations.sessions import OpenedSession

AUTH_PATH: Final = "/auth"
"""The refresh token is sent nowhere else."""
TRIP_PATH: Final = "/auth/oidc"


def access_cookie(services: Services) -> str:
    """Name the cookie of the access token."""
    return "__Host-pilothouse" if services.settings.secure_cookies else "pilothouse"


def refresh_cookie(services: Services) -> str:
    """Name the cookie of the refresh token; it has a path of its own, which `__Host-` does not allow."""
    return "__Secure-pilothouse-refresh" if services.settings.secure_cookies else "pilothouse-refresh"


def trip_cookie(services: Services) -> str:
    """Name the cookie that ties a sign-in at the identity provider to the browser that began it."""
    return "__Secure-pilothouse-oidc" if services.settings.secure_cookies else "pilothouse-oidc"


def set_session_cookies(response: Response, services: Services, opened: OpenedSession, now: Instant) -> None:
    """Hand a session to the browser. The cookies outlive the access token: the server says what has ended."""
    _set(
        response,
        services,
        access_cookie(services),
        opened.access_token,
        path="/",
        ends_at=opened.session.expires_at,
        now=now,
    )
    _set(
        response,
        services,
        refresh_cookie(services),
        opened.refresh_token,
        path=AUTH_PATH,
        ends_at=opened.refresh_expires_at,
        now=now,
    )


def clear_session_cookies(response: Response, services: Services) -> None:
    """Take the session back from the browser."""
    for name, path in ((access_cookie(services), "/"), (refresh_cookie(services), AUTH_PATH)):
        response.delete_cookie(
            name, path=path, httponly=True, secure=services.settings.secure_cookies, samesite="strict"
        )


def set_trip_cookie(response: Response, services: Services, sealed: str) -> None:
    """Have the browser keep what a sign-in elsewhere is tied to. Lax: it must be there when the provider sends it back."""
    response.set_cookie(
        trip_cookie(services),
        sealed,
        max_age=int(ROUND_TRIP_S),
        path=TRIP_PATH,
        httponly=True,
        secure=services.settings.secure_cookies,
        samesite="lax",
    )


def clear_trip_cookie(response: Response, services: Services) -> None:
    """Take it back."""
    response.delete_cookie(
        trip_cookie(services), path=TRIP_PATH, httponly=True, secure=services.settings.secure_cookies, samesite="lax"
    )


def _set(
    response: Response, services: Services, name: str, value: str, *, path: str, ends_at: Instant, now: Instant
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max(0, int(ends_at - now)),
        path=path,
        httponly=True,
        secure=services.settings.secure_cookies,
        samesite="strict",
    )
