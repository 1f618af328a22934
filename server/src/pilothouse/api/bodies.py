"""Reading a request's body, within its limit."""

import re
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from pilothouse.api.problems import BodyTooLarge
from pilothouse.base.errors import InvalidInput

T = TypeVar("T")

_AT = re.compile(r"at `\$\.([^`]+)`")
_MEMBER = re.compile(r"(?:unknown|required) field `([^`]+)`")


async def read_json(request: Request, shape: type[T], limit_bytes: int) -> T:
    """Read a JSON body of a given shape.

    Raises: InvalidInput (BodyTooLarge)
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidInput(
            "The body is not JSON.", field="Content-Type", fix="Send JSON with `Content-Type: application/json`."
        )
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                raise BodyTooLarge(
                    f"The body is larger than {limit_bytes} bytes.",
                    fix="Send less; large results are read page by page.",
                )
    except ClientDisconnect:
        raise InvalidInput("The body stopped half-way.", fix="Send the whole body.") from None
    try:
        return msgspec.json.decode(bytes(body), type=shape)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The body does not fit: {error}.", field=_field(str(error)), fix="See /openapi.json for the shape."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not JSON: {error}.", fix="Send valid JSON in UTF-8.") from None


def _field(complaint: str) -> str | None:
    """Find the member that the decoder complains of; none when it is the body itself."""
    at, member = _AT.search(complaint), _MEMBER.search(complaint)
    return ".".join(found[1] for found in (at, member) if found) or None
