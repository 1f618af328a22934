"""From OpenTelemetry's data points to ours: names, units, what failed, and what was added since the last time.

Source: OpenTelemetry, "Semantic Conventions for HTTP Metrics", "Metrics Data Model".
"""

from collections.abc import Hashable, Sequence
from typing import Final

from pilothouse.telemetry.histogram import Histogram, index_of, middle_of, of_bounds, of_values
from pilothouse.telemetry.limits import DEFAULT_LIMITS, text_of
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, MetricKind, MetricPoint
from pilothouse.telemetry.otlp.naming import runtime_id_of, service_of
from pilothouse.telemetry.otlp.points import Metric, Point, Shape
from pilothouse.telemetry.senders import Told
from pilothouse.telemetry.temporality import Differences, Step

_SECONDS: Final = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_OLD_NAMES: Final = {
    "http.server.duration": "http.server.request.duration",
    "http.client.duration": "http.client.request.duration",
}
SLICE_POINTS: Final = 50
"""Points between two breaks in which others may work, about a millisecond."""
_NAME_CHARACTERS_MAX: Final = 200
_RESOURCE_CHARACTERS_MAX: Final = 256
_STATUS_CHARACTERS_MAX: Final = 64
_SERVER_FAILS, _CLIENT_FAILS = 500, 400


class MetricReader:
    """Reads the points of one request; what it has read lies in `told`.

    Whether points are stored is known only later: until then `undo` can take back what it noted of running totals.
    """

    def __init__(self, observed_ns: int, differences: Differences, sender: Hashable) -> None:
        """`sender` tells one sender's series from another's."""
        self._observed_ns = observed_ns
        self._differences = differences
        self._sender = sender
        self._by_runtime: dict[str | None, list[MetricPoint]] = {}
        self._resource: Attributes = {}
        self._resource_key: Hashable = ()
        self._steps: list[Step] = []
        self.not_taken = 0
        """Points of a kind that cannot be kept."""

    @property
    def told(self) -> list[Told[MetricPoint]]:
        """The points of each runtime."""
        return [Told(runtime_id, records) for runtime_id, records in self._by_runtime.items()]

    def begin_resource(self, attributes: Attributes) -> None:
        """Go on with the points of a resource."""
        self._resource = attributes
        self._resource_key = _key(attributes)

    def add(self, metric: Metric, point: Point) -> None:
        """Take a point."""
        kind = _kind(metric)
        if kind is None:
            self.not_taken += 1
            return
        values = point.values
        if metric.cumulative and kind is not MetricKind.GAUGE:
            series = (self._sender, self._resource_key, metric.name, _key(point.attributes), point.bounds)
            added = self._differences.added(series, point.start_ns, point.at_ns, values, self._steps.append)
            if added is None or (added.sum < 0 and kind is MetricKind.COUNTER):
                return
            values = added
        if point.bounds is not None:
            values = of_bounds(values, point.bounds, point.values)
        if kind is MetricKind.COUNTER:
            if not values.sum:
                return
            values = Histogram(count=1, sum=values.sum)
        elif metric.shape is Shape.SUM:
            values = of_values([values.sum])
        if not values.count:
            return
        runtime_id = runtime_id_of(point.attributes) or runtime_id_of(self._resource)
        self._by_runtime.setdefault(runtime_id, []).append(self._named(metric, kind, point, values))

    def undo(self) -> None:
        """Forget the running totals of this request, so that sending it again counts them."""
        self._differences.undo(self._steps)

    def _named(self, metric: Metric, kind: MetricKind, point: Point, values: Histogram) -> MetricPoint:
        name = _OLD_NAMES.get(metric.name, metric.name)
        factor = _SECONDS.get(metric.unit)
        at_ns = point.at_ns
        limits = DEFAULT_LIMITS
        if not -limits.behind_s_max <= (at_ns - self._observed_ns) / NS_A_SECOND <= limits.ahead_s_max:
            at_ns = self._observed_ns
        outbound = ".client." in name
        status, failed = _outcome(point.attributes, outbound=outbound)
        return MetricPoint(
            at_ns=at_ns,
            name=text_of(name)[:_NAME_CHARACTERS_MAX],
            values=values if factor is None else scaled(values, factor),
            kind=kind,
            service=service_of(self._resource)[: limits.key_characters_max],
            resource=_resource(name, point.attributes)[:_RESOURCE_CHARACTERS_MAX],
            status=status[:_STATUS_CHARACTERS_MAX],
            failed=failed,
            outbound=outbound,
        )


def scaled(values: Histogram, factor: float) -> Histogram:
    """Return the distribution in another unit; each bucket goes where its middle goes."""
    buckets: dict[int, int] = {}
    for index, count in values.buckets.items():
        moved = index_of(middle_of(index) * factor)
        buckets[moved] = buckets.get(moved, 0) + count
    return Histogram(
        count=values.count,
        sum=values.sum * factor,
        low=None if values.low is None else values.low * factor,
        high=None if values.high is None else values.high * factor,
        zeros=values.zeros,
        buckets=buckets,
    )


def _kind(metric: Metric) -> MetricKind | None:
    if metric.shape is Shape.HISTOGRAM:
        return MetricKind.DISTRIBUTION
    if metric.shape is Shape.GAUGE:
        return MetricKind.GAUGE
    if metric.monotonic:
        return MetricKind.COUNTER
    return MetricKind.GAUGE if metric.cumulative else None  # how much there is, told as changes, has no beginning


def _key(attributes: Attributes) -> Hashable:
    return frozenset((key, str(value)) for key, value in attributes.items())


def _text(attributes: Attributes, *keys: str) -> str:
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return text_of(str(value))
    return ""


def _outcome(attributes: Attributes, *, outbound: bool) -> tuple[str, bool]:
    status = _text(attributes, "http.response.status_code", "http.status_code", "rpc.grpc.status_code")
    failed = "error.type" in attributes
    if status.isdecimal() and "rpc.grpc.status_code" not in attributes:
        failed = failed or int(status[:6]) >= (_CLIENT_FAILS if outbound else _SERVER_FAILS)
    return status or _text(attributes, "error.type"), failed


def _resource(name: str, attributes: Attributes) -> str:
    """Name what is asked for; never by a URL, since ids in it would make every call a resource of its own."""
    if name.startswith("http."):
        method = _text(attributes, "http.request.method", "http.method") or "?"
        return f"{method} {_text(attributes, 'http.route', 'url.template') or '?'}"
    if name.startswith("rpc."):
        return "/".join(part for part in (_text(attributes, "rpc.service"), _text(attributes, "rpc.method")) if part)
    if name.startswith("messaging."):
        parts: Sequence[str] = (
            _text(attributes, "messaging.operation.name", "messaging.operation"),
            _text(attributes, "messaging.destination.template", "messaging.destination.name"),
        )
        return " ".join(part for part in parts if part)
    if name.startswith("db."):
        parts = (_text(attributes, "db.operation.name"), _text(attributes, "db.collection.name"))
        return " ".join(part for part in parts if part)
    if name == "pilothouse.telemetry.dropped":
        return _text(attributes, "reason")
    return ""
