"""Protobuf's wire format, as far as records need it.

Compiled messages are faster to parse and slower to read: every value of every attribute becomes an object of its own.
Here an attribute that came before is found by its octets. Text that is not UTF-8 is taken, where compiled messages give
up on the whole request: senders in C do not check it.
Source: Protocol Buffers, "Encoding".
"""

import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from pilothouse.telemetry.model import Attributes, AttributeValue
from pilothouse.telemetry.otlp.effort import DEPTH_MAX, Parts
from pilothouse.telemetry.otlp.errors import OtlpUnreadable

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_DOUBLE: Final = struct.Struct("<d")
_FIXED: Final = struct.Struct("<Q")
_SHORT: Final = 127
_HIGH: Final = 0x80
"""The bit that the last octet of a number lacks."""
_STRING: Final = b"\x0a"
_TEXT_VALUE: Final = b"\x12\x0a"
"""The tags of a value, and of the text in it; between them is a length."""
_VARINT_OCTETS_MAX: Final = 10
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """Read a number; give it and where it ends.

    Raises: OtlpUnreadable
    """
    if at < len(raw) and raw[at] < _HIGH:  # as nearly all are
        return raw[at], at + 1
    value = 0
    for count in range(_VARINT_OCTETS_MAX):
        if at >= len(raw):
            break
        octet = raw[at]
        at += 1
        value |= (octet & 0x7F) << (7 * count)
        if octet < _HIGH:
            return value & _ALL, at
    raise OtlpUnreadable("a number does not end")


def fields(raw: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Give number, wire type, begin and end of each field; of a number the value instead of the begin.

    Raises: OtlpUnreadable
    """
    while at < end:
        tag = raw[at]
        if tag < _HIGH:
            at += 1
        else:
            tag, at = varint(raw, at)
        kind = tag & 7
        if kind == LENGTH:
            length, at = varint(raw, at)
            begin, at = at, at + length
        elif kind == VARINT:
            begin, at = varint(raw, at)
        elif kind == FIXED64:
            begin, at = at, at + 8
        elif kind == FIXED32:
            begin, at = at, at + 4
        else:
            raise OtlpUnreadable(f"there is no wire type {kind}")
        if at > end or not tag >> 3:
            raise OtlpUnreadable("a field is longer than what it is in")
        yield tag >> 3, kind, begin, at


def skip(raw: bytes, at: int, end: int) -> int:
    """Step over a field that is not known, or is not written as it should be.

    Raises: OtlpUnreadable
    """
    return next(fields(raw, at, end))[3]


@contextmanager
def early_ends() -> Generator[None]:
    """Say of octets that end within a number that they do.

    Raises: OtlpUnreadable
    """
    try:
        yield
    except (IndexError, struct.error):
        raise OtlpUnreadable("it ends too early") from None


def signed(number: int) -> int:
    """Read a number as one that may be less than zero."""
    return number - (_SIGN << 1) if number & _SIGN else number


def double(raw: bytes, at: int) -> float:
    """Read a number that may be a fraction."""
    return float(_DOUBLE.unpack_from(raw, at)[0])


def fixed(raw: bytes, at: int) -> int:
    """Read a whole number of eight octets."""
    return int(_FIXED.unpack_from(raw, at)[0])


def text(raw: bytes) -> str:
    """Read text; what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def any_value(raw: bytes, at: int, end: int, parts: Parts, depth: int = DEPTH_MAX) -> AttributeValue:
    """Read OpenTelemetry's AnyValue; octets become hex digits.

    Raises: OtlpUnreadable
    """
    if not depth:
        raise OtlpUnreadable("values lie too deep within one another")
    value: AttributeValue = None
    for number, kind, begin, until in fields(raw, at, end):
        if kind == LENGTH:
            value = _long_value(raw, number, begin, until, parts, depth - 1)
        elif kind == VARINT and number == 2:  # noqa: PLR2004 - bool_value
            value = bool(begin)
        elif kind == VARINT and number == 3:  # noqa: PLR2004 - int_value
            value = signed(begin)
        elif kind == FIXED64 and number == 4:  # noqa: PLR2004 - double_value
            value = _DOUBLE.unpack_from(raw, begin)[0]
        parts.take()
    return value


def _long_value(raw: bytes, number: int, begin: int, until: int, parts: Parts, depth: int) -> AttributeValue:
    match number:
        case 1:
            return text(raw[begin:until])
        case 5:
            return [any_value(raw, *each, parts, depth) for each in _within(raw, begin, until, parts)]
        case 6:
            return dict(key_value(raw, *each, parts, depth) for each in _within(raw, begin, until, parts))
        case 7:
            return raw[begin:until].hex()
        case _:
            return None


def key_value(raw: bytes, at: int, end: int, parts: Parts, depth: int = DEPTH_MAX) -> tuple[str, AttributeValue]:
    """Read a KeyValue."""
    parts.take()
    if end - at <= _SHORT and raw[at : at + 1] == _STRING:  # short text, as nearly all are written
        key_end = at + 2 + raw[at + 1]
        if (
            raw[key_end : key_end + 3 : 2] == _TEXT_VALUE
            and key_end + 2 + raw[key_end + 1] == end
            and key_end + 4 + raw[key_end + 3] == end
        ):
            return text(raw[at + 2 : key_end]), text(raw[key_end + 4 : end])
    key, value = "", None
    for number, kind, begin, until in fields(raw, at, end):
        parts.take()
        if kind != LENGTH:
            continue
        if number == 1:
            key = text(raw[begin:until])
        elif number == 2:  # noqa: PLR2004 - value
            value = any_value(raw, begin, until, parts, depth)
    return key, value


def attributes_of(raw: bytes, at: int, end: int, parts: Parts) -> Attributes:
    """Read the attributes of a message that has them as its first field, as a resource does."""
    return dict(key_value(raw, *each, parts) for each in _within(raw, at, end, parts))


def _within(raw: bytes, at: int, end: int, parts: Parts) -> Iterator[tuple[int, int]]:
    for number, kind, begin, until in fields(raw, at, end):
        parts.take()
        if number == 1 and kind == LENGTH:
            yield begin, until


def resource_and_scopes(raw: bytes, at: int, end: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Read what comes of one resource: its octets, and where the records of its scopes are."""
    octets = b""
    scopes: list[tuple[int, int]] = []
    parts = Parts()
    for number, kind, begin, until in fields(raw, at, end):
        parts.take()
        if kind != LENGTH:
            continue
        if number == 1:
            octets = raw[begin:until]
        elif number == 2:  # noqa: PLR2004 - of all signals
            scopes.append((begin, until))
    return octets, scopes
