"""`TelemetryStore` over an OpenSearch cluster."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from pilothouse.base.errors import PilothouseError
from pilothouse.telemetry import composed
from pilothouse.telemetry.model import Level, LogBatch, LogLine, MetricBatch, Origin, Position, SpanBatch
from pilothouse.telemetry.questions import (
    Admission,
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
from pilothouse.telemetry.store import TIMEOUT_S, Context, Retentions
from pilothouse.telemetry.stores.opensearch import figures, spans
from pilothouse.telemetry.stores.opensearch.connection import Connection, within
from pilothouse.telemetry.stores.opensearch.documents import log_document, metric_document, span_document
from pilothouse.telemetry.stores.opensearch.lines import Lines, ordered
from pilothouse.telemetry.stores.opensearch.numbers import Numbers
from pilothouse.telemetry.stores.opensearch.regex import Expressions
from pilothouse.telemetry.stores.opensearch.searching import Fresh, Search
from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings
from pilothouse.telemetry.stores.opensearch.upkeep import Upkeep
from pilothouse.telemetry.stores.opensearch.writing import Writer
from pilothouse.telemetry.stores.opensearch.wso2 import ForeignLines
from pilothouse.telemetry.stores.opensearch.wso2_arrivals import ForeignArrivals
from pilothouse.telemetry.stores.opensearch.wso2_documents import Origins
from pilothouse.telemetry.stores.opensearch.wso2_filter import tests_of
from pilothouse.telemetry.stores.opensearch.wso2_metrics import ForeignMetrics


def unknown(runtime_id: str) -> Origin:
    """Say of every runtime that nobody knows it."""
    return Origin(runtime_id=runtime_id)


class OpenSearchStore:
    """Keeps telemetry in a cluster; several control planes may share it."""

    def __init__(self, settings: OpenSearchSettings, origins: Origins = unknown) -> None:
        self._connection = Connection(settings)
        self._numbers = Numbers(self._connection, f"{settings.prefix}-writers")
        self._writer = Writer(self._connection, self._numbers, settings.prefix)
        self._fresh = Fresh(self._connection, settings.prefix)
        self._search = Search(self._connection, settings.prefix, self._fresh)
        self._expressions = Expressions()
        self._lines = Lines(self._search, self._expressions)
        self._foreign = ForeignLines(self._connection, origins) if settings.wso2 else None
        self._foreign_arrivals = (
            ForeignArrivals(self._connection, self._numbers, origins, self._foreign.clock_of) if self._foreign else None
        )
        self._foreign_metrics = ForeignMetrics(self._connection, origins) if settings.wso2 else None
        self._upkeep = Upkeep(self._connection, settings.prefix, self._fresh)

    @classmethod
    async def open(cls, settings: OpenSearchSettings, origins: Origins = unknown) -> "OpenSearchStore":
        """Reach the cluster, put the templates there, and get a writer's number.

        `origins` tells whose a runtime is that is known by its own identity: asked for what WSO2's indices hold.

        Raises: StoreDown, StoreBusy, CannotStart
        """
        store = cls(settings, origins)
        try:
            await store._upkeep.prepare()
            await store._numbers.ready()
        except BaseException:
            await store._connection.close()
            raise
        return store

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        await self._writer.append("logs", batches, log_document)

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points."""
        await self._writer.append("metrics", batches, metric_document)

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans."""
        await self._writer.append("spans", batches, span_document)

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time."""
        async with within(timeout_s):
            page = await self._lines.page(question, timeout_s)
            if self._foreign is None:
                return page
            wanted = await self._lines.wanted(LogFilter(regex=question.filter.regex))
            foreign = await self._foreign.page(question, lambda lines: self._lines.judged(lines, wanted), timeout_s)
            lines = ordered([*page.lines, *foreign], newest_first=question.newest_first)
            return LogPage(lines=lines[: question.limit], more=page.more or len(lines) > question.limit)

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        async with within(timeout_s):
            await self._numbers.ready()
            if self._foreign is None or self._foreign_arrivals is None:
                return await self._lines.arrivals(question, self._numbers.arrived_until(), timeout_s)
            await self._foreign_arrivals.look()
            own = await self._lines.arrivals(question, self._numbers.arrived_until(), timeout_s)
            arrived = list(self._foreign_arrivals.after(question.after, own.looked_until))
            foreign = await self._judged(arrived, question)
            lines = sorted([*own.lines, *foreign], key=lambda line: line.number)
            if len(lines) <= question.limit:
                return Arrivals(lines=lines, looked_until=own.looked_until)
            return Arrivals(lines=lines[: question.limit], looked_until=lines[question.limit - 1].number)

    async def _judged(self, lines: Sequence[LogLine], question: ArrivalQuestion) -> Sequence[LogLine]:
        """Keep the lines of others that a follower asked for and may see."""
        admission, filter_ = Admission(question.scope), question.filter
        tests = tests_of(filter_)
        kept = [
            line
            for line in lines
            if (not filter_.levels or line.record.level in filter_.levels)
            and admission.admits(line.origin)
            and all(test(line) for test in tests)
        ]
        return await self._lines.judged(kept, await self._lines.wanted(LogFilter(regex=filter_.regex)))

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        async with within(timeout_s):
            count = await self._lines.count(scope, filter_, timeout_s)
            if self._foreign is None:
                return count
            wanted = await self._lines.wanted(LogFilter(regex=filter_.regex))
            return count + await self._foreign.count(
                scope, filter_, lambda lines: self._lines.judged(lines, wanted), timeout_s
            )

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step and level."""
        async with within(timeout_s):
            own = await self._lines.levels(scope, filter_, step_s, timeout_s)
            if self._foreign is None:
                return own
            steps: dict[int, dict[Level, int]] = defaultdict(lambda: defaultdict(int))
            for begin_s, levels in own.items():
                steps[begin_s].update(levels)
            wanted = await self._lines.wanted(LogFilter(regex=filter_.regex))
            await self._foreign.levels(
                scope, filter_, lambda lines: self._lines.judged(lines, wanted), max(1, step_s), steps, timeout_s
            )
            return {begin_s: dict(levels) for begin_s, levels in steps.items()}

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line."""
        if self._foreign_arrivals is not None:
            at = self._foreign_arrivals.place_of(at)
        return await composed.context(self, scope, at, before=before, after=after, timeout_s=timeout_s)

    def export_logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces."""
        return composed.export_logs(self, question, timeout_s=timeout_s)

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        async with within(timeout_s):
            rows = figures.new_rows()
            await figures.add_up(self._search, question, rows, timeout_s)
            if self._foreign_metrics is not None:
                await self._foreign_metrics.add_up(question, rows, timeout_s)
            return figures.written(rows)

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        async with within(timeout_s):
            return await spans.list_traces(self._search, question, timeout_s)

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace."""
        async with within(timeout_s):
            return await spans.one_trace(self._search, scope, trace_id, timeout_s)

    async def metric_names(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
        """List the names of the metrics of a scope."""
        async with within(timeout_s):
            return await figures.list_names(self._search, scope, timeout_s)

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans."""
        async with within(timeout_s):
            return await spans.list_spans(self._search, question, timeout_s)

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove the indices that are too old or too much."""
        return await self._upkeep.retain(now_ns, retentions)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        return await self._upkeep.usage()

    async def close(self) -> None:
        """Give the writer's number back, and hang up."""
        await self._fresh.close()
        with contextlib.suppress(PilothouseError):
            await self._numbers.give_back()
        await self._connection.close()
        self._expressions.close()
