"""What somebody asks a service: method, path, headers, body; checked, so that it is one request and no more."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from pilothouse.base.errors import InvalidInput

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATH_CHARS_MAX: Final = 8_192
HEADERS_MAX: Final = 50
HEADERS_CHARS_MAX: Final = 16_384
BODY_BYTES_MAX: Final = 180_000
"""What fits, in Base64, into a request to the control plane."""
OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection and not to the request: they are made here.

Source: RFC 9110, section 7.6.1
"""
_PATH: Final = re.compile(r"/[!\"$-~]*", re.ASCII)
"""Percent-encoded, with the query; no fragment, nothing that is not printed."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One header, of a request or of an answer."""

    name: str
    value: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it will be sent."""

    method: str
    path: str
    """With the query, percent-encoded."""
    headers: Sequence[Header] = ()
    body: bytes | None = None

    @property
    def path_alone(self) -> str:
        """The path without the query, which may hold what is nobody's business."""
        return self.path.partition("?")[0]


def check(
    method: str, path: str, headers: Sequence[Header], *, text: str | None, encoded: str | None, secrets: Sequence[str]
) -> Asked:
    """Check what was asked for.

    text, encoded: the body as text, or in Base64
    secrets: what proves to the control plane who asks; it is never sent on
    Raises: InvalidInput
    """
    if method not in METHODS:
        raise InvalidInput(f"There is no method `{method[:20]}`.", field="method", fix=f"Take {', '.join(METHODS)}.")
    if len(path) > PATH_CHARS_MAX or not _PATH.fullmatch(path):
        raise InvalidInput(
            "The path is none.",
            field="path",
            fix=f"It begins with `/`, is percent-encoded, and has {PATH_CHARS_MAX} characters at most.",
        )
    _check_headers(headers, secrets)
    return Asked(method=method, path=path, headers=tuple(headers), body=_body(text, encoded))


def _check_headers(headers: Sequence[Header], secrets: Sequence[str]) -> None:
    if len(headers) > HEADERS_MAX or sum(len(one.name) + len(one.value) for one in headers) > HEADERS_CHARS_MAX:
        raise InvalidInput(
            f"There are more than {HEADERS_MAX} headers or {HEADERS_CHARS_MAX} characters in them.",
            field="headers",
            fix="Send fewer headers.",
        )
    for one in headers:
        if not _NAME.fullmatch(one.name) or not _VALUE.fullmatch(one.value):
            raise InvalidInput(
                f"`{_shown(one.name)}` is no header, or its value cannot be sent.",
                field="headers",
                fix="Names are letters, digits and hyphens; values are one line of printed characters.",
            )
        if one.name.lower() in OURS:
            raise InvalidInput(
                f"The header `{one.name}` belongs to the connection, which the control plane makes.",
                field="headers",
                fix="Leave it out.",
            )
        if any(secret in one.value for secret in secrets):
            raise InvalidInput(
                f"The header `{one.name}` holds what proves to the control plane who you are.",
                field="headers",
                fix="Send what the service asks for, not what the control plane asks for.",
            )


def _body(text: str | None, encoded: str | None) -> bytes | None:
    if text is not None and encoded is not None:
        raise InvalidInput("The body is there twice.", field="bodyBase64", fix="Send `body` or `bodyBase64`.")
    try:
        body = text.encode() if encoded is None and text is not None else _decoded(encoded)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InvalidInput(
            "The body is neither text nor Base64.", field="body", fix="Send text, or Base64 in `bodyBase64`."
        ) from None
    if body is not None and len(body) > BODY_BYTES_MAX:
        raise InvalidInput(
            f"The body has {len(body)} bytes.", field="body", fix=f"Send {BODY_BYTES_MAX} bytes at most."
        )
    return body


def _decoded(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded, validate=True)


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() and c != "`" else "?" for c in name[:60])
