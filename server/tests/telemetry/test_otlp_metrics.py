"""Data points in both spellings, and what becomes of names, units, outcomes and totals."""

from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogram as Scaled
from opentelemetry.proto.metrics.v1.metrics_pb2 import Histogram as Bounded
from otlp_values import ATTRIBUTES
from pilothouse.telemetry.histogram import PERCENTILE_ERROR
from pilothouse.telemetry.model import NS_A_SECOND, MetricKind, MetricPoint, SpanKind, SpanRecord
from pilothouse.telemetry.otlp import metrics_json, metrics_protobuf, spans_protobuf
from pilothouse.telemetry.otlp.distributions import exponential
from pilothouse.telemetry.otlp.metrics import MetricReader
from pilothouse.telemetry.otlp.spans import SpanReader
from pilothouse.telemetry.temporality import Differences

NOW_NS = 1_790_000_000_000_000_000
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DELTA, CUMULATIVE = 1, 2


def attributes(**values: str) -> list[dict[str, Any]]:
    return [{"key": key.replace("_", "."), "value": {"stringValue": value}} for key, value in values.items()]


def body(*metrics: dict[str, Any], **resource: str) -> dict[str, Any]:
    of_resource = {"attributes": attributes(**({"service_name": "orders"} | resource))}
    return {"resourceMetrics": [{"resource": of_resource, "scopeMetrics": [{"metrics": list(metrics)}]}]}


def read(told: dict[str, Any], differences: Differences | None = None) -> list[MetricPoint]:
    """Read a request in both spellings; they must say the same."""
    differences = Differences() if differences is None else differences
    kept = msgspec.json.encode(told)
    spare = Differences()
    spare._last = differences._last.copy()
    by_json, by_protobuf = MetricReader(NOW_NS, spare, "s"), MetricReader(NOW_NS, differences, "s")
    for _ in metrics_json.read_json(by_json, kept):
        pass
    raw = ParseDict(told, ExportMetricsServiceRequest()).SerializeToString()
    for _ in metrics_protobuf.read_protobuf(by_protobuf, raw):
        pass
    assert by_json.told == by_protobuf.told
    assert by_json.not_taken == by_protobuf.not_taken
    return [point for one in by_protobuf.told for point in one.records]


def duration(unit: str = "s", temporality: int = DELTA, name: str = "http.server.request.duration", **more: Any):
    point = {
        "timeUnixNano": str(NOW_NS),
        "startTimeUnixNano": str(NOW_NS - NS_A_SECOND),
        "count": "4",
        "sum": 1.0,
        "bucketCounts": ["3", "1", "0"],
        "explicitBounds": [0.25, 1.0],
        "attributes": attributes(http_request_method="GET", http_route="/orders/{id}"),
    } | more
    return {"name": name, "unit": unit, "histogram": {"dataPoints": [point], "aggregationTemporality": temporality}}


def test_a_request_is_named_by_its_route():
    (point,) = read(body(duration()))
    assert (point.resource, point.service, point.kind) == ("GET /orders/{id}", "orders", MetricKind.DISTRIBUTION)
    assert (point.failed, point.outbound, point.values.count) == (False, False, 4)


def test_a_request_without_a_route_is_never_named_by_its_url():
    told = attributes(http_request_method="GET", url_path="/orders/17")
    (point,) = read(body(duration(attributes=told)))
    assert point.resource == "GET ?"


@pytest.mark.parametrize(
    ("name", "status", "failed"),
    [
        ("http.server.request.duration", 404, False),
        ("http.server.request.duration", 503, True),
        ("http.client.request.duration", 404, True),
        ("http.client.request.duration", 302, False),
    ],
)
def test_what_failed_depends_on_the_side(name, status, failed):
    told = [{"key": "http.response.status_code", "value": {"intValue": str(status)}}]
    (point,) = read(body(duration(name=name, attributes=told)))
    assert (point.status, point.failed, point.outbound) == (str(status), failed, "client" in name)


def test_an_error_without_a_status_failed():
    (point,) = read(body(duration(attributes=attributes(error_type="ConnectionError"))))
    assert (point.status, point.failed) == ("ConnectionError", True)


def test_milliseconds_become_seconds_and_the_old_name_the_new_one():
    (point,) = read(
        body(duration(unit="ms", name="http.server.duration", bucketCounts=["0", "4", "0"], explicitBounds=[100, 110]))
    )
    assert (point.name, point.values.sum) == ("http.server.request.duration", 0.001)
    assert point.values.percentile(0.5) == pytest.approx(0.105, rel=0.1)


def test_an_exponential_histogram_keeps_its_percentiles():
    point = {
        "timeUnixNano": str(NOW_NS),
        "scale": 6,
        "sum": 10.0,
        "count": "10",
        "zeroCount": "0",
        "positive": {"offset": 64, "bucketCounts": ["10"]},
    }
    told = {"name": "d", "exponentialHistogram": {"dataPoints": [point], "aggregationTemporality": DELTA}}
    (point,) = read(body(told))
    assert point.values.percentile(0.5) == pytest.approx(2.0, rel=2 * PERCENTILE_ERROR)


def test_a_coarse_histogram_costs_no_more_than_its_buckets():
    coarse = exponential(-10, 1, -(2**31), [1] * 4_000, total=1.0)
    assert (coarse.count, coarse.zeros, len(coarse.buckets)) == (4_001, 1, 1)


def test_percentiles_lie_between_the_least_and_the_greatest_where_they_are_told():
    (point,) = read(body(duration(bucketCounts=["4", "0"], explicitBounds=[5.0], min=0.2, max=0.3)))
    assert point.values.percentile(0.99) == 0.3


def total(count: int, at_s: float, start_s: float = -60.0, **more: Any) -> dict[str, Any]:
    point = {
        "timeUnixNano": str(NOW_NS + int(at_s * NS_A_SECOND)),
        "startTimeUnixNano": str(NOW_NS + int(start_s * NS_A_SECOND)),
        "asInt": str(count),
    } | more
    return {"name": "n", "sum": {"dataPoints": [point], "aggregationTemporality": CUMULATIVE, "isMonotonic": True}}


def test_running_totals_become_what_was_added():
    differences = Differences()
    seen = [read(body(total(count, at_s)), differences) for count, at_s in ((5, -40), (5, -30), (12, -20), (12, -20))]
    assert [[point.values.sum for point in points] for points in seen] == [[5.0], [], [7.0], []]
    restarted = read(body(total(3, 0, start_s=-10)), differences)
    assert [point.values.sum for point in restarted] == [3.0]
    assert restarted[0].kind is MetricKind.COUNTER


BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]


def durations_so_far(counts: list[int], at_s: float, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "timeUnixNano": str(NOW_NS + int(at_s * NS_A_SECOND)),
        "startTimeUnixNano": str(NOW_NS - 60 * NS_A_SECOND),
        "count": str(sum(counts)),
        "sum": sum(counts) * 0.5,
        "bucketCounts": [str(count) for count in counts],
        "explicitBounds": BOUNDS,
    }
    return duration(temporality=CUMULATIVE, **(told | more))


def test_one_request_more_is_one_request_whatever_bucket_it_falls_into():
    differences, counts = Differences(), [0] * (len(BOUNDS) + 1)
    assert [point.values.count for point in read(body(durations_so_far(counts, -50)), differences)] == []
    for turn in range(60):
        counts[turn % len(counts)] += 1
        (point,) = read(body(durations_so_far(counts, turn / 10 - 40)), differences)
        assert (point.values.count, sum(point.values.buckets.values()), point.values.sum) == (1, 1, 0.5)


def test_a_total_with_other_bounds_is_another_one():
    differences, counts = Differences(), [9] * (len(BOUNDS) + 1)
    read(body(durations_so_far(counts, -50)), differences)
    other = {"explicitBounds": [1.0], "bucketCounts": ["7", "3"], "count": "10", "sum": 5.0}
    assert [point.values.count for point in read(body(durations_so_far(counts, -40, **other)), differences)] == [10]
    other = {"explicitBounds": [1.0], "bucketCounts": ["7", "5"], "count": "12", "sum": 6.0}
    assert [point.values.count for point in read(body(durations_so_far(counts, -30, **other)), differences)] == [2]


def test_a_histogram_of_one_bucket_knows_its_count_alone():
    (point,) = read(body(duration(explicitBounds=[], bucketCounts=["4"])))
    assert (point.values.count, point.values.zeros, point.values.buckets) == (4, 4, {})


TIMES = st.integers(NOW_NS - 10**11, NOW_NS)
FRACTIONS = st.floats(-1e9, 1e9)
COMMON = {"attributes": ATTRIBUTES, "start_time_unix_nano": TIMES, "time_unix_nano": TIMES}
NUMBERS = st.one_of(
    st.builds(NumberDataPoint, **COMMON, as_int=st.integers(-(2**63), 2**63 - 1)),
    st.builds(NumberDataPoint, **COMMON, as_double=FRACTIONS, flags=st.integers(0, 2**32 - 1)),
)
LEVELS = {"sum": FRACTIONS, "min": st.none() | FRACTIONS, "max": st.none() | FRACTIONS}
BOUNDED = st.lists(FRACTIONS, max_size=70, unique=True).flatmap(
    lambda bounds: st.builds(
        HistogramDataPoint,
        **COMMON,
        **LEVELS,
        count=st.integers(0, 2**64 - 1),
        explicit_bounds=st.just(sorted(bounds)),
        bucket_counts=st.just([]) | st.lists(st.integers(0, 2**40), min_size=len(bounds) + 1, max_size=len(bounds) + 1),
        exemplars=st.lists(st.builds(Exemplar, as_int=st.just(1), filtered_attributes=ATTRIBUTES), max_size=1),
    )
)
BUCKETS = st.builds(
    ExponentialHistogramDataPoint.Buckets,
    offset=st.integers(-2_000, 2_000),
    bucket_counts=st.lists(st.integers(0, 2**40), max_size=9),
)
SCALED = st.builds(
    ExponentialHistogramDataPoint,
    **COMMON,
    **LEVELS,
    scale=st.integers(-10, 20),
    zero_count=st.integers(0, 9),
    positive=BUCKETS,
    negative=BUCKETS,
)
TEMPORALITIES = st.integers(0, 2)
METRICS = st.one_of(
    st.builds(Metric, gauge=st.builds(Gauge, data_points=st.lists(NUMBERS, max_size=3))),
    st.builds(
        Metric,
        name=st.sampled_from(["http.server.duration", "n"]),
        sum=st.builds(
            Sum,
            data_points=st.lists(NUMBERS, max_size=3),
            aggregation_temporality=TEMPORALITIES,
            is_monotonic=st.booleans(),
        ),
    ),
    st.builds(
        Metric,
        unit=st.sampled_from(["", "ms"]),
        histogram=st.builds(Bounded, data_points=st.lists(BOUNDED, max_size=3), aggregation_temporality=TEMPORALITIES),
    ),
    st.builds(
        Metric,
        exponential_histogram=st.builds(
            Scaled, data_points=st.lists(SCALED, max_size=3), aggregation_temporality=TEMPORALITIES
        ),
    ),
    st.builds(Metric, summary=st.builds(Summary, data_points=st.lists(st.builds(SummaryDataPoint), max_size=2))),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(METRICS, max_size=4), ATTRIBUTES)
def test_both_spellings_say_the_same(metrics, resource):
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.extend(resource)
    of_resource.scope_metrics.add().metrics.extend(metrics)
    read(MessageToDict(request))


def test_what_was_not_stored_is_counted_again():
    differences = Differences()
    reader = MetricReader(NOW_NS, differences, "s")
    for _ in metrics_json.read_json(reader, msgspec.json.encode(body(total(5, -40)))):
        pass
    reader.undo()
    assert [point.values.sum for point in read(body(total(5, -40)), differences)] == [5.0]


def test_gauges_are_measurements_and_what_goes_up_and_down_is_one():
    gauge = {
        "name": "process.cpu.utilization",
        "gauge": {"dataPoints": [{"timeUnixNano": str(NOW_NS), "asDouble": 0.0}]},
    }
    level = total(7, 0)
    level["sum"]["isMonotonic"] = False
    points = read(body(gauge, level))
    assert [(point.kind, point.values.sum, point.values.count) for point in points] == [
        (MetricKind.GAUGE, 0.0, 1),
        (MetricKind.GAUGE, 7.0, 1),
    ]


def test_summaries_are_counted_as_not_taken():
    reader = MetricReader(NOW_NS, Differences(), "s")
    told = body({"name": "old", "summary": {"dataPoints": [{"timeUnixNano": str(NOW_NS)}]}})
    for _ in metrics_json.read_json(reader, msgspec.json.encode(told)):
        pass
    assert (reader.told, reader.not_taken) == ([], 1)


def test_a_span_says_the_same_in_both_spellings():
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "parentSpanId": "00f067aa0ba902b8",
        "name": "GET /orders/{id}",
        "kind": 2,
        "startTimeUnixNano": str(NOW_NS - 1_000),
        "endTimeUnixNano": str(NOW_NS),
        "attributes": attributes(http_route="/orders/{id}"),
        "events": [
            {"name": "order accepted", "timeUnixNano": str(NOW_NS - 500), "attributes": attributes(sku="rope")},
            {"name": "exception", "timeUnixNano": str(NOW_NS), "attributes": attributes(exception_type="KeyError")},
            *({"name": "again", "timeUnixNano": "1"} for _ in range(70)),
        ],
        "status": {"code": 2},
        "unknown": {"member": 1},
    }
    resource = {
        "attributes": [*attributes(service_name="orders"), {"key": "icp.runtimeId", "value": {"stringValue": "r1"}}]
    }
    told = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    by_json = SpanReader(NOW_NS)
    for _ in by_json.json(msgspec.json.encode(told)):
        pass
    del span["unknown"]
    ids = {key: span.pop(key) for key in ("traceId", "spanId", "parentSpanId")}
    request = ParseDict(told, ExportTraceServiceRequest())
    message = request.resource_spans[0].scope_spans[0].spans[0]
    message.trace_id, message.span_id = bytes.fromhex(ids["traceId"]), bytes.fromhex(ids["spanId"])
    message.parent_span_id = bytes.fromhex(ids["parentSpanId"])
    by_protobuf = SpanReader(NOW_NS)
    for _ in spans_protobuf.read_protobuf(by_protobuf, request.SerializeToString()):
        pass
    assert by_json.told == by_protobuf.told
    ((runtime_id, records),) = [(one.runtime_id, one.records) for one in by_json.told]
    assert (runtime_id, records) == (
        "r1",
        [
            SpanRecord(
                at_ns=NOW_NS - 1_000,
                duration_ns=1_000,
                trace_id=TRACE,
                span_id=SPAN,
                parent_id="00f067aa0ba902b8",
                name="GET /orders/{id}",
                kind=SpanKind.SERVER,
                service="orders",
                failed=True,
                attributes={
                    "pilothouse.events": [
                        {"name": "order accepted", "at_ns": str(NOW_NS - 500), "attributes": {"sku": "rope"}},
                        *[{"name": "again", "at_ns": "1", "attributes": {}}] * 63,
                    ],
                    "http.route": "/orders/{id}",
                    "exception.type": "KeyError",
                },
            )
        ],
    )
