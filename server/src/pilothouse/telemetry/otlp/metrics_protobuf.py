"""Data points from protobuf's compiled messages."""

from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2

from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.limits import DEFAULT_LIMITS, tidy_value
from pilothouse.telemetry.model import Attributes, AttributeValue
from pilothouse.telemetry.otlp.distributions import amount, between, explicit, exponential
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.metrics import SLICE_POINTS, MetricReader
from pilothouse.telemetry.otlp.points import Metric, Point, Shape
from pilothouse.telemetry.otlp.wire import DEPTH_MAX

_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


class _Stamped(Protocol):
    time_unix_nano: int
    start_time_unix_nano: int

    @property
    def attributes(self) -> Iterable[common_pb2.KeyValue]: ...


def read_protobuf(reader: MetricReader, raw: bytes) -> Generator[None]:
    """Read an ExportMetricsServiceRequest; stops now and then, so that others may work.

    Raises: OtlpUnreadable
    """
    try:
        request = ExportMetricsServiceRequest.FromString(raw)
    except DecodeError as error:
        raise OtlpUnreadable(str(error)[:200]) from None
    count = 0
    for of_resource in request.resource_metrics:
        reader.begin_resource(attributes_of(of_resource.resource.attributes))
        for of_scope in of_resource.scope_metrics:
            for told in of_scope.metrics:
                reader.not_taken += len(told.summary.data_points)
                for metric, point, values in _points(told):
                    reader.add(metric, _point(point, values))
                    count += 1
                    if not count % SLICE_POINTS:
                        yield


def attributes_of(pairs: Iterable[common_pb2.KeyValue]) -> Attributes:
    """Return attributes as a map, within the limits."""
    limits = DEFAULT_LIMITS
    return {
        pair.key[: limits.key_characters_max]: tidy_value(plain(pair.value), limits, limits.depth_max) for pair in pairs
    }


def plain(value: common_pb2.AnyValue, depth: int = DEPTH_MAX) -> AttributeValue:
    """Return the value itself.

    Raises: OtlpUnreadable
    """
    if not depth:
        raise OtlpUnreadable("values lie too deep within one another")
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(each, depth - 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value, depth - 1) for each in value.kvlist_value.values}
    told = getattr(value, kind)
    return told.hex() if isinstance(told, bytes) else told


def _points(told: metrics_pb2.Metric) -> Iterator[tuple[Metric, _Stamped, Histogram]]:
    match told.WhichOneof("data"):
        case "gauge":
            metric = Metric(name=told.name, unit=told.unit, shape=Shape.GAUGE)
            for point in told.gauge.data_points:
                yield metric, point, of_values([_number(point)])
        case "sum":
            metric = Metric(
                name=told.name,
                unit=told.unit,
                shape=Shape.SUM,
                cumulative=told.sum.aggregation_temporality == _CUMULATIVE,
                monotonic=told.sum.is_monotonic,
            )
            for point in told.sum.data_points:
                yield metric, point, amount(_number(point))
        case "histogram":
            metric = _distribution(told, told.histogram.aggregation_temporality)
            for point in told.histogram.data_points:
                yield metric, point, _explicit(point)
        case "exponential_histogram":
            metric = _distribution(told, told.exponential_histogram.aggregation_temporality)
            for point in told.exponential_histogram.data_points:
                yield metric, point, _exponential(point)
        case _:
            pass


def _distribution(told: metrics_pb2.Metric, temporality: int) -> Metric:
    return Metric(name=told.name, unit=told.unit, shape=Shape.HISTOGRAM, cumulative=temporality == _CUMULATIVE)


def _point(told: _Stamped, values: Histogram) -> Point:
    return Point(
        at_ns=told.time_unix_nano,
        start_ns=told.start_time_unix_nano,
        attributes=attributes_of(told.attributes),
        values=values,
    )


def _number(point: metrics_pb2.NumberDataPoint) -> float:
    return point.as_double if point.WhichOneof("value") == "as_double" else point.as_int


def _explicit(point: metrics_pb2.HistogramDataPoint) -> Histogram:
    values = explicit(list(point.explicit_bounds), list(point.bucket_counts), point.count, point.sum)
    return _between(values, point)


def _exponential(point: metrics_pb2.ExponentialHistogramDataPoint) -> Histogram:
    zeros = point.zero_count + sum(point.negative.bucket_counts)
    positive = point.positive
    values = exponential(point.scale, zeros, positive.offset, list(positive.bucket_counts), total=point.sum)
    return _between(values, point)


def _between(
    values: Histogram, point: metrics_pb2.HistogramDataPoint | metrics_pb2.ExponentialHistogramDataPoint
) -> Histogram:
    return between(values, point.min if point.HasField("min") else None, point.max if point.HasField("max") else None)
