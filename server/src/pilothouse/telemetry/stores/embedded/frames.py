"""What the control plane and the store's process say to each other: MessagePack behind a length of four octets."""

from enum import Enum
from typing import TypeAlias

import msgspec

from pilothouse.telemetry.model import Level
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    LogFilter,
    LogQuestion,
    MetricQuestion,
    Scope,
    SpanQuestion,
    TraceQuestion,
)
from pilothouse.telemetry.store import Retentions

LENGTH_OCTETS = 4


class Sort(Enum):
    """A sort of records; each has its journal, and files of its own."""

    LOGS = "logs"
    METRICS = "metrics"
    SPANS = "spans"


class Lines(LogQuestion, frozen=True, kw_only=True, tag="lines"):
    """`TelemetryStore.logs`."""


class Arrived(ArrivalQuestion, frozen=True, kw_only=True, tag="arrived"):
    """`TelemetryStore.arrivals`."""


class Count(msgspec.Struct, frozen=True, kw_only=True, tag="count"):
    """`TelemetryStore.count_logs`."""

    scope: Scope
    filter: LogFilter


class Levels(msgspec.Struct, frozen=True, kw_only=True, tag="levels"):
    """`TelemetryStore.levels`."""

    scope: Scope
    filter: LogFilter
    step_s: int


class Metrics(MetricQuestion, frozen=True, kw_only=True, tag="metrics"):
    """`TelemetryStore.metrics`."""


class Names(msgspec.Struct, frozen=True, kw_only=True, tag="names"):
    """`TelemetryStore.metric_names`."""

    scope: Scope


class SpanList(SpanQuestion, frozen=True, kw_only=True, tag="spans"):
    """`TelemetryStore.spans`."""


class Traces(TraceQuestion, frozen=True, kw_only=True, tag="traces"):
    """`TelemetryStore.traces`."""


class SpansOf(msgspec.Struct, frozen=True, kw_only=True, tag="spans_of"):
    """`TelemetryStore.spans_of`."""

    scope: Scope
    trace_ids: tuple[str, ...]


class AskUsage(msgspec.Struct, frozen=True, kw_only=True, tag="usage"):
    """`TelemetryStore.usage`."""


class Retain(msgspec.Struct, frozen=True, kw_only=True, tag="retain"):
    """`TelemetryStore.retain`."""

    now_ns: int
    retentions: Retentions


Question: TypeAlias = (
    Lines | Arrived | Count | Levels | Metrics | Names | Traces | SpansOf | SpanList | AskUsage | Retain
)


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """A question, to be answered by an `Answer` or a `Failure` of the same number."""

    id: int
    timeout_s: float
    durable: dict[Sort, int]
    """Next number of each journal: what lies before it was acknowledged, and must be in the answer."""
    question: Question


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Nobody waits for that answer any more."""

    id: int


class Advanced(msgspec.Struct, frozen=True, kw_only=True, tag="advanced"):
    """A journal may be read up to this number."""

    sort: Sort
    next_number: int


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """Write what waits and end."""


ToProcess: TypeAlias = Ask | Cancel | Advanced | Stop


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """What was asked for."""

    id: int
    body: msgspec.Raw


class Fault(Enum):
    """Why there is no answer."""

    INVALID = "invalid"
    TIMEOUT = "timeout"
    BUSY = "busy"
    FULL = "full"
    BROKEN = "broken"


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """Why there is no answer."""

    id: int
    fault: Fault
    message: str
    field: str | None = None
    """Of what is invalid."""
    fix: str = ""


class Flushed(msgspec.Struct, frozen=True, kw_only=True, tag="flushed"):
    """Everything before this number of a journal is in its files."""

    sort: Sort
    number: int


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The files are open."""

    flushed: dict[Sort, int]


FromProcess: TypeAlias = Answer | Failure | Flushed | Ready

UsageFigures: TypeAlias = tuple[int, int, int, list[tuple[str, str | None, int, int, int | None, int | None]]]
"""Octets on disk, octets in memory, files removed early; sort, environment, octets, records, oldest, newest of each."""

LevelCounts: TypeAlias = list[tuple[int, Level, int]]


def framed(message: object) -> bytes:
    """Write a message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH_OCTETS, "big") + body
