"""The benchmark of the intake reads what it says that it reads."""

import sys
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parents[1]))

from telemetry_intake import READ_FIRST, Reading, a_second, reading, spans_and_points
from telemetry_records import SPANS_A_REQUEST, point_requests, span_requests


def test_every_span_and_every_point_that_the_clock_runs_for_is_read() -> None:
    of_spans, of_points = spans_and_points(5_000)
    spans, points = span_requests(5_000), point_requests(5_000)
    assert of_spans.records == (len(spans) - READ_FIRST) * SPANS_A_REQUEST
    assert of_points.records == sum(map(_points_in, points[READ_FIRST:]))
    assert all(one.read_s > one.bare_s > 0 for one in (of_spans, of_points))


def _points_in(raw: bytes) -> int:
    told = ExportMetricsServiceRequest.FromString(raw).resource_metrics[0].scope_metrics[0].metrics
    return sum(len(metric.histogram.data_points) + len(metric.gauge.data_points) for metric in told)


def test_the_same_seed_gives_the_same_requests_and_some_spans_failed() -> None:
    assert span_requests(600) == span_requests(600)
    assert point_requests(300) == point_requests(300)
    request = ExportTraceServiceRequest.FromString(span_requests(SPANS_A_REQUEST)[0])
    spans = [span for scope in request.resource_spans[0].scope_spans for span in scope.spans]
    failed = [span for span in spans if span.status.code]
    assert len(spans) == SPANS_A_REQUEST
    assert 0 < len(failed) == sum(len(span.events) for span in spans) < len(spans) // 4


def test_what_is_read_before_the_clock_runs_does_not_count() -> None:
    seen: list[bytes] = []
    bodies = [bytes([number]) for number in range(READ_FIRST + 2)]
    found = reading(bodies, seen.append, lambda raw: seen.append(raw) or raw[0])
    assert found.records == READ_FIRST + READ_FIRST + 1
    assert seen == [raw for raw in bodies for _ in range(2)]


def test_costs_are_told_as_parts_of_a_bare_parse() -> None:
    assert Reading(records=1_000, read_s=0.02, bare_s=0.01).row == "50,000 (2.0 x a bare parse)"


def test_few_lines_are_measured_too() -> None:
    for few in (1, 2_000):
        of_spans, of_points = spans_and_points(few)
        assert of_spans.records >= SPANS_A_REQUEST
        assert of_points.records > 0
    assert a_second(1_000, 0.0) == "too few to tell"
