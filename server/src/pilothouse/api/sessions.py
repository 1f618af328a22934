"""From a request to its caller: cookie, session, and where it came from."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Caller, Services
from pilothouse.api.problems import CrossOrigin
from pilothouse.base.errors import NotSignedIn
from pilothouse.operations.sign_in import SESSION_S, find_session, subject_of

_TOKEN_LENGTH_MAX = 128
_SAME_SITE = {"same-origin", "none"}


def cookie_name(services: Services) -> str:
    """Name the session cookie; `__Host-` makes browsers insist on TLS, this host and the whole path."""
    return "__Host-pilothouse" if services.settings.secure_cookies else "pilothouse"


def address_of(request: Request) -> str | None:
    """Tell where a request came from."""
    return request.client.host if request.client else None


async def caller_of(request: Request, services: Services) -> Caller:
    """Find out who sent a request.

    Raises: NotSignedIn
    """
    token = request.cookies.get(cookie_name(services), "")
    if token and len(token) <= _TOKEN_LENGTH_MAX:
        now, address = services.clock.now(), address_of(request)
        found = await services.store.read(lambda connection: find_session(connection, token, now))
        if found is not None:
            session, user = found
            holdings = await services.access.holdings(user.id)
            return Caller(subject=subject_of(session, user, holdings, address), session_id=session.id)
    raise NotSignedIn(fix="Sign in again.")


def refuse_cross_origin(request: Request) -> None:
    """Refuse what another site makes a browser send with this site's cookie.

    Browsers say where a request comes from; scripts say nothing, and have no cookie that was not given to them.

    Raises: CrossOrigin
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site is not None and site not in _SAME_SITE
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        foreign = True
    if foreign:
        raise CrossOrigin("This request comes from another site.", fix="Use the console at this server's own address.")


def set_cookie(response: Response, services: Services, token: str) -> None:
    """Hand a session to the browser."""
    response.set_cookie(
        cookie_name(services),
        token,
        max_age=int(SESSION_S),
        path="/",
        httponly=True,
        secure=services.settings.secure_cookies,
        samesite="strict",
    )


def clear_cookie(response: Response, services: Services) -> None:
    """Take the session back from the browser."""
    response.delete_cookie(
        cookie_name(services), path="/", httponly=True, secure=services.settings.secure_cookies, samesite="strict"
    )
