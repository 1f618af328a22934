"""Spans from protobuf, read field by field.

Source: opentelemetry-proto, `trace/v1/trace.proto` (field numbers).
"""

from collections.abc import Generator
from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from pilothouse.telemetry.limits import DEFAULT_LIMITS, tidy_attributes, tidy_value
from pilothouse.telemetry.model import Attributes, AttributeValue
from pilothouse.telemetry.otlp.effort import Pace, Parts
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.known import KNOWN, learn
from pilothouse.telemetry.otlp.naming import runtime_id_of, service_of, who
from pilothouse.telemetry.otlp.spans import EXCEPTION, FAILED, SLICE_SPANS, Event, SpanReader, happened_within
from pilothouse.telemetry.otlp.wire import (
    FIXED64,
    LENGTH,
    VARINT,
    attributes_of,
    early_ends,
    fields,
    fixed,
    key_value,
    resource_and_scopes,
    skip,
    text,
    varint,
)

_OCTET: Final = 0x80
_FIRST: Final = 0x0A
"""The tag of a field 1 that has a length; below it none has a number."""
_NO_TRACE: Final = ("", "0" * 32)
_NO_SPAN: Final = ("", "0" * 16)
_TIME: Final = Struct("<Q").unpack_from
_LONG_OCTETS: Final = 4096
"""The fields of a span that is longer are counted: it may be thousands of values."""
_MAKERS_MAX: Final = 4_000
"""Resources that are known by their octets; the one unheard of for longest is forgotten."""
_MAKER_OCTETS_MAX: Final = 1024


class _Maker(msgspec.Struct, frozen=True, gc=False):
    """What all spans of a resource have in common."""

    runtime_id: str | None
    service: str
    said: Attributes
    """What of it is written on its spans."""


def read_protobuf(reader: SpanReader, raw: bytes) -> Generator[None]:
    """Read an ExportTraceServiceRequest; stops now and then, so that others may work.

    Raises: OtlpUnreadable
    """
    pace = Pace(SLICE_SPANS)
    with early_ends():
        for number, kind, begin, end in fields(raw, 0, len(raw)):
            if pace.due(0):
                yield
            if number != 1 or kind != LENGTH:
                continue
            octets, scopes = resource_and_scopes(raw, begin, end)
            maker = _known_maker(octets) if len(octets) <= _MAKER_OCTETS_MAX else _maker(octets)
            for scope in scopes:
                if pace.due(0):
                    yield
                for field, field_kind, at, until in fields(raw, *scope):
                    if field == 2 and field_kind == LENGTH:  # noqa: PLR2004 - spans
                        _read_span(reader, raw, at, until, maker)
                    if pace.due(until - at):
                        yield


def _maker(octets: bytes) -> _Maker:
    resource = tidy_attributes(attributes_of(octets, 0, len(octets), Parts()), {})
    service = service_of(resource)[: DEFAULT_LIMITS.key_characters_max]
    return _Maker(runtime_id_of(resource), service, who(resource))


_known_maker = lru_cache(_MAKERS_MAX)(_maker)


def _read_span(  # noqa: C901, PLR0912, PLR0915 - one loop over the fields: a call each would cost as much as all of it
    reader: SpanReader, raw: bytes, at: int, end: int, maker: _Maker
) -> None:
    begun_ns = ended_ns = kind = 0
    trace_id = span_id = parent_id = name = ""
    failed = False
    own: Attributes = {}
    events: list[Event] = []
    known = KNOWN
    parts = Parts() if end - at > _LONG_OCTETS else None
    while at < end:
        if parts is not None:
            parts.take()
        tag = raw[at]
        at += 1
        if tag & 7 == LENGTH and _FIRST <= tag < _OCTET:
            size = raw[at]
            at += 1
            if size >= _OCTET:
                size, at = varint(raw, at - 1)
            until = at + size
            if tag == 0x4A:  # noqa: PLR2004 - attributes
                octets = raw[at:until]
                pair = known.get(octets)
                if pair is None:
                    pair = learn(octets, parts)
                own[pair[0]] = pair[1]
            elif tag == _FIRST:  # trace_id
                trace_id = raw[at:until].hex() if size == 16 else ""  # noqa: PLR2004 - octets of a trace id
            elif tag == 0x12:  # noqa: PLR2004 - span_id
                span_id = raw[at:until].hex() if size == 8 else ""  # noqa: PLR2004 - octets of a span id
            elif tag == 0x22:  # noqa: PLR2004 - parent_span_id
                parent_id = raw[at:until].hex() if size == 8 else ""  # noqa: PLR2004 - octets of a span id
            elif tag == 0x2A:  # noqa: PLR2004 - name
                name = text(raw[at:until])
            elif tag == 0x5A:  # noqa: PLR2004 - events
                events.append(_event(raw, at, min(until, end), parts or Parts()))
            elif tag == 0x7A:  # noqa: PLR2004 - status
                failed = _has_failed(raw, at, min(until, end), parts or Parts())
            at = until
        elif tag == 0x39:  # noqa: PLR2004 - start_time_unix_nano
            (begun_ns,) = _TIME(raw, at)
            at += 8
        elif tag == 0x41:  # noqa: PLR2004 - end_time_unix_nano
            (ended_ns,) = _TIME(raw, at)
            at += 8
        elif tag == 0x30:  # noqa: PLR2004 - kind
            kind, at = varint(raw, at)
        elif tag == 0x85 and raw[at] == 1:  # noqa: PLR2004 - flags
            at += 5
        else:
            at = skip(raw, at - 1, end)
    if at > end:
        raise OtlpUnreadable("a field is longer than what it is in")
    if trace_id in _NO_TRACE or span_id in _NO_SPAN:
        reader.not_taken += 1
        return
    attributes = maker.said | own if maker.said else own
    if events:
        attributes = maker.said | _told_of(events, own)
    reader.take(
        begun_ns, ended_ns, trace_id, span_id, "" if parent_id in _NO_SPAN else parent_id, name, kind, maker.service, attributes,
        maker.runtime_id, failed=failed,
    )  # fmt: skip


def _told_of(events: list[Event], own: Attributes) -> Attributes:
    """Return what happened within a span, and what is said of it."""
    limits = DEFAULT_LIMITS
    kept: Attributes = {
        key: tidy_value(happened, limits, limits.depth_max) for key, happened in happened_within(events).items()
    } | own
    for name, _, attributes in events:
        if name == EXCEPTION:
            for key, value in attributes.items():
                kept[key[: limits.key_characters_max]] = tidy_value(value, limits, limits.depth_max)
    return kept


def _event(raw: bytes, at: int, end: int, parts: Parts) -> Event:
    at_ns, name = 0, ""
    attributes: dict[str, AttributeValue] = {}
    for number, kind, begin, until in fields(raw, at, end):
        parts.take()
        if kind == FIXED64 and number == 1:
            at_ns = fixed(raw, begin)
        elif kind == LENGTH and number == 2:  # noqa: PLR2004 - name
            name = text(raw[begin:until])
        elif kind == LENGTH and number == 3:  # noqa: PLR2004 - attributes
            key, value = KNOWN.get(raw[begin:until]) or key_value(raw, begin, until, parts)
            attributes[key] = value
    return name, at_ns, attributes


def _has_failed(raw: bytes, at: int, end: int, parts: Parts) -> bool:
    code = 0
    for number, kind, begin, _ in fields(raw, at, end):
        parts.take()
        if number == 3 and kind == VARINT:  # noqa: PLR2004 - code
            code = begin
    return code == FAILED
