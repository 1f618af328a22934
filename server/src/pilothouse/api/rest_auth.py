"""REST: signing in and out, renewing a session, changing one's password."""

from enum import StrEnum, unique
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.bodies import read_json
from pilothouse.api.context import Services
from pilothouse.api.cookies import clear_session_cookies, refresh_cookie, set_session_cookies
from pilothouse.api.rest_routes import Access, RestRoute, json_response
from pilothouse.api.sessions import address_of, caller_of, refuse_cross_origin
from pilothouse.base.errors import NotSignedIn
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.identity.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from pilothouse.operations.passwords import change_password
from pilothouse.operations.sessions import (
    ACCESS_S,
    BEARERS,
    COOKIES,
    TOKEN_LENGTH_MAX,
    OpenedSession,
    RefreshRefused,
    SessionKind,
    refresh_session,
    require_session,
    sign_out,
)
from pilothouse.operations.sign_in import From
from pilothouse.storage import people
from pilothouse.storage.people import UserRow
from pilothouse.storage.sessions import SessionRow

USERNAME_LENGTH_MAX = 100
T = TypeVar("T")


@unique
class Mode(StrEnum):
    """How a session's tokens travel."""

    COOKIE = "cookie"
    BEARER = "bearer"


class SignInRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name and password; a script names itself, and takes tokens instead of cookies."""

    username: str
    password: str
    mode: Mode = Mode.COOKIE
    client: str | None = None


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A script's refresh token; the console's is in its cookie."""

    refresh_token: str | None = None


class SignOutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether all of one's sessions end."""

    everywhere: bool = False


class PasswordRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The password of now, and the one to come."""

    current_password: str
    new_password: str


class SessionView(msgspec.Struct, frozen=True, rename="camel"):
    """Who is signed in, and until when."""

    username: str
    display_name: str
    method: str
    must_change_password: bool
    access_expires_at: str
    expires_at: str


class TokensView(msgspec.Struct, frozen=True, rename="camel"):
    """The tokens of a script's session."""

    access_token: str
    access_expires_in_seconds: int
    refresh_token: str
    refresh_expires_in_seconds: int
    username: str
    display_name: str
    must_change_password: bool


class PasswordRulesView(msgspec.Struct, frozen=True, rename="camel"):
    """What a password must be; units: characters."""

    length_min: int
    length_max: int


class ProviderView(msgspec.Struct, frozen=True, rename="camel"):
    """The identity provider."""

    display_name: str


class MethodsView(msgspec.Struct, frozen=True, rename="camel"):
    """The ways in."""

    password: bool
    directory: bool
    oidc: ProviderView | None
    password_rules: PasswordRulesView


async def _methods(_request: Request, services: Services) -> Response:
    door = services.door
    oidc = None if door.external.oidc is None else ProviderView(door.external.oidc_display_name)
    rules = PasswordRulesView(PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX)
    return json_response(MethodsView(door.takes_passwords, door.external.directory is not None, oidc, rules))


async def _sign_in(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    wish = await read_json(request, SignInRequest, services.settings.body_limit_bytes)
    kind = SessionKind.CONSOLE if wish.mode is Mode.COOKIE else SessionKind.SCRIPT
    now = services.clock.now()
    origin = origin_of(request, kind, wish.client)
    opened = await services.door.sign_in(wish.username.strip()[:USERNAME_LENGTH_MAX], wish.password, origin, now)
    return session_answer(services, opened, now)


async def _refresh(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    wish = await _read_optional(request, RefreshRequest, services.settings.body_limit_bytes) or RefreshRequest()
    kinds, token = BEARERS, wish.refresh_token
    if token is None:
        kinds, token = COOKIES, request.cookies.get(refresh_cookie(services))
    if not token or len(token) > TOKEN_LENGTH_MAX:
        raise RefreshRefused(fix="Sign in again.")
    now = services.clock.now()
    opened = await refresh_session(
        services.store, services.superseded, token, kinds, address=address_of(request), now=now
    )
    return session_answer(services, opened, now)


async def _sign_out(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    wish = await _read_optional(request, SignOutRequest, services.settings.body_limit_bytes) or SignOutRequest()
    require_session(caller.subject, "sign out; it is revoked instead")
    now = services.clock.now()
    await services.store.write(lambda tx: sign_out(tx, caller.subject, now, everywhere=wish.everywhere))
    response = Response(status_code=204)
    clear_session_cookies(response, services)
    return response


async def _session(request: Request, services: Services) -> Response:
    caller = await caller_of(request, services)
    require_session(caller.subject, "have a session")
    return await _session_now(services, caller.session, caller.subject.id)


async def _change_password(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    wish = await read_json(request, PasswordRequest, services.settings.body_limit_bytes)
    await change_password(
        services.store,
        services.passwords,
        services.door.attempts,
        caller.subject,
        current=wish.current_password,
        new=wish.new_password,
        now=services.clock.now(),
    )
    return await _session_now(services, caller.session, caller.subject.id)


def origin_of(request: Request, kind: SessionKind, client: str | None = None) -> From:
    """Tell where a sign-in comes from."""
    named = (client or "").strip() or request.headers.get("user-agent", "")
    shown = "".join(character for character in named[:200] if character.isprintable())
    return From(kind=kind, address=address_of(request), user_agent=shown)


def session_answer(services: Services, opened: OpenedSession, now: Instant) -> Response:
    """Hand out a session: in cookies to the console, in the answer to scripts."""
    if SessionKind(opened.session.kind) in COOKIES:
        response = json_response(_view(opened.session, opened.user))
        set_session_cookies(response, services, opened, now)
        return response
    return json_response(
        TokensView(
            access_token=opened.access_token,
            access_expires_in_seconds=int(min(ACCESS_S, opened.session.access_expires_at - now)),
            refresh_token=opened.refresh_token,
            refresh_expires_in_seconds=int(opened.refresh_expires_at - now),
            username=opened.user.username,
            display_name=opened.user.display_name,
            must_change_password=opened.user.must_change_password,
        )
    )


async def _session_now(services: Services, session: SessionRow | None, user_id: str) -> Response:
    user = await services.store.read(lambda connection: people.find(connection, user_id))
    if user is None or session is None:
        raise NotSignedIn(fix="Sign in again.")
    return json_response(_view(session, user))


def _view(session: SessionRow, user: UserRow) -> SessionView:
    return SessionView(
        username=user.username,
        display_name=user.display_name,
        method=session.method,
        must_change_password=user.must_change_password,
        access_expires_at=to_rfc3339(session.access_expires_at),
        expires_at=to_rfc3339(session.expires_at),
    )


async def _read_optional(request: Request, shape: type[T], limit_bytes: int) -> T | None:
    """Read a body where there is one."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return None
    return await read_json(request, shape, limit_bytes)


AUTH_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="GET",
        path="/auth/methods",
        access=Access.ANYONE,
        summary="Tell the ways in.",
        handler=_methods,
        responses={200: MethodsView},
    ),
    RestRoute(
        method="POST",
        path="/auth/sign-in",
        access=Access.ANYONE,
        summary="Open a session: in cookies, or as tokens for `mode` bearer.",
        handler=_sign_in,
        request=SignInRequest,
        responses={200: SessionView | TokensView},
    ),
    RestRoute(
        method="POST",
        path="/auth/refresh",
        access=Access.ANYONE,
        summary="Renew a session by its refresh token, which is used up by it.",
        handler=_refresh,
        request=RefreshRequest,
        request_is_needed=False,
        responses={200: SessionView | TokensView},
    ),
    RestRoute(
        method="POST",
        path="/auth/sign-out",
        access=Access.SESSION,
        summary="End the session, or all of one's sessions.",
        handler=_sign_out,
        request=SignOutRequest,
        request_is_needed=False,
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
        method="POST",
        path="/auth/password",
        access=Access.SESSION,
        summary="Change one's password; every other session of one's own ends.",
        handler=_change_password,
        request=PasswordRequest,
        responses={200: SessionView},
    ),
)
