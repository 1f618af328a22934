"""The port that every telemetry store implements. `server/tests/telemetry/contract` says what each of them keeps."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from pilothouse.telemetry.model import Level, LogBatch, LogLine, MetricBatch, Position, SpanBatch
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Arrivals,
    LogFilter,
    LogPage,
    LogQuestion,
    MetricQuestion,
    Scope,
    Series,
    SpanPage,
    SpanQuestion,
    TracePage,
    TraceQuestion,
    TraceSpans,
    Usage,
)

TIMEOUT_S = 10.0
"""How long an answer may take unless the asker says otherwise."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much is kept of one environment's records of one sort."""

    age_s: float = 14 * 86_400.0
    size_bytes: int | None = None
    """None leaves it to the budget of the whole store."""


RecordSort = Literal["logs", "metrics", "spans"]


class Retentions(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much is kept, by sort and by environment; the nearest rule counts whole, nothing is merged."""

    by_sort: dict[RecordSort, Retention] = {}
    by_environment: dict[str, dict[RecordSort, Retention]] = {}
    """Environment id, then sort; what an environment does not name is as in `by_sort`."""

    def of(self, sort: RecordSort, environment_id: str | None) -> Retention:
        """Find the rule for one sort of an environment's records, or of the unclaimed ones."""
        own = self.by_environment.get(environment_id or "", {}).get(sort)
        return own or self.by_sort.get(sort) or _KEPT_UNLESS_SAID


_KEPT_UNLESS_SAID = Retention()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime said around a line, in the order of time."""

    before: Sequence[LogLine]
    line: LogLine
    after: Sequence[LogLine]


class TelemetryStore(Protocol):
    """Keeps telemetry and answers questions about it.

    Every question can be cancelled by cancelling its task, and raises `QuestionTimeout` after `timeout_s`, `StoreDown`
    when it could not be answered, and `InvalidInput` when it makes no sense. What was acknowledged is in the next answer.
    """

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines; when it returns they are on disk.

        Raises: StoreBusy, StorageFull; then none of them is kept.
        """
        ...

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points, as `append_logs` does."""
        ...

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans, as `append_logs` does."""
        ...

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time. Going on behind the last position neither skips nor repeats a line that was there."""
        ...

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        ...

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        ...

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step (its begin, s since the epoch) and level, within bounded time; empty steps are left out."""
        ...

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line.

        Raises: NotFound
        """
        ...

    def export_logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces, without holding them; `limit` is a piece's size, the time-out a piece's."""
        ...

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        ...

    async def metric_names(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
        """List the names of the metrics of a scope in the order of the alphabet, at most `METRIC_NAMES_MAX`."""
        ...

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        ...

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace that the scope lets through, by their begin; none when there is no such trace."""
        ...

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans. Going on behind the last position neither skips nor repeats a span that was there."""
        ...

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove what is too old or too much; returns how many files or records went."""
        ...

    async def usage(self) -> Usage:
        """Tell how full it is."""
        ...

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        ...
