"""Addresses are written into logs and histories: what lets somebody act is never taken from one."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from pilothouse.api.problems import problem_of, status_of
from pilothouse.api.rest_routes import json_response
from pilothouse.base.errors import InvalidInput

TELL_TALE: Final = frozenset(
    {"token", "accesstoken", "refreshtoken", "idtoken", "apitoken", "apikey", "password", "secret", "clientsecret"}
    | {"authorization", "bearer", "jwt"}
)
"""Names in a query string, in lower case and without dashes and underscores."""


class TokenInUrl(InvalidInput):
    """A token was sent in the address."""

    code = "TOKEN_IN_URL"


class NoTokensInAddresses:
    """Refuses every request whose address names a token, whatever is at its path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        name = tell_tale_name(scope["query_string"]) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        refused = TokenInUrl(
            f"The address has `{name}` in it, and addresses are written into logs. Take it for known to others.",
            field=name,
            fix="Revoke it and make another one; send it in the header `Authorization: Bearer …`.",
        )
        response = json_response(problem_of(refused), status_of(refused))
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)


def tell_tale_name(query_string: bytes) -> str | None:
    """Find a name in a query string that stands for something secret."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError:  # more fields than anybody needs: none of ours reads any of them
        return None
    return next((name[:80] for name, _ in pairs if name.lower().replace("-", "").replace("_", "") in TELL_TALE), None)
