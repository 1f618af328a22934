"""What a REST route is: every one declares who may call it, and what it takes and gives."""

from collections.abc import Awaitable, Callable
from enum import StrEnum, unique
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Services


@unique
class Access(StrEnum):
    """Who may call a route."""

    ANYONE = "anyone"
    SESSION = "session"
    LOOPBACK_OR_METRICS_TOKEN = "loopback or metrics token"  # noqa: S105 - a description


class Parameter(msgspec.Struct, frozen=True):
    """One name that may stand in an address, and what it means."""

    name: str
    meaning: str
    many: bool = False
    """Whether it may be repeated, for several values."""
    choices: tuple[str, ...] = ()
    """All values that it may have; nothing: any text."""


Handler = Callable[[Request, Services], Awaitable[Response]]


class RestRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One route, as declared."""

    method: str
    path: str
    access: Access
    summary: str
    handler: Handler
    request: Any = None  # Any: a struct type, for the description
    request_is_needed: bool = True
    """False: without a body, what it would say is taken from a cookie, or has a default."""
    query: tuple[str | Parameter, ...] = ()
    """What may stand in the address."""
    responses: dict[int, Any]  # Any: a struct type, or None where there is no JSON body
    media_types: tuple[str, ...] = ()
    """What a 200 without a JSON body is, where it is more than plain text."""


def json_response(value: Any, status: int = 200) -> Response:  # Any: anything that msgspec can encode
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
