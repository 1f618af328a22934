"""Data points from protobuf, read field by field.

Source: opentelemetry-proto, `metrics/v1/metrics.proto` (field numbers).
"""

import struct
from collections.abc import Callable, Generator
from typing import Final, TypeAlias

from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.limits import DEFAULT_LIMITS, tidy_attributes
from pilothouse.telemetry.model import Attributes
from pilothouse.telemetry.otlp.distributions import amount, between, explicit, exponential, growing
from pilothouse.telemetry.otlp.effort import BUCKETS_MAX, Pace, Parts
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.known import KNOWN, learn
from pilothouse.telemetry.otlp.metrics import SLICE_POINTS, MetricReader
from pilothouse.telemetry.otlp.points import Metric, Point, Shape
from pilothouse.telemetry.otlp.wire import (
    FIXED64,
    LENGTH,
    VARINT,
    attributes_of,
    double,
    early_ends,
    fields,
    fixed,
    resource_and_scopes,
    signed,
    text,
    varint,
)

_CUMULATIVE: Final = 2
_SUMMARY: Final = 11
_SHAPES: Final = {5: Shape.GAUGE, 7: Shape.SUM, 9: Shape.HISTOGRAM, 10: Shape.HISTOGRAM}
_EXPONENTIAL: Final = 10
_ATTRIBUTES: Final = {5: 0x3A, 7: 0x3A, 9: 0x4A, 10: 0x0A}
"""The tag of a point's attributes, by the number of its metric's field."""
_FIRST: Final = 0x09
"""The tag of a field 1 of eight octets; below it none has a number."""
_SINGLE_BUCKETS: Final = {0x31, 0x39}
_OCTET: Final = 0x80
_LONG_OCTETS: Final = 4096
"""The fields of a point that is longer are counted: it may be thousands of values."""
_OCTETS: Final = 8
_LOOKED_AT: Final = 1_000
"""Fields that are stepped over in about a millisecond."""
_Place: TypeAlias = tuple[int, int]


class _Told:
    """A point as it is read."""

    __slots__ = ("attributes", "bounds", "counts", "negative", "numbers", "offset", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.numbers: dict[int, int] = {}
        """By the number of the field; of one of eight octets where they are."""
        self.attributes: Attributes = {}
        self.bounds: list[float] = []
        self.counts: list[int] = []
        self.negative = 0
        self.offset = 0

    def whole(self, field: int) -> int:
        """Read a whole number of eight octets."""
        at = self.numbers.get(field)
        return 0 if at is None else fixed(self.raw, at)

    def fraction(self, field: int) -> float | None:
        """Read a number that may be a fraction."""
        at = self.numbers.get(field)
        return None if at is None else double(self.raw, at)


def read_protobuf(reader: MetricReader, raw: bytes) -> Generator[None]:
    """Read an ExportMetricsServiceRequest; stops now and then, so that others may work.

    Raises: OtlpUnreadable
    """
    pace = Pace(SLICE_POINTS)
    with early_ends():
        for number, kind, begin, end in fields(raw, 0, len(raw)):
            if pace.due(0):
                yield
            if number != 1 or kind != LENGTH:
                continue
            octets, scopes = resource_and_scopes(raw, begin, end)
            reader.begin_resource(tidy_attributes(attributes_of(octets, 0, len(octets), Parts()), {}))
            for scope in scopes:
                if pace.due(0):
                    yield
                for field, field_kind, at, until in fields(raw, *scope):
                    if pace.due(0):
                        yield
                    if field == 2 and field_kind == LENGTH:  # noqa: PLR2004 - metrics
                        yield from _metric(reader, raw, (at, until), pace)


def _metric(reader: MetricReader, raw: bytes, place: _Place, pace: Pace) -> Generator[None]:
    """Read the points of a metric."""
    name = unit = ""
    number, points = 0, (0, 0)
    parts = Parts()
    for field, kind, begin, end in fields(raw, *place):
        parts.take()
        if kind != LENGTH:
            continue
        if field == 1:
            name = text(raw[begin:end])
        elif field == 3:  # noqa: PLR2004 - unit
            unit = text(raw[begin:end])
        elif field in _SHAPES or field == _SUMMARY:
            number, points = field, (begin, end)
    shape = _SHAPES.get(number)
    cumulative, monotonic = yield from _in_common(raw, points)
    metric = None
    if shape is not None:
        monotonic = monotonic or shape is not Shape.SUM
        metric = Metric(name=name, unit=unit, shape=shape, cumulative=cumulative, monotonic=monotonic)
    yield from _read_points(reader, raw, points, metric, number, pace)


def _read_points(
    reader: MetricReader, raw: bytes, place: _Place, metric: Metric | None, number: int, pace: Pace
) -> Generator[None]:
    """Read points; those of a summary are counted alone."""
    for field, kind, begin, end in fields(raw, *place):
        if field == 1 and kind == LENGTH:
            if metric is None:
                reader.not_taken += 1
            else:
                reader.add(metric, _point(raw, begin, end, number))
        if pace.due(end - begin):
            yield


def _in_common(raw: bytes, place: _Place) -> Generator[None, None, tuple[bool, bool]]:
    """Read what is told of all points, usually behind them: whether they are running totals, and only grow."""
    cumulative = monotonic = False
    pace = Pace(_LOOKED_AT)
    for field, kind, begin, _ in fields(raw, *place):
        if field == 2 and kind == VARINT:  # noqa: PLR2004 - aggregation_temporality
            cumulative = begin == _CUMULATIVE
        elif field == 3 and kind == VARINT:  # noqa: PLR2004 - is_monotonic
            monotonic = bool(begin)
        if pace.due(0):
            yield
    return cumulative, monotonic


def _point(  # noqa: C901 - one loop over the fields: a call each would cost as much as all of it
    raw: bytes, at: int, end: int, number: int
) -> Point:
    of_numbers = number in {5, 7}
    attributes = _ATTRIBUTES[number]
    told = _Told(raw)
    own, numbers, known = told.attributes, told.numbers, KNOWN
    parts = Parts() if end - at > _LONG_OCTETS else None
    while at < end:
        if parts is not None:
            parts.take()
        tag = raw[at]
        if tag == attributes:
            size, begin = raw[at + 1], at + 2
            if size >= _OCTET:
                size, begin = varint(raw, at + 1)
            at = begin + size
            octets = raw[begin:at]
            pair = known.get(octets)
            if pair is None:
                pair = learn(octets, parts)
            own[pair[0]] = pair[1]
        elif tag & 7 == FIXED64 and _FIRST <= tag < _OCTET:
            numbers[tag >> 3] = at + 1
            at += 9
            if number == 9 and tag in _SINGLE_BUCKETS:  # noqa: PLR2004 - buckets that are not packed
                _bucket(told, tag >> 3, raw[at - 8 : at])
        else:
            field, kind, begin, at = next(fields(raw, at, end))
            if kind in {VARINT, FIXED64}:
                numbers[field] = begin
            elif kind == LENGTH and not of_numbers:
                _read_buckets(told, raw, (begin, at), number, field)
    if at > end:
        raise OtlpUnreadable("a field is longer than what it is in")
    return Point(
        at_ns=told.whole(3),
        start_ns=told.whole(2),
        attributes=own if len(own) <= DEFAULT_LIMITS.attributes_max else tidy_attributes(own, {}),
        values=_VALUES[number](told),
        bounds=growing(tuple(told.bounds)) if told.counts and number == 9 else None,  # noqa: PLR2004 - a histogram of bounds
    )


def _read_buckets(told: _Told, raw: bytes, place: _Place, number: int, field: int) -> None:
    begin, end = place
    if number == _EXPONENTIAL and field in {8, 9}:
        offset, counts = _side(raw, place)
        if field == 8:  # noqa: PLR2004 - positive
            told.offset, told.counts = offset, counts
        else:
            told.negative = sum(counts)
    elif number != _EXPONENTIAL and field in {6, 7}:
        _bucket(told, field, raw[begin:end])


def _bucket(told: _Told, field: int, octets: bytes) -> None:
    """Read counts or bounds, packed or one by one."""
    count = len(octets) // _OCTETS
    if len(octets) % _OCTETS:
        raise OtlpUnreadable("buckets end too early")
    if field == 6:  # noqa: PLR2004 - bucket_counts
        _no_more_than(count + len(told.counts))
        told.counts += struct.unpack(f"<{count}Q", octets)
    else:
        _no_more_than(count + len(told.bounds))
        told.bounds += struct.unpack(f"<{count}d", octets)


def _side(raw: bytes, place: _Place) -> tuple[int, list[int]]:
    """Read the buckets of one side of an exponential histogram: where they begin, and their counts."""
    offset = 0
    counts: list[int] = []
    parts = Parts()
    for number, kind, begin, end in fields(raw, *place):
        parts.take()
        if number == 1 and kind == VARINT:
            offset = _zigzag(begin)
        elif number == 2 and kind == VARINT:  # noqa: PLR2004 - bucket_counts, one by one
            counts.append(begin)
        elif number == 2 and kind == LENGTH:  # noqa: PLR2004 - bucket_counts, packed
            at = begin
            while at < end:
                count, at = varint(raw, at)
                counts.append(count)
                _no_more_than(len(counts))
    _no_more_than(len(counts))
    return offset, counts


def _no_more_than(buckets: int) -> None:
    if buckets > BUCKETS_MAX + 1:
        raise OtlpUnreadable(f"a histogram has more than {BUCKETS_MAX} buckets")


def _zigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _number(told: _Told) -> float:
    fraction = told.fraction(4)
    return signed(told.whole(6)) if fraction is None else fraction


def _measured(told: _Told) -> Histogram:
    return of_values([_number(told)])


def _sum(told: _Told) -> Histogram:
    return amount(_number(told))


def _explicit(told: _Told) -> Histogram:
    values = explicit(tuple(told.bounds), told.counts, told.whole(4), told.fraction(5) or 0.0)
    return between(values, told.fraction(11), told.fraction(12))


def _exponential(told: _Told) -> Histogram:
    zeros = told.whole(7) + told.negative
    scale = _zigzag(told.numbers.get(6, 0))
    values = exponential(scale, zeros, told.offset, told.counts, total=told.fraction(5) or 0.0)
    return between(values, told.fraction(12), told.fraction(13))


_VALUES: Final[dict[int, Callable[[_Told], Histogram]]] = {5: _measured, 7: _sum, 9: _explicit, 10: _exponential}
"""What a point's distribution is made of, by the number of its metric's field."""
