"""What a service answered, made fit to be shown: headers as they came, the body as text or in Base64, and how it ended."""

import base64
import codecs
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.try_it.asked import Header

HEADERS_SHOWN_MAX: Final = 200
VALUE_CHARS_MAX: Final = 8_192
_TEXTUAL: Final = re.compile(
    r"text/|application/(.*\+)?(json|xml|yaml|javascript|x-www-form-urlencoded|x-ndjson|graphql|problem)|image/svg"
)
_CHARSET: Final = re.compile(r"charset=\"?([A-Za-z0-9._-]{1,40})")
_CHARSETS: Final = frozenset(
    {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-16-le", "utf-16-be"}
)
"""Those that are read; whatever else a service names might be a codec that is none of a text."""


@unique
class Cut(StrEnum):
    """Why an answer is not whole."""

    SIZE = "SIZE"
    TIME = "TIME"
    CONNECTION = "CONNECTION"


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer of a service."""

    status: int
    reason: str
    headers: Sequence[Header]
    body: str
    """Text, or Base64 where `bodyIsBase64`."""
    body_is_base64: bool
    size_bytes: int
    """Of the body, as far as it was read."""
    cut: Cut | None
    """Why the body is not whole; null when it is."""
    first_byte_ms: float
    """From sending to the answer's head."""
    whole_ms: float
    """Until the end of the body, connecting included."""
    address: str
    """Who answered: address and port."""
    trace_id: str | None
    """The trace that the request began, unless it brought a `traceparent` of its own."""


def shown_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[Header]:
    """Show headers in the order in which they came; long values end early."""
    told: list[Header] = []
    for name, value in raw:
        if len(told) == HEADERS_SHOWN_MAX:
            break
        told.append(Header(name.decode("latin-1"), value.decode("utf-8", "replace")[:VALUE_CHARS_MAX]))
    return told


def shown_body(body: bytes, content_type: str, content_encoding: str, *, is_whole: bool) -> tuple[str, bool]:
    """Show a body: text where it is some, else Base64 and True."""
    if not body:
        return "", False
    if content_encoding.strip().lower() in {"", "identity"}:
        text = _text(body, content_type.lower(), is_whole=is_whole)
        if text is not None:
            return text, False
    return base64.b64encode(body).decode("ascii"), True


def _text(body: bytes, content_type: str, *, is_whole: bool) -> str | None:
    named = _CHARSET.search(content_type)
    try:
        charset = codecs.lookup(named[1]).name if named else "utf-8"
    except LookupError:
        return None
    if charset not in _CHARSETS:
        return None
    try:
        # Cut in the middle of a letter, the letter is left out and the rest is text all the same.
        text = codecs.getincrementaldecoder(charset)().decode(body, final=is_whole)
    except UnicodeError:
        return None
    is_binary = "\x00" in text and not (named and _TEXTUAL.match(content_type))
    return None if is_binary else text
