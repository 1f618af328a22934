"""Realistic requests with spans and points, the same for the same seed: what instrumented services send.

Spans come as the SDKs batch them, 512 at a time: a server's, with calls of others within it, most attributes of few values and some
of many, an exception in one of twenty. Points come as a service reports them each minute: running totals of request times by
route and status, and what a process measures of itself.
"""

import random
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, HistogramDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from telemetry_lines import START_NS

SPANS_A_REQUEST = 512
ROUTES = ("/orders", "/orders/{id}", "/orders/{id}/positions", "/items/{id}/availability", "/customers/{id}")
STATUSES = (200, 201, 404, 500)
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
MEASURED = ("process.memory.usage", "process.memory.virtual", "process.cpu.utilization", "process.thread.count")
MINUTE_NS = 60_000_000_000


def span_requests(spans: int, seed: int = 1) -> list[bytes]:
    """Write requests with so many spans, at least."""
    dice = random.Random(seed)  # noqa: S311 - a benchmark
    written: list[bytes] = []
    for number in range(-(-spans // SPANS_A_REQUEST)):
        request = ExportTraceServiceRequest()
        of_resource = request.resource_spans.add(resource=_resource(number))
        scopes = [of_resource.scope_spans.add() for _ in range(2)]
        for scope, name in zip(
            scopes, ("opentelemetry.instrumentation.asgi", "opentelemetry.instrumentation.httpx"), strict=True
        ):
            scope.scope.name, scope.scope.version = name, "0.49b2"
        for at in range(0, SPANS_A_REQUEST, 4):
            begun_ns = START_NS + (number * SPANS_A_REQUEST + at) * 1_000_000
            trace, parent = dice.randbytes(16), dice.randbytes(8)
            scopes[0].spans.append(_server(dice, begun_ns, trace, parent))
            scopes[1].spans.extend(_client(dice, begun_ns, trace, parent) for _ in range(3))
        written.append(request.SerializeToString())
    return written


def point_requests(points: int, seed: int = 1) -> list[bytes]:
    """Write requests with so many points, at least: what ten services report minute after minute."""
    dice = random.Random(seed)  # noqa: S311 - a benchmark
    series = [(number, route, status) for number in range(10) for route in ROUTES for status in STATUSES]
    totals = {one: [0] * (len(BOUNDS) + 1) for one in series}
    sums = dict.fromkeys(series, 0.0)
    written: list[bytes] = []
    told, minute = 0, 0
    while told < points:
        minute += 1
        for number in range(10):
            request = ExportMetricsServiceRequest()
            metrics = request.resource_metrics.add(resource=_resource(number)).scope_metrics.add().metrics
            metric = metrics.add(name="http.server.request.duration", unit="s")
            metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
            for key in (one for one in series if one[0] == number):
                for _ in range(20):
                    took_s = dice.lognormvariate(-3.5, 1.0)
                    totals[key][bisect_left(BOUNDS, took_s)] += 1
                    sums[key] += took_s
                metric.histogram.data_points.append(_durations(key[1], key[2], minute, totals[key], sums[key]))
            for name in MEASURED:
                point = metrics.add(name=name, unit="By").gauge.data_points.add(
                    as_int=dice.randrange(10**9), time_unix_nano=START_NS + minute * MINUTE_NS
                )
                point.attributes.extend(_attributes({"process.runtime.name": "cpython"}))
            written.append(request.SerializeToString())
            told += len(ROUTES) * len(STATUSES) + len(MEASURED)
    return written


def _resource(number: int) -> Resource:
    said = {
        "service.name": f"orders-{number % 10}",
        "icp.runtimeId": f"3f2b8c1e-0000-4000-8000-{number % 10:012d}",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": "1.44.0",
        "host.name": f"node-{number % 10}",
    }
    return Resource(attributes=_attributes(said))


def _attributes(said: Mapping[str, str | int]) -> Iterable[KeyValue]:
    for key, value in said.items():
        one = KeyValue(key=key)
        if isinstance(value, int):
            one.value.int_value = value
        else:
            one.value.string_value = value
        yield one


def _server(dice: random.Random, begun_ns: int, trace: bytes, own: bytes) -> Span:
    route = dice.choice(ROUTES)
    status = 500 if dice.random() < 0.05 else 200
    said = {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": route.replace("{id}", str(dice.randrange(99_999))),
        "http.route": route,
        "http.response.status_code": status,
        "server.address": "orders.internal",
        "server.port": 9090,
        "client.address": f"10.0.{dice.randrange(8)}.{dice.randrange(256)}",
        "network.protocol.version": "1.1",
        "user_agent.original": "python-httpx/0.28.1",
    }
    span = Span(
        trace_id=trace,
        span_id=own,
        flags=0x101,
        name=f"GET {route}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=begun_ns,
        end_time_unix_nano=begun_ns + dice.randrange(90_000_000),
        attributes=_attributes(said),
    )
    if status == 500:
        span.status.code = 2
        happened = {"exception.type": "OutOfStock", "exception.message": f"item {dice.randrange(99_999)} is gone"}
        happened["exception.stacktrace"] = "\n".join(
            f'File "orders/service.py", line {n}, in reserve' for n in range(20)
        )
        span.events.add(name="exception", time_unix_nano=begun_ns).attributes.extend(_attributes(happened))
    return span


def _client(dice: random.Random, begun_ns: int, trace: bytes, parent: bytes) -> Span:
    number = dice.randrange(99_999)
    said = {
        "http.request.method": "GET",
        "url.full": f"http://inventory.internal:8080/api/items/{number}/availability",
        "server.address": "inventory.internal",
        "server.port": 8080,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    return Span(
        trace_id=trace,
        span_id=dice.randbytes(8),
        parent_span_id=parent,
        flags=0x101,
        name="GET",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=begun_ns,
        end_time_unix_nano=begun_ns + dice.randrange(30_000_000),
        attributes=_attributes(said),
    )


def _durations(route: str, status: int, minute: int, counts: list[int], total: float) -> HistogramDataPoint:
    said = {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": route,
        "http.response.status_code": status,
        "network.protocol.version": "1.1",
    }
    return HistogramDataPoint(
        attributes=_attributes(said),
        start_time_unix_nano=START_NS,
        time_unix_nano=START_NS + minute * MINUTE_NS,
        count=sum(counts),
        sum=total,
        bucket_counts=counts,
        explicit_bounds=BOUNDS,
    )
