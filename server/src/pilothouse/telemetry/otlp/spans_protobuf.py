"""Spans from protobuf, read field by field.

Source: opentelemetry-proto, `trace/v1/trace.proto` (field numbers).
"""

from collections.abc import Generator, Iterator
from typing import Final

from pilothouse.telemetry.limits import tidy_attributes
from pilothouse.telemetry.model import Attributes, AttributeValue, SpanRecord
from pilothouse.telemetry.otlp.effort import Pace, Parts
from pilothouse.telemetry.otlp.naming import service_of, who
from pilothouse.telemetry.otlp.spans import FAILED, SLICE_SPANS, Event, SpanReader, described, kind_of
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
    text,
)

_ATTRIBUTES: Final = 9
_EVENTS: Final = 11


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
            resource = tidy_attributes(attributes_of(octets, 0, len(octets), Parts()), {})
            for scope in scopes:
                if pace.due(0):
                    yield
                for field, field_kind, at, until in fields(raw, *scope):
                    if field == 2 and field_kind == LENGTH:  # noqa: PLR2004 - spans
                        reader.add(resource, _span(raw, at, until, resource))
                    if pace.due(until - at):
                        yield


def _span(raw: bytes, at: int, end: int, resource: Attributes) -> SpanRecord:
    parts = Parts()
    names: dict[int, str] = {}
    times: dict[int, int] = {}
    own: dict[str, AttributeValue] = {}
    events: list[Event] = []
    span_kind, failed = 0, False
    for number, kind, begin, until in fields(raw, at, end):
        parts.take()
        if kind == LENGTH:
            if number == _ATTRIBUTES:
                key, value = key_value(raw, begin, until, parts)
                own[key] = value
            elif number == _EVENTS:
                events.append(_event(raw, begin, until, parts))
            elif number in {1, 2, 4}:  # its ids
                names[number] = raw[begin:until].hex()
            elif number == 5:  # noqa: PLR2004 - name
                names[number] = text(raw[begin:until])
            elif number == 15:  # noqa: PLR2004 - status
                failed = FAILED in _codes(raw, begin, until, parts)
        elif kind == FIXED64:
            times[number] = fixed(raw, begin)
        elif kind == VARINT and number == 6:  # noqa: PLR2004 - kind
            span_kind = begin
    begun_ns = times.get(7, 0)
    return SpanRecord(
        at_ns=begun_ns,
        duration_ns=times.get(8, 0) - begun_ns,
        trace_id=names.get(1, ""),
        span_id=names.get(2, ""),
        parent_id=names.get(4, ""),
        name=names.get(5, ""),
        kind=kind_of(span_kind),
        service=service_of(resource),
        failed=failed,
        attributes=described(who(resource), own, events),
    )


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
            key, value = key_value(raw, begin, until, parts)
            attributes[key] = value
    return name, at_ns, attributes


def _codes(raw: bytes, at: int, end: int, parts: Parts) -> Iterator[int]:
    for number, kind, begin, _ in fields(raw, at, end):
        parts.take()
        if number == 3 and kind == VARINT:  # noqa: PLR2004 - code
            yield begin
