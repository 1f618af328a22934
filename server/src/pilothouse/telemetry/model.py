"""What is recorded: log lines, metric points, spans, and where each of them came from."""

from collections.abc import Sequence
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from pilothouse.telemetry.histogram import Histogram

if TYPE_CHECKING:
    AttributeValue: TypeAlias = str | int | float | bool | list["AttributeValue"] | dict[str, "AttributeValue"] | None
    Attributes: TypeAlias = dict[str, AttributeValue]
else:  # msgspec knows no recursive aliases, and any value does for it
    AttributeValue = Any
    Attributes = dict[str, Any]

NS_A_SECOND = 1_000_000_000


class Origin(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Whom a record belongs to. What no runtime of ours can be found for is *unclaimed*: it has no project.

    It is stamped on the record when it arrives, so that records outlive their runtime.
    """

    project_id: str | None = None
    integration_id: str | None = None
    environment_id: str | None = None
    runtime_id: str | None = None
    """The identity that the runtime gives itself; an unclaimed record may have one that we do not know."""
    runtime_key: int | None = None
    """Our own number of the runtime."""

    @property
    def unclaimed(self) -> bool:
        """Whether nobody in the tree owns it."""
        return self.project_id is None


UNCLAIMED = Origin()


class Level(IntEnum):
    """How grave a log line is: the first of OTLP's four severity numbers of each name."""

    TRACE = 1
    DEBUG = 5
    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


def level_of(severity: int) -> Level:
    """Return the level of an OTLP severity number; what has none counts as INFO."""
    return Level((severity - 1) // 4 * 4 + 1) if 1 <= severity <= 24 else Level.INFO  # noqa: PLR2004 - OTLP's range


class LogRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """One log line as it is stored. Its attributes hold plain values alone, so that no circle can pass through it."""

    at_ns: int
    """When it was said. Units: ns since the epoch, UTC."""
    message: str
    severity: int = Level.INFO.value
    """OTLP's severity number, 1 to 24."""
    logger: str = ""
    """Logger, class or module that said it."""
    trace_id: str = ""
    """32 hex digits in lower case, or nothing."""
    span_id: str = ""
    """16 hex digits in lower case, or nothing."""
    attributes: Attributes = {}

    @property
    def level(self) -> Level:
        """Its level."""
        return level_of(self.severity)


class LogBatch(msgspec.Struct, frozen=True, array_like=True):
    """Lines of one origin."""

    origin: Origin
    records: Sequence[LogRecord]


class MetricKind(Enum):
    """What the numbers of a metric mean, and so how two points of it become one."""

    DISTRIBUTION = "distribution"
    """Observations, such as request times: merged."""
    COUNTER = "counter"
    """How much was added in the point's interval: added up."""
    GAUGE = "gauge"
    """What was measured: kept as number, sum, least and greatest."""


class MetricPoint(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a metric did in one interval that ends at `at_ns`; always a difference, never a running total."""

    at_ns: int
    name: str
    """The OpenTelemetry name, such as `http.server.request.duration`."""
    values: Histogram
    kind: MetricKind = MetricKind.DISTRIBUTION
    service: str = ""
    resource: str = ""
    """Accessor and path template, such as `GET /orders/{id}`; never a URL with ids in it."""
    status: str = ""
    """Status as told, such as `200` or `5xx`."""
    failed: bool = False
    outbound: bool = False
    """A call that the integration makes, not one that it answers."""


class MetricBatch(msgspec.Struct, frozen=True, array_like=True):
    """Points of one origin."""

    origin: Origin
    records: list[MetricPoint]


class SpanKind(Enum):
    """What part a span plays between two programs, in OTLP's words."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class SpanRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One span as it is stored."""

    at_ns: int
    """When it began. Units: ns since the epoch, UTC."""
    duration_ns: int
    trace_id: str
    span_id: str
    parent_id: str = ""
    """Span id of the one that caused it; nothing for a trace's first."""
    name: str = ""
    kind: SpanKind = SpanKind.INTERNAL
    service: str = ""
    failed: bool = False
    attributes: Attributes = {}


class SpanBatch(msgspec.Struct, frozen=True, array_like=True):
    """Spans of one origin."""

    origin: Origin
    records: list[SpanRecord]


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A place in a list of records: `number` tells records of one moment apart, and never changes."""

    at_ns: int
    number: int


class LogLine(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A stored line, where it came from, and its place among all lines."""

    record: LogRecord
    origin: Origin
    number: int
    """Grows with arrival; no two lines share one."""

    @property
    def position(self) -> Position:
        """Its place in a listing by time."""
        return Position(self.record.at_ns, self.number)


class Span(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A stored span, where it came from, and its place among all spans."""

    record: SpanRecord
    origin: Origin
    number: int

    @property
    def position(self) -> Position:
        """Its place in a listing by time."""
        return Position(self.record.at_ns, self.number)
