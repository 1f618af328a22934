"""Bringing records to what a store takes: no record is refused for its looks, and what was cut is said on it."""

import math
from collections.abc import Mapping
from typing import cast

import msgspec

from pilothouse.telemetry.model import NS_A_SECOND, Attributes, AttributeValue, LogRecord, SpanRecord

CUT = "pilothouse.cut_characters"
DROPPED = "pilothouse.dropped_attributes"
TOLD_TIME = "pilothouse.told_time_ns"

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_HEX = frozenset("0123456789abcdef")
_TRACE_ID_DIGITS, _SPAN_ID_DIGITS = 32, 16


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a record may be and how far its time may be off."""

    message_characters_max: int = 64 * 1024
    attributes_max: int = 128
    key_characters_max: int = 256
    value_characters_max: int = 8 * 1024
    depth_max: int = 8
    ahead_s_max: float = 600.0
    """A record may be this far in the future: clocks differ."""
    behind_s_max: float = 30 * 86_400.0
    """A record may be this old; one that would be removed at once must not pass for a new one either."""


DEFAULT_LIMITS = Limits()


def text_of(raw: bytes | str) -> str:
    """Return text that can be written as UTF-8, whatever came: what is not text becomes U+FFFD."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    return raw if raw.isascii() else raw.encode("utf-8", "replace").decode("utf-8", "replace")


def tidy_log(record: LogRecord, observed_ns: int, limits: Limits = DEFAULT_LIMITS) -> LogRecord:
    """Bring a line within the limits. A time that cannot be is replaced by the one of its arrival, and kept beside it."""
    message = text_of(record.message)
    at_ns, said = _time(record.at_ns, observed_ns, limits)
    if len(message) > limits.message_characters_max:
        said[CUT] = len(message) - limits.message_characters_max
        message = message[: limits.message_characters_max]
    return LogRecord(
        at_ns=at_ns,
        message=message,
        severity=record.severity,
        logger=text_of(record.logger)[: limits.key_characters_max],
        trace_id=id_of(record.trace_id, _TRACE_ID_DIGITS),
        span_id=id_of(record.span_id, _SPAN_ID_DIGITS),
        attributes=tidy_attributes(record.attributes, said, limits),
    )


def tidy_span(record: SpanRecord, observed_ns: int, limits: Limits = DEFAULT_LIMITS) -> SpanRecord | None:
    """Bring a span within the limits; None for one that belongs to no trace."""
    trace_id, span_id = id_of(record.trace_id, _TRACE_ID_DIGITS), id_of(record.span_id, _SPAN_ID_DIGITS)
    if not trace_id or not span_id:
        return None
    at_ns, said = _time(record.at_ns, observed_ns, limits)
    return SpanRecord(
        at_ns=at_ns,
        duration_ns=min(max(record.duration_ns, 0), _INT_MAX),
        trace_id=trace_id,
        span_id=span_id,
        parent_id=id_of(record.parent_id, _SPAN_ID_DIGITS),
        name=text_of(record.name)[: limits.value_characters_max],
        kind=record.kind,
        service=text_of(record.service)[: limits.key_characters_max],
        failed=record.failed,
        attributes=tidy_attributes(record.attributes, said, limits),
    )


def id_of(told: str, digits: int) -> str:
    """Return a trace's or span's id in lower case, or nothing where it is not one."""
    lower = told.lower()
    return lower if len(lower) == digits and _HEX.issuperset(lower) and lower.strip("0") else ""


def _time(at_ns: int, observed_ns: int, limits: Limits) -> tuple[int, Attributes]:
    earliest = observed_ns - int(limits.behind_s_max * NS_A_SECOND)
    latest = observed_ns + int(limits.ahead_s_max * NS_A_SECOND)
    if earliest <= at_ns <= latest:
        return at_ns, {}
    return observed_ns, ({TOLD_TIME: str(at_ns)} if at_ns else {})


def tidy_attributes(
    told: Mapping[str, AttributeValue], said: Attributes, limits: Limits = DEFAULT_LIMITS
) -> Attributes:
    """Bring attributes within the limits, and say beside them what was cut."""
    kept: Attributes = {}
    for key, value in told.items():
        if len(kept) == limits.attributes_max:
            said = said | {DROPPED: len(told) - limits.attributes_max}
            break
        kept[text_of(key)[: limits.key_characters_max]] = tidy_value(value, limits, limits.depth_max)
    return kept | said if said else kept


def tidy_value(value: AttributeValue, limits: Limits, depth: int) -> AttributeValue:
    """Bring the value of an attribute within the limits; `depth` says how many lists or maps may lie within it."""
    match value:
        case str():
            return text_of(value)[: limits.value_characters_max]
        case bool() | None:
            return value
        case int():
            return value if _INT_MIN <= value <= _INT_MAX else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case list():
            return [tidy_value(each, limits, depth - 1) for each in value[: limits.attributes_max]] if depth else "…"
        case _:
            return tidy_attributes(cast("Attributes", value), {}, _deeper(limits, depth)) if depth else "…"


def _deeper(limits: Limits, depth: int) -> Limits:
    return msgspec.structs.replace(limits, depth_max=depth - 1)
