"""Our own reading of spans against protobuf's compiled messages, and both spellings against each other."""

import base64
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp_values import ATTRIBUTES, listed, mapped
from pilothouse.telemetry.limits import DROPPED, TOLD_TIME
from pilothouse.telemetry.model import SpanRecord
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.spans import SpanReader
from pilothouse.telemetry.otlp.spans_protobuf import read_protobuf

NOW_NS = 1_790_000_000_000_000_000
IDS = {size: st.one_of(st.binary(min_size=size, max_size=size), st.just(bytes(size))) for size in (16, 8)}
TIMES = st.one_of(st.just(0), st.integers(NOW_NS - 10**12, NOW_NS), st.integers(0, 2**64 - 1))
EVENTS = st.builds(
    Span.Event,
    time_unix_nano=TIMES,
    name=st.sampled_from(["exception", "", "order accepted"]),
    attributes=ATTRIBUTES,
    dropped_attributes_count=st.integers(0, 2**32 - 1),
)
SPANS = st.builds(
    Span,
    trace_id=st.one_of(IDS[16], st.binary(max_size=20)),
    span_id=IDS[8],
    parent_span_id=st.one_of(st.just(b""), IDS[8], st.binary(max_size=9)),
    trace_state=st.sampled_from(["", "a=b"]),
    flags=st.integers(0, 2**32 - 1),
    name=st.text(max_size=150),
    kind=st.integers(0, 5),
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=st.integers(0, 2**32 - 1),
    events=st.lists(EVENTS, max_size=3),
    links=st.lists(st.builds(Span.Link, trace_id=IDS[16], attributes=ATTRIBUTES), max_size=2),
    status=st.builds(Status, message=st.text(max_size=5), code=st.integers(0, 2)),
)
RESOURCES = st.one_of(
    ATTRIBUTES,
    st.sampled_from(["service.name", "icp.runtimeId", "host.name"]).map(
        lambda key: [KeyValue(key=key, value=listed([]))]
    ),
    st.sampled_from(["orders", "unknown_service:python"]).map(lambda name: [_text("service.name", name)]),
    st.just([]).map(lambda _: [_text("icp.runtimeId", "r1"), _text("service.name", "orders")]),
)


def _text(key: str, value: str) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.string_value = value
    return pair


def request_of(spans: list[Span], resource: list[KeyValue] | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(resource or [])
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "orders"
    of_scope.spans.extend(spans)
    return request


def read(raw: bytes) -> SpanReader:
    reader = SpanReader(NOW_NS)
    for _ in read_protobuf(reader, raw):
        pass
    return reader


def read_json(request: ExportTraceServiceRequest) -> SpanReader:
    told: Any = MessageToDict(request)
    for of_resource in told.get("resourceSpans", []):
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope.get("spans", []):
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64decode(span[key]).hex()
    reader = SpanReader(NOW_NS)
    for _ in reader.json(msgspec.json.encode(told)):
        pass
    return reader


def the_only_one(reader: SpanReader) -> SpanRecord:
    ((record,),) = [one.records for one in reader.told]
    return record


def span_with(*attributes: KeyValue, **members: Any) -> Span:
    told = {"start_time_unix_nano": NOW_NS - 5, "end_time_unix_nano": NOW_NS} | members
    return Span(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=attributes, **told)


@settings(max_examples=60, deadline=None)
@given(st.lists(SPANS, max_size=3), RESOURCES)
def test_both_spellings_say_the_same(spans, resource):
    request = request_of(spans, resource)
    ours, by_json = read(request.SerializeToString()), read_json(request)
    assert ours.told == by_json.told
    assert ours.not_taken == by_json.not_taken


@settings(max_examples=60, deadline=None)
@given(SPANS, st.randoms(use_true_random=False), ATTRIBUTES)
def test_the_order_of_fields_and_fields_that_are_not_known_change_nothing(span, dice, resource):
    singles = [
        Span(**{field.name: value}).SerializeToString()
        for field, value in span.ListFields()
        if field.name not in REPEATED
    ]
    repeated = [Span(**{name: [one]}).SerializeToString() for name in REPEATED for one in getattr(span, name)]
    unknown = [b"\xa0\x06\x05", b"\xa5\x06abcd", b"\xa1\x06abcdefgh", b"\xa2\x06\x03abc", b"\x50\x80\x01"]
    mixed = singles + unknown
    dice.shuffle(mixed)
    at = dice.randrange(len(mixed) + 1)
    octets = b"".join([*mixed[:at], *repeated, *mixed[at:]])
    request = request_of([Span()], resource).SerializeToString()
    assert request.endswith(b"\x12\x00")
    usual = read(request_of([span], resource).SerializeToString())
    among = read(_with_span(octets, resource))
    assert among.told == usual.told
    assert among.not_taken == usual.not_taken


REPEATED = ("attributes", "events", "links")


def _with_span(octets: bytes, resource: list[KeyValue]) -> bytes:
    """Write a request around the octets of a span."""
    of_resource = request_of([], resource).resource_spans[0].resource.SerializeToString()
    return _field(1, _field(1, of_resource) + _field(2, _field(2, octets)))


def _field(number: int, octets: bytes) -> bytes:
    size, length = len(octets), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + octets


@settings(max_examples=60, deadline=None)
@given(st.lists(SPANS, min_size=1, max_size=2), st.data())
def test_octets_that_went_wrong_are_read_or_refused_and_nothing_else(spans, data):
    raw = bytearray(request_of(spans).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        ours = read(bytes(raw))
    except OtlpUnreadable:
        return
    try:
        theirs = ExportTraceServiceRequest.FromString(bytes(raw))
    except DecodeError:
        return  # what is no UTF-8, and messages that we step over unread
    told = [span for of in theirs.resource_spans for scope in of.scope_spans for span in scope.spans]
    assert sum(len(one.records) for one in ours.told) + ours.not_taken == len(told)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x02\x00",
        b"\x00\x00",
        b"\x0b",
        b"\x4a",
        b"\x4a\x05ab",
        b"\x39abc",
        b"\x85\x01ab",
        b"\x5a\x02\x0a",
        b"\x30\xff",
    ],
    ids=[
        "field 0",
        "field 0 of a number",
        "a group",
        "no length",
        "an attribute",
        "a time",
        "flags",
        "an event",
        "a kind",
    ],
)
def test_a_span_that_is_none_is_refused(octets):
    with pytest.raises(OtlpUnreadable):
        read(
            _with_span(
                request_of([span_with()]).resource_spans[0].scope_spans[0].spans[0].SerializeToString() + octets, []
            )
        )


def test_more_attributes_than_are_kept_are_counted_in_both_spellings():
    attributes = [_text(f"key-{number}", "x") for number in range(140)]
    request = request_of([span_with(*attributes)], [_text("host.name", "node-1")])
    record = the_only_one(read(request.SerializeToString()))
    assert record == the_only_one(read_json(request))
    assert (len(record.attributes), record.attributes[DROPPED], record.attributes["host.name"]) == (129, 13, "node-1")


def test_what_is_said_too_long_or_lies_too_deep_is_cut_as_in_json():
    deep = listed([])
    for _ in range(6):
        deep = listed([mapped({"k" * 300: deep})])
    wide = mapped({f"k{number}": listed([]) for number in range(140)})
    pairs = [KeyValue(key="deep", value=deep), KeyValue(key="w" * 300, value=wide), _text("long", "x" * 9_000)]
    happened = [Span.Event(name=name, attributes=pairs) for name in ("exception", "other")]
    request = request_of([span_with(*pairs, name="n" * 9_000, events=happened)], [_text("service.name", "s" * 300)])
    record = the_only_one(read(request.SerializeToString()))
    assert record == the_only_one(read_json(request))
    assert (len(record.name), len(record.service), len(record.attributes["long"])) == (8_192, 256, 8_192)


def test_a_span_from_another_age_keeps_the_time_that_was_told():
    request = request_of([span_with(start_time_unix_nano=17, end_time_unix_nano=20)])
    record = the_only_one(read(request.SerializeToString()))
    assert record == the_only_one(read_json(request))
    assert (record.at_ns, record.duration_ns, record.attributes) == (NOW_NS, 3, {TOLD_TIME: "17"})


def test_a_span_may_name_its_runtime_itself():
    request = request_of([span_with(_text("icp_runtimeId", "mine"))], [_text("icp.runtimeId", "theirs")])
    (told,) = read(request.SerializeToString()).told
    assert told.runtime_id == "mine"


def test_what_one_request_was_told_is_not_changed_by_the_next():
    resource = [_text("host.name", "node-1")]
    first = read(request_of([span_with(start_time_unix_nano=17)], resource).SerializeToString())
    second = read(request_of([span_with()], resource).SerializeToString())
    assert the_only_one(first).attributes == {"host.name": "node-1", TOLD_TIME: "17"}
    assert the_only_one(second).attributes == {"host.name": "node-1"}
