"""What a few octets can make the intake do: others may work meanwhile, and beyond all measure it is refused."""

import json
from collections.abc import Generator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pilothouse.telemetry.limits import DROPPED
from pilothouse.telemetry.otlp import logs_json, metrics_json, metrics_protobuf, spans_protobuf
from pilothouse.telemetry.otlp.effort import BUCKETS_MAX, OBJECTS_MAX, PARTS_MAX
from pilothouse.telemetry.otlp.errors import OtlpTooMuch, OtlpUnreadable
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.otlp.metrics import MetricReader
from pilothouse.telemetry.otlp.spans import SpanReader
from pilothouse.telemetry.temporality import Differences

NOW_NS = 1_790_000_000_000_000_000
MANY = 40_000
SORTS = ("logs", "metrics", "traces")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GONE = "\N{REPLACEMENT CHARACTER}"


class Reading:
    """One request as it is read, whatever it tells of."""

    def __init__(self, sort: str) -> None:
        self.sort = sort
        makers = {"logs": LogReader, "traces": SpanReader}
        made = makers[sort](NOW_NS) if sort in makers else MetricReader(NOW_NS, Differences(), "sender")
        self.reader: Any = made  # Any: three readers that have `told` in common

    def begin(self, raw: bytes) -> Generator[None]:
        if self.sort == "logs":
            return self.reader.protobuf(raw)
        return (metrics_protobuf if self.sort == "metrics" else spans_protobuf).read_protobuf(self.reader, raw)

    def begin_json(self, told: object) -> Generator[None]:
        raw = json.dumps(told).encode()
        if self.sort == "traces":
            return self.reader.json(raw)
        return (logs_json if self.sort == "logs" else metrics_json).read_json(self.reader, raw)

    def records(self) -> list[Any]:
        return [record for one in self.reader.told for record in one.records]


def field(number: int, octets: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(octets)) + octets


def varint(number: int) -> bytes:
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


def within(*numbers: int, octets: bytes) -> bytes:
    """Put octets into fields that lie within one another."""
    for number in reversed(numbers):
        octets = field(number, octets)
    return octets


def of_a_record(sort: str, octets: bytes) -> bytes:
    """Write a request with a record that says this; of metrics the record is a point of a gauge."""
    return within(1, 2, 2, 5, 1, octets=octets) if sort == "metrics" else within(1, 2, 2, octets=octets)


ATTRIBUTE = {"logs": 6, "metrics": 7, "traces": 9}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("where", [(), (1, 2)], ids=["resources", "records"])
def test_empty_messages_give_way_to_others_however_many_they_are(sort, where):
    empty = b"\x0a\x00" if not where else b"\x12\x00"
    breaks = sum(1 for _ in Reading(sort).begin(within(*where, octets=empty * MANY)))
    assert breaks >= MANY // 200


def test_empty_points_give_way_to_others_too():
    for number in (5, 7, 9, 10, 11):
        breaks = sum(1 for _ in Reading("metrics").begin(within(1, 2, 2, number, octets=b"\x0a\x00" * 5_000)))
        assert breaks >= 5


@pytest.mark.parametrize("sort", SORTS)
def test_long_records_give_way_to_others_although_they_are_few(sort):
    octets = field(ATTRIBUTE[sort], field(1, b"k") + field(2, field(1, b"x" * 100_000)))
    request = within(1, 2, octets=b"".join(field(2, within(5, 1, octets=octets)) for _ in range(20)))
    if sort != "metrics":
        request = within(1, 2, octets=field(2, octets) * 20)
    assert sum(1 for _ in Reading(sort).begin(request)) >= 20


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "shape", ["attributes", "a list", "a map", "a list in a list", "of its resource", "unknown fields", "scopes"]
)
def test_a_record_beyond_all_measure_is_refused(sort, shape):
    empties, number = b"\x0a\x00" * (PARTS_MAX + 1), ATTRIBUTE[sort]
    request = {
        "attributes": of_a_record(sort, field(number, b"") * (PARTS_MAX + 1)),
        "a list": of_a_record(sort, within(number, 2, 5, octets=empties)),
        "a map": of_a_record(sort, within(number, 2, 6, octets=empties)),
        "a list in a list": of_a_record(sort, within(number, 2, 5, 1, 5, octets=empties)),
        "of its resource": within(1, 1, octets=empties),
        "unknown fields": of_a_record(sort, field(30, b"") * (PARTS_MAX + 1)),
        "scopes": within(1, octets=b"\x12\x00" * (PARTS_MAX + 1)),
    }[shape]
    with pytest.raises(OtlpUnreadable, match="more than"):
        list(Reading(sort).begin(request))


@pytest.mark.parametrize("number", [11, 13], ids=["events", "links"])
def test_a_span_in_which_too_much_happened_is_refused(number):
    with pytest.raises(OtlpUnreadable, match="more than"):
        list(Reading("traces").begin(of_a_record("traces", field(number, b"") * (PARTS_MAX + 1))))


@pytest.mark.parametrize(
    "point",
    [
        within(9, 1, octets=field(6, bytes(8 * (BUCKETS_MAX + 2)))),
        within(9, 1, octets=field(7, bytes(8 * (BUCKETS_MAX + 2)))),
        within(10, 1, octets=field(8, field(2, bytes(BUCKETS_MAX + 2)))),
        within(10, 1, octets=field(9, field(2, bytes(BUCKETS_MAX + 2)))),
    ],
    ids=["counts", "bounds", "positive", "negative"],
)
def test_a_histogram_of_too_many_buckets_is_refused(point):
    with pytest.raises(OtlpUnreadable, match="buckets"):
        list(Reading("metrics").begin(within(1, 2, 2, octets=field(1, b"n") + point)))


def test_buckets_may_be_written_one_by_one():
    packed, single = ExportMetricsServiceRequest(), b""
    metric = packed.resource_metrics.add().scope_metrics.add().metrics.add(name="n")
    metric.histogram.aggregation_temporality = 1
    metric.histogram.data_points.add(bucket_counts=[3, 1], explicit_bounds=[0.5], count=4, sum=1.5)
    exponential = packed.resource_metrics[0].scope_metrics[0].metrics.add(name="e").exponential_histogram
    exponential.aggregation_temporality = 1
    exponential.data_points.add(scale=4, count=4, sum=4.0, positive={"offset": -3, "bucket_counts": [3, 1]})
    raw = packed.SerializeToString()
    one, two = (3).to_bytes(8, "little"), (1).to_bytes(8, "little")
    single = b"\x32\x10" + one + two
    assert raw.count(single) == 1
    counts = b"\x31" + one + b"\x31" + two
    told = Reading("metrics")
    list(told.begin(raw))
    # The lengths of what it lies in grow by nothing: 18 octets each way.
    assert len(counts) == len(single)
    again = Reading("metrics")
    list(again.begin(raw.replace(single, counts).replace(b"\x12\x02\x03\x01", b"\x10\x03\x10\x01")))
    assert [point.values.count for point in told.records()] == [4, 4]
    assert msgspec.to_builtins(again.records()) == msgspec.to_builtins(told.records())


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("spelling", ["protobuf", "json"])
def test_ten_thousand_attributes_are_read(sort, spelling):
    reading = Reading(sort)
    attributes = [(f"k{n}", str(n)) for n in range(10_000)]
    if spelling == "protobuf":
        octets = b"".join(
            field(ATTRIBUTE[sort], field(1, key.encode()) + field(2, field(1, value.encode())))
            for key, value in attributes
        )
        if sort == "traces":
            octets = field(1, bytes.fromhex(TRACE)) + field(2, bytes.fromhex(SPAN)) + octets
        list(reading.begin(of_a_record(sort, octets)))
    else:
        record = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes]}
        record |= {"traceId": TRACE, "spanId": SPAN} if sort == "traces" else {}
        members = {
            "logs": ("resourceLogs", "scopeLogs", {"logRecords": [record]}),
            "metrics": ("resourceMetrics", "scopeMetrics", {"metrics": [{"gauge": {"dataPoints": [record]}}]}),
            "traces": ("resourceSpans", "scopeSpans", {"spans": [record]}),
        }[sort]
        list(reading.begin_json({members[0]: [{members[1]: [members[2]]}]}))
    (record,) = reading.records()
    if sort != "metrics":
        assert record.attributes[DROPPED] == 10_000 - 128
        assert record.attributes["k127"] == "127"


def test_spans_with_octets_that_are_no_text_are_read():
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), name="caf#", start_time_unix_nano=NOW_NS)
    )
    span.attributes.add(key="k").value.string_value = "v#"
    span.events.add(name="e#", time_unix_nano=7)
    reading = Reading("traces")
    list(reading.begin(request.SerializeToString().replace(b"#", b"\xe9")))
    (record,) = reading.records()
    assert record.name == f"caf{GONE}"
    assert record.attributes["k"] == f"v{GONE}"
    assert record.attributes["pilothouse.events"] == [{"name": f"e{GONE}", "at_ns": "7", "attributes": {}}]


def test_points_with_octets_that_are_no_text_are_read():
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="http.caf#")
    point = metric.gauge.data_points.add(as_double=1.5, time_unix_nano=NOW_NS)
    point.attributes.add(key="http.route").value.string_value = "/v#"
    reading = Reading("metrics")
    list(reading.begin(request.SerializeToString().replace(b"#", b"\xe9")))
    (record,) = reading.records()
    assert (record.name, record.resource, record.values.sum) == (f"http.caf{GONE}", f"? /v{GONE}", 1.5)


def full(sort: str) -> bytes:
    """Write a request with nearly all that there can be in it."""
    if sort == "traces":
        spans = ExportTraceServiceRequest()
        of_resource = spans.resource_spans.add()
        of_resource.resource.attributes.add(key="service.name").value.string_value = "orders"
        span = of_resource.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), name="GET", kind=2, trace_state="a=b"
        )
        span.status.code = 2
        span.attributes.add(key="n").value.int_value = -1
        span.attributes.add(key="l").value.array_value.values.add().double_value = 0.5
        span.events.add(name="e").attributes.add(key="k").value.bool_value = True
        span.links.add(trace_id=b"x")
        return spans.SerializeToString()
    metrics = ExportMetricsServiceRequest()
    told = metrics.resource_metrics.add().scope_metrics.add().metrics
    told.add(name="g", unit="s").gauge.data_points.add(as_int=-3)
    total = told.add(name="s").sum
    total.aggregation_temporality, total.is_monotonic = 2, True
    total.data_points.add(as_double=2.5, start_time_unix_nano=NOW_NS, time_unix_nano=NOW_NS)
    histogram = told.add(name="h").histogram
    histogram.aggregation_temporality = 1
    point = histogram.data_points.add(bucket_counts=[1, 2], explicit_bounds=[1.0], count=3, sum=4.0, min=0.1, max=3.0)
    point.attributes.add(key="http.route").value.string_value = "/x"
    told.add(name="e").exponential_histogram.data_points.add(
        scale=-2, zero_count=1, positive={"offset": -1, "bucket_counts": [1]}, negative={"bucket_counts": [2]}
    )
    told.add(name="q").summary.data_points.add(count=1)
    return metrics.SerializeToString()


@settings(max_examples=150, deadline=None)
@given(sort=st.sampled_from(("metrics", "traces")), data=st.data())
def test_octets_that_went_wrong_are_read_or_refused_and_nothing_else(sort, data):
    raw = bytearray(full(sort))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    reading = Reading(sort)
    try:
        list(reading.begin(bytes(raw[: data.draw(st.integers(0, len(raw)))])))
    except (OtlpUnreadable, ValueError, OverflowError):  # all of them are answered with 400
        return
    msgspec.json.encode([msgspec.to_builtins(record) for record in reading.records()])


@pytest.mark.parametrize("members", ["resources", "lines", "attributes"])
def test_json_of_too_many_objects_is_refused_before_it_is_read(members):
    objects = b"{}," * OBJECTS_MAX + b"{}"
    raw = {
        "resources": b'{"resourceLogs":[%s]}',
        "lines": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s]}]}]}',
        "attributes": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[%s]}]}]}]}',
    }[members] % objects
    with pytest.raises(OtlpTooMuch, match="objects of JSON"):
        list(logs_json.read_json(LogReader(NOW_NS), raw))


def test_braces_in_a_text_are_text():
    reading = Reading("logs")
    message = "{" * (OBJECTS_MAX + 1)
    list(reading.begin_json({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": message}}]}]}]}))
    (record,) = reading.records()
    assert set(record.message) == {"{"}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("kind", ["arrayValue", "kvlistValue"])
def test_values_too_deep_within_one_another_are_refused_in_json_as_in_protobuf(sort, kind):
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        value = {kind: {"values": [{"key": "k", "value": value} if kind == "kvlistValue" else value]}}
    resource = {"attributes": [{"key": "k", "value": value}]}
    member = {"logs": "resourceLogs", "metrics": "resourceMetrics", "traces": "resourceSpans"}[sort]
    with pytest.raises(OtlpUnreadable, match="too deep"):
        list(Reading(sort).begin_json({member: [{"resource": resource}]}))
