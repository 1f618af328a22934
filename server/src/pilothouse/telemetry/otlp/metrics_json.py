"""Data points from OpenTelemetry's JSON."""

from collections.abc import Generator, Iterator
from typing import Final

import msgspec

from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.limits import tidy_attributes
from pilothouse.telemetry.otlp.distributions import amount, between, explicit, exponential, growing
from pilothouse.telemetry.otlp.effort import Pace
from pilothouse.telemetry.otlp.json_text import decode
from pilothouse.telemetry.otlp.metrics import SLICE_POINTS, MetricReader
from pilothouse.telemetry.otlp.points import Metric, Point, Shape
from pilothouse.telemetry.otlp.values import KeyValue, Resource, Whole, plain

_CUMULATIVE: Final = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


class _Stamped(msgspec.Struct, frozen=True, rename="camel", gc=False):
    time_unix_nano: Whole = 0
    start_time_unix_nano: Whole = 0
    attributes: list[KeyValue] = []


class _Number(_Stamped, frozen=True, rename="camel", gc=False):
    as_double: float | str | None = None
    as_int: Whole | None = None

    @property
    def number(self) -> float:
        """Its value."""
        return int(self.as_int or 0) if self.as_double is None else float(self.as_double)


class _Bounded(_Stamped, frozen=True, rename="camel", gc=False):
    count: Whole = 0
    sum: float | str = 0.0
    min: float | None = None
    max: float | None = None
    bucket_counts: list[Whole] = []
    explicit_bounds: list[float | str] = []

    @property
    def bounds(self) -> tuple[float, ...] | None:
        """What its buckets are numbered by, where it has any."""
        return growing(tuple(map(float, self.explicit_bounds))) if self.bucket_counts else None

    @property
    def values(self) -> Histogram:
        """Its distribution."""
        counts = [int(count) for count in self.bucket_counts]
        return between(explicit(self.bounds or (), counts, int(self.count), float(self.sum)), self.min, self.max)


class _Buckets(msgspec.Struct, frozen=True, rename="camel", gc=False):
    offset: int = 0
    bucket_counts: list[Whole] = []


class _Exponential(_Stamped, frozen=True, rename="camel", gc=False):
    sum: float | str = 0.0
    min: float | None = None
    max: float | None = None
    scale: int = 0
    zero_count: Whole = 0
    positive: _Buckets = _Buckets()
    negative: _Buckets = _Buckets()

    @property
    def values(self) -> Histogram:
        """Its distribution."""
        zeros = int(self.zero_count) + sum(int(count) for count in self.negative.bucket_counts)
        counts = [int(count) for count in self.positive.bucket_counts]
        values = exponential(self.scale, zeros, self.positive.offset, counts, total=float(self.sum))
        return between(values, self.min, self.max)


class _Gauge(msgspec.Struct, frozen=True, rename="camel", gc=False):
    data_points: list[_Number] = []


class _Sum(msgspec.Struct, frozen=True, rename="camel", gc=False):
    data_points: list[_Number] = []
    aggregation_temporality: int | str = 0
    is_monotonic: bool = False


class _Histogram(msgspec.Struct, frozen=True, rename="camel", gc=False):
    data_points: list[_Bounded] = []
    aggregation_temporality: int | str = 0


class _ExponentialHistogram(msgspec.Struct, frozen=True, rename="camel", gc=False):
    data_points: list[_Exponential] = []
    aggregation_temporality: int | str = 0


class _Summary(msgspec.Struct, frozen=True, rename="camel", gc=False):
    data_points: list[msgspec.Raw] = []


class _Metric(msgspec.Struct, frozen=True, rename="camel", gc=False):
    name: str = ""
    unit: str = ""
    gauge: _Gauge | None = None
    sum: _Sum | None = None
    histogram: _Histogram | None = None
    exponential_histogram: _ExponentialHistogram | None = None
    summary: _Summary | None = None


class _ScopeMetrics(msgspec.Struct, frozen=True, gc=False):
    metrics: list[_Metric] = []


class _ResourceMetrics(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource: Resource = Resource()
    scope_metrics: list[_ScopeMetrics] = []


class _Request(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource_metrics: list[_ResourceMetrics] = []


_DECODER: Final = msgspec.json.Decoder(_Request)


def read_json(reader: MetricReader, raw: bytes) -> Generator[None]:
    """Read an ExportMetricsServiceRequest; stops now and then, so that others may work.

    Raises: OtlpUnreadable, ValueError when a number is none
    """
    request = decode(_DECODER, raw)
    pace = Pace(SLICE_POINTS)
    for of_resource in request.resource_metrics:
        if pace.due(0):
            yield
        reader.begin_resource(tidy_attributes(plain(of_resource.resource.attributes), {}))
        for of_scope in of_resource.scope_metrics:
            if pace.due(0):
                yield
            for told in of_scope.metrics:
                if pace.due(0):
                    yield
                reader.not_taken += len(told.summary.data_points) if told.summary else 0
                for metric, point, values in _points(told):
                    reader.add(metric, _point(point, values))
                    if pace.due(0):
                        yield


def _points(told: _Metric) -> Iterator[tuple[Metric, _Stamped, Histogram]]:
    if told.gauge is not None:
        metric = Metric(name=told.name, unit=told.unit, shape=Shape.GAUGE)
        for point in told.gauge.data_points:
            yield metric, point, of_values([point.number])
    elif told.sum is not None:
        metric = Metric(
            name=told.name,
            unit=told.unit,
            shape=Shape.SUM,
            cumulative=told.sum.aggregation_temporality in _CUMULATIVE,
            monotonic=told.sum.is_monotonic,
        )
        for point in told.sum.data_points:
            yield metric, point, amount(point.number)
    else:
        one = told.histogram or told.exponential_histogram
        if one is not None:
            metric = Metric(
                name=told.name,
                unit=told.unit,
                shape=Shape.HISTOGRAM,
                cumulative=one.aggregation_temporality in _CUMULATIVE,
            )
            for point in one.data_points:
                yield metric, point, point.values


def _point(told: _Stamped, values: Histogram) -> Point:
    return Point(
        at_ns=int(told.time_unix_nano),
        start_ns=int(told.start_time_unix_nano),
        attributes=tidy_attributes(plain(told.attributes), {}),
        values=values,
        bounds=told.bounds if isinstance(told, _Bounded) else None,
    )
