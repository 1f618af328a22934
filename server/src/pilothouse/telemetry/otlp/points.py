"""Data points as OpenTelemetry tells them, whatever they were written in."""

from enum import Enum

import msgspec

from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.model import Attributes


class Shape(Enum):
    """What kind of points a metric has."""

    GAUGE = "gauge"
    SUM = "sum"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """What the points of a metric have in common."""

    name: str
    unit: str = ""
    shape: Shape
    cumulative: bool = False
    """Whether its points are running totals."""
    monotonic: bool = True
    """Of a sum: whether it only grows."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point."""

    at_ns: int
    start_ns: int
    attributes: Attributes
    values: Histogram
    """In the metric's own unit. Of a gauge one measurement; of a sum its amount as `sum`."""
    bounds: tuple[float, ...] | None = None
    """Of a histogram whose buckets are numbered by the bounds that were told."""
