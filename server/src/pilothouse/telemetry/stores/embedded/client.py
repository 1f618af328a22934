"""The store as the control plane sees it: the journals are written here, questions go to the process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pilothouse.telemetry import composed
from pilothouse.telemetry.model import Level, LogBatch, LogLine, MetricBatch, Position, SpanBatch
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Arrivals,
    EnvironmentUsage,
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
from pilothouse.telemetry.store import TIMEOUT_S, Context, Retentions
from pilothouse.telemetry.stores.embedded.footing import Footing, OwnFooting
from pilothouse.telemetry.stores.embedded.frames import (
    Arrived,
    AskUsage,
    Count,
    LevelCounts,
    Levels,
    Lines,
    Metrics,
    Names,
    Question,
    Retain,
    Sort,
    SpanList,
    SpansOf,
    Traces,
    UsageFigures,
)
from pilothouse.telemetry.stores.embedded.link import STOP_S
from pilothouse.telemetry.stores.embedded.packed import pack
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings

T = TypeVar("T")


class EmbeddedStore:
    """`TelemetryStore` on this machine, in files of its own. Made by `open`."""

    def __init__(self, footing: Footing, *, budget_bytes: int) -> None:
        self._footing, self._budget_bytes = footing, budget_bytes

    @classmethod
    async def open(cls, settings: EmbeddedSettings) -> "EmbeddedStore":
        """Open or make the store and start its process.

        Raises: CannotStart
        """
        return cls(await OwnFooting.open(settings), budget_bytes=settings.budget_bytes)

    @property
    def process_id(self) -> int | None:
        """The process that answers, while there is one."""
        return self._footing.process_id

    @property
    def footing(self) -> Footing:
        """What it stands on."""
        return self._footing

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        number = sum(len(batch.records) for batch in batches)
        if number:
            await self._footing.append(Sort.LOGS, pack(batches), number)

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points."""
        await self._append(Sort.METRICS, batches)

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans."""
        await self._append(Sort.SPANS, batches)

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time."""
        return await self._ask(Lines(**msgspec.structs.asdict(question)), LogPage, timeout_s)

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        return await self._ask(Arrived(**msgspec.structs.asdict(question)), Arrivals, timeout_s)

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        return await self._ask(Count(scope=scope, filter=filter_), int, timeout_s)

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step and level."""
        rows = await self._ask(Levels(scope=scope, filter=filter_, step_s=step_s), _LEVEL_COUNTS, timeout_s)
        steps: dict[int, dict[Level, int]] = {}
        for begin_s, level, number in rows:
            steps.setdefault(begin_s, {})[level] = number
        return steps

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line."""
        return await composed.context(self, scope, at, before=before, after=after, timeout_s=timeout_s)

    def export_logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces."""
        return composed.export_logs(self, question, timeout_s=timeout_s)

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        return await self._ask(Metrics(**msgspec.structs.asdict(question)), list[Series], timeout_s)

    async def metric_names(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
        """List the names of metrics."""
        return await self._ask(Names(scope=scope), list[str], timeout_s)

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        return await self._ask(Traces(**msgspec.structs.asdict(question)), TracePage, timeout_s)

    async def spans_of(
        self, scope: Scope, trace_ids: Sequence[str], *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[str, TraceSpans]:
        """Give the spans of traces."""
        question = SpansOf(scope=scope, trace_ids=tuple(trace_ids))
        return await self._ask(question, dict[str, TraceSpans], timeout_s)

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace."""
        return await composed.trace(self, scope, trace_id, timeout_s=timeout_s)

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans."""
        return await self._ask(SpanList(**msgspec.structs.asdict(question)), SpanPage, timeout_s)

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove what is too old or too much."""
        return await self._ask(Retain(now_ns=now_ns, retentions=retentions), int, STOP_S)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        waiting = await self._footing.waiting()
        on_disk, memory, removed, rows = await self._ask(AskUsage(), _USAGE, TIMEOUT_S)
        parts = [
            EnvironmentUsage(
                sort=sort, environment_id=id_, bytes_on_disk=size, records=records, oldest_ns=oldest, newest_ns=newest
            )
            for sort, id_, size, records, oldest, newest in rows
        ]
        return Usage(
            bytes_on_disk=on_disk,
            budget_bytes=self._budget_bytes,
            memory_bytes=memory,
            waiting_bytes=waiting.bytes_on_disk,
            removed_early=removed,
            restarts=waiting.restarts,
            parts=parts,
        )

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        await self._footing.close()

    async def _append(self, sort: Sort, batches: Sequence[MetricBatch | SpanBatch]) -> None:
        number = sum(len(batch.records) for batch in batches)
        if number:
            await self._footing.append(sort, msgspec.msgpack.encode(batches), number)

    async def _ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        return await self._footing.ask(question, answer, timeout_s)


_LEVEL_COUNTS: Any = LevelCounts  # Any: a generic alias is no class to the type checker
_USAGE: Any = UsageFigures
