"""A store that is opened by the first who needs it: a control plane that nobody sends telemetry to pays nothing for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from pilothouse.base.errors import CannotStart
from pilothouse.telemetry.errors import StoreDown
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
from pilothouse.telemetry.store import TIMEOUT_S, Context, Retentions, TelemetryStore

PATIENCE_S = 8.0
"""How long a call waits for the store to be opened; senders wait 10 s by default."""


class OpenedOnUse:
    """`TelemetryStore` that passes everything on to another one, which it opens first.

    Every method raises `StoreDown` when it cannot be opened: then nothing was kept, and the next call tries again. Who
    asks while it is being opened shares that attempt, and its outcome.
    """

    def __init__(self, open_store: Callable[[], Awaitable[TelemetryStore]]) -> None:
        self._open = open_store
        self._store: TelemetryStore | None = None
        self._opening: asyncio.Task[TelemetryStore] | None = None

    @property
    def is_open(self) -> bool:
        """Whether anybody needed it so far."""
        return self._store is not None

    async def _opened(self) -> TelemetryStore:
        if self._store is not None:
            return self._store
        if self._opening is None:
            self._opening = asyncio.create_task(self._try(), name="telemetry-opening")
            self._opening.add_done_callback(self._tried)
        try:
            return await asyncio.wait_for(asyncio.shield(self._opening), PATIENCE_S)
        except TimeoutError:
            raise StoreDown("The telemetry store is still being opened.") from None

    async def _try(self) -> TelemetryStore:
        try:
            self._store = await self._open()
        except CannotStart as error:  # the control plane has started, and does all else meanwhile
            raise StoreDown(error.message, fix=error.fix) from None
        return self._store

    def _tried(self, attempt: "asyncio.Task[TelemetryStore]") -> None:
        """Let the next call try again, and look at a failure whose askers have all left."""
        self._opening = None
        if not attempt.cancelled():
            attempt.exception()

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        await (await self._opened()).append_logs(batches)

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points."""
        await (await self._opened()).append_metrics(batches)

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans."""
        await (await self._opened()).append_spans(batches)

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time."""
        return await (await self._opened()).logs(question, timeout_s=timeout_s)

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        return await (await self._opened()).arrivals(question, timeout_s=timeout_s)

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        return await (await self._opened()).count_logs(scope, filter_, timeout_s=timeout_s)

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step and level."""
        return await (await self._opened()).levels(scope, filter_, step_s, timeout_s=timeout_s)

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line."""
        return await (await self._opened()).context(scope, at, before=before, after=after, timeout_s=timeout_s)

    async def export_logs(
        self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S
    ) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces."""
        store = await self._opened()
        async for piece in store.export_logs(question, timeout_s=timeout_s):
            yield piece

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        return await (await self._opened()).metrics(question, timeout_s=timeout_s)

    async def metric_names(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
        """List the names of metrics."""
        return await (await self._opened()).metric_names(scope, timeout_s=timeout_s)

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        return await (await self._opened()).traces(question, timeout_s=timeout_s)

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace."""
        return await (await self._opened()).trace(scope, trace_id, timeout_s=timeout_s)

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans."""
        return await (await self._opened()).spans(question, timeout_s=timeout_s)

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove what is too old or too much."""
        return await (await self._opened()).retain(now_ns, retentions)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        return await (await self._opened()).usage()

    async def close(self) -> None:
        """Close the other one, if anybody needed it."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._store is not None:
            await self._store.close()
