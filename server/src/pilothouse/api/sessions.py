"""From a request to its caller: cookie, bearer session or API token, and where it came from."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from pilothouse.access.grants import Subject, Via
from pilothouse.api.context import Caller, Services
from pilothouse.api.cookies import access_cookie
from pilothouse.api.problems import CrossOrigin
from pilothouse.base.errors import NotPermitted, NotSignedIn
from pilothouse.operations import sessions, tokens
from pilothouse.operations.sessions import BEARERS, COOKIES, TOKEN_LENGTH_MAX
from pilothouse.storage.people import UserRow
from pilothouse.storage.sessions import SessionRow

_SAME_SITE: Final = {"same-origin", "none"}
_SCHEME: Final = "bearer "
_OPEN_PATH: Final = "/auth/"


class PasswordChangeRequired(NotPermitted):
    """The password must be changed first."""

    code = "PASSWORD_CHANGE_REQUIRED"


def address_of(request: Request) -> str | None:
    """Tell where a request came from; a trusted proxy's word was taken before (`PILOTHOUSE_TRUSTED_PROXIES`)."""
    try:
        return str(ipaddress.ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None  # what a proxy passed on is no address


def bearer_of(request: Request) -> str | None:
    """Give the bearer token of a request; None where it has no Authorization header.

    Raises: NotSignedIn for an Authorization header that is something else
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    if header[: len(_SCHEME)].lower() != _SCHEME:
        raise NotSignedIn("The Authorization header is not `Bearer` and a token.", fix="Send `Bearer` and a token.")
    return header[len(_SCHEME) :].strip()


async def caller_of(request: Request, services: Services) -> Caller:
    """Find out who sent a request. What the Authorization header says comes before a cookie.

    Raises: NotSignedIn (SessionExpired), PasswordChangeRequired, Unavailable
    """
    bearer = bearer_of(request)
    token = request.cookies.get(access_cookie(services), "") if bearer is None else bearer
    if not 0 < len(token) <= TOKEN_LENGTH_MAX:
        raise NotSignedIn(fix="Sign in again.")
    now, address = services.clock.now(), address_of(request)
    if bearer is not None and token.startswith(tokens.PREFIX):
        owned = await services.tokens.find(token, address, now)
        holdings = await services.access.holdings(owned.token.user_id)
        return Caller(subject=tokens.subject_of(owned, holdings, address), session_id=None)
    kinds = COOKIES if bearer is None else BEARERS
    session, user = await services.store.read(
        lambda connection: sessions.find_access(connection, token, kinds, services.superseded, now)
    )
    caller = await _caller(services, session, user, address)
    _refuse_old_password(request, caller.subject)
    return caller


async def still_open(request: Request, services: Services, caller: Caller) -> Caller | None:
    """Look at a caller anew whose stream is open: what they hold now, or None when they may not go on.

    A session counts, not its access token: a stream does not end because nobody renewed the token meanwhile.
    Raises: Unavailable
    """
    now, address = services.clock.now(), caller.subject.address
    credential_id = caller.subject.credential_id
    if caller.subject.via is Via.API_TOKEN:
        owned = await services.store.read(lambda connection: tokens.find_active(connection, credential_id, now))
        if owned is None:
            return None
        holdings = await services.access.holdings(owned.token.user_id)
        return Caller(subject=tokens.subject_of(owned, holdings, address), session_id=None)
    found = await services.store.read(lambda connection: sessions.find_open(connection, credential_id, now))
    if found is None:
        return None
    looked_at = await _caller(services, *found, address)
    try:
        _refuse_old_password(request, looked_at.subject)
    except PasswordChangeRequired:
        return None
    return looked_at


def refuse_cross_origin(request: Request) -> None:
    """Refuse what another site makes a browser send with this site's cookie.

    Browsers say where a request comes from; scripts say nothing, and have no cookie that was not given to them. What carries
    an Authorization header and no cookie was not sent by a browser on its own.

    Raises: CrossOrigin
    """
    if "authorization" in request.headers and not request.cookies:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site is not None and site not in _SAME_SITE
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        foreign = True
    if foreign:
        raise CrossOrigin("This request comes from another site.", fix="Use the console at this server's own address.")


async def _caller(services: Services, session: SessionRow, user: UserRow, address: str | None) -> Caller:
    holdings = await services.access.holdings(user.id)
    subject = sessions.subject_of(session, user, holdings, address)
    return Caller(subject=subject, session_id=session.id, session=session)


def _refuse_old_password(request: Request, subject: Subject) -> None:
    if subject.must_change_password and not request.scope["path"].startswith(_OPEN_PATH):
        raise PasswordChangeRequired(
            "The password must be changed before anything else.",
            fix="Change it: POST /auth/password, or in the console.",
        )
