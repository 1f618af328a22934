"""The store as the control plane sees it: the journals are written here, questions go to the process."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pilothouse.base.errors import CannotStart
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
from pilothouse.telemetry.stores.embedded.frames import (
    Arrived,
    AskUsage,
    Count,
    LevelCounts,
    Levels,
    Lines,
    Metrics,
    Names,
    OneTrace,
    Question,
    Retain,
    Sort,
    SpanList,
    Traces,
    UsageFigures,
)
from pilothouse.telemetry.stores.embedded.journal import JournalWriter
from pilothouse.telemetry.stores.embedded.link import STOP_S, Link
from pilothouse.telemetry.stores.embedded.packed import pack
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings

T = TypeVar("T")

_START_S = 60.0


class EmbeddedStore:
    """`TelemetryStore` on this machine, in files of its own. Made by `open`."""

    def __init__(self, settings: EmbeddedSettings, lock: int) -> None:
        self._settings, self._lock = settings, lock
        self._closing = False
        self._journals = {
            sort: JournalWriter(
                settings.folder / sort.value / "journal",
                file_bytes=settings.journal_file_bytes,
                bytes_max=settings.journal_bytes_max,
                free_bytes_min=settings.free_bytes_min,
                advanced=lambda number, sort=sort: self._link.advanced(sort, number),
            )
            for sort in Sort
        }
        self._link = Link(
            settings, opened=self._opened, flushed=lambda sort, number: self._journals[sort].forget(number)
        )

    @classmethod
    async def open(cls, settings: EmbeddedSettings) -> "EmbeddedStore":
        """Open or make the store and start its process.

        Raises: CannotStart
        """
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(settings.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise CannotStart(
                f"Another control plane uses the telemetry store in {settings.folder}.",
                fix="Stop it, or give this one a folder of its own.",
            ) from None
        store = cls(settings, lock)
        try:
            async with asyncio.timeout(_START_S):
                await store._link.ready.wait()
        except TimeoutError:
            await store.close()
            raise CannotStart(f"The telemetry store in {settings.folder} does not start.") from None
        return store

    @property
    def process_id(self) -> int | None:
        """The process that answers, while there is one."""
        return self._link.process_id

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        number = sum(len(batch.records) for batch in batches)
        if number:
            await asyncio.wrap_future(self._journals[Sort.LOGS].append(pack(batches), number))

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

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace."""
        return await self._ask(OneTrace(scope=scope, trace_id=trace_id), TraceSpans, timeout_s)

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans."""
        return await self._ask(SpanList(**msgspec.structs.asdict(question)), SpanPage, timeout_s)

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove what is too old or too much."""
        return await self._ask(Retain(now_ns=now_ns, retentions=retentions), int, STOP_S)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        on_disk, memory, removed, rows = await self._ask(AskUsage(), _USAGE, TIMEOUT_S)
        parts = [
            EnvironmentUsage(
                sort=sort, environment_id=id_, bytes_on_disk=size, records=records, oldest_ns=oldest, newest_ns=newest
            )
            for sort, id_, size, records, oldest, newest in rows
        ]
        return Usage(
            bytes_on_disk=on_disk,
            budget_bytes=self._settings.budget_bytes,
            memory_bytes=memory,
            waiting_bytes=sum(journal.bytes_on_disk for journal in self._journals.values()),
            removed_early=removed,
            restarts=self._link.restarts,
            parts=parts,
        )

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        if self._closing:
            return
        self._closing = True
        for journal in self._journals.values():
            await asyncio.to_thread(journal.close)
        await self._link.close(self._durable())
        os.close(self._lock)

    async def _append(self, sort: Sort, batches: Sequence[MetricBatch | SpanBatch]) -> None:
        number = sum(len(batch.records) for batch in batches)
        if number:
            await asyncio.wrap_future(self._journals[sort].append(msgspec.msgpack.encode(batches), number))

    async def _ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        return await self._link.ask(question, answer, self._durable(), timeout_s)

    def _durable(self) -> dict[Sort, int]:
        return {sort: journal.next_number for sort, journal in self._journals.items()}

    def _opened(self, flushed: Mapping[Sort, int]) -> dict[Sort, int]:
        for sort, number in flushed.items():
            self._journals[sort].begin_at(number)
        return self._durable()


_LEVEL_COUNTS: Any = LevelCounts  # Any: a generic alias is no class to the type checker
_USAGE: Any = UsageFigures
