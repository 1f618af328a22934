"""What each sort of records looks like in its tables: one description, from which the rest follows."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from math import isnan
from typing import Any, TypeAlias

import msgspec

from pilothouse.telemetry.histogram import Histogram, pack
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    MetricBatch,
    MetricKind,
    Origin,
    SpanBatch,
    SpanKind,
)
from pilothouse.telemetry.stores.embedded.columns import Column, Octets, Table
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import Index, index_of

Row: TypeAlias = tuple[Any, ...]  # Any: one value a column
Columns: TypeAlias = Sequence[Sequence[Any]]
LabelOf: TypeAlias = "Callable[[Label], int]"

MINUTE_NS = 60 * NS_A_SECOND
FIVE_NS = 5 * MINUTE_NS
HOUR_NS = 60 * MINUTE_NS


class Grain(IntEnum):
    """How far a row of metrics is merged."""

    POINT = 0
    """One series of one runtime in a minute."""
    RESOURCE = 1
    """A resource of an integration in an hour: runtimes and statuses together."""
    SERVICE = 2
    """A service of an integration in an hour, or in five minutes: resources together too."""


class SeriesName(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What tells one metric series of an origin from another."""

    name: str
    kind: MetricKind
    service: str = ""
    resource: str = ""
    status: str = ""
    failed: bool = False
    outbound: bool = False
    grain: Grain = Grain.POINT


class Label(msgspec.Struct, frozen=True, array_like=True):
    """What many records of a part share; they hold its number."""

    origin: Origin
    series: SeriesName | None = None


WORDS = Column("words", "text")
"""Of each block; looked through before its messages are."""


class SortTables(msgspec.Struct, frozen=True):
    """The tables of a sort, and how its batches become rows."""

    table: Table
    columns: Callable[[Any, int, LabelOf], Columns] | None = None
    """Batch, number of its first record, labels → values of each column; None for lines, which come as columns."""
    rolled: tuple[Table, ...] = ()
    """More tables, to which each flush adds the same records, merged more coarsely."""
    merge: Callable[[Sequence[Row], LabelOf, Callable[[int], Label]], tuple[list[Row], list[list[Row]]]] | None = None
    """Rows that wait → rows of the table, and of each of those."""
    index: Callable[[Columns, Mapping[int, bytes] | None], Index] | None = None
    """Columns, what of their words is told apart → what is written so that they are found."""
    worded: bool = False
    """Whether that has the words of a column `message`, which a file keeps in a column of their own."""

    @property
    def filed(self) -> Table:
        """The table in a file."""
        return Table(self.table.name, (*self.table.columns, WORDS)) if self.worded else self.table


_NUMBERED = (Column("number", "int64"), Column("at_ns", "int64"), Column("label", "int32"))
_FIGURES = (
    Column("count", "int64"),
    Column("sum", "double"),
    Column("low", "double"),
    Column("high", "double"),
    Column("zeros", "int64"),
    Column("buckets", "int64s"),
)
SPAN_KINDS = tuple(SpanKind)
_json = msgspec.json.Encoder().encode


def _attributes(attributes: dict[str, Any]) -> str:
    return _json(attributes).decode() if attributes else ""


def _log_index(columns: Columns, apart: Mapping[int, bytes] | None) -> Index:
    numbers: Any = columns[0]  # Any: packed columns, as `Table.packed` makes them
    messages: Any = columns[4]
    trace_ids: Any = columns[6]
    return index_of(numbers, trace_ids, messages, apart)


def _span_index(columns: Columns, apart: Mapping[int, bytes] | None) -> Index:
    del apart
    trace_ids = columns[4]
    return index_of(array("q", columns[0]), Octets(array("I", map(len, trace_ids)), b"".join(trace_ids)))


def _turned(rows: Callable[[Any, int, LabelOf], list[Row]]) -> Callable[[Any, int, LabelOf], Columns]:
    return lambda batch, first, label_of: tuple(zip(*rows(batch, first, label_of), strict=True))


def _span_rows(batch: SpanBatch, first: int, label_of: LabelOf) -> list[Row]:
    label = label_of(Label(batch.origin))
    octets = bytes.fromhex
    return [
        (
            number,
            one.at_ns,
            label,
            one.duration_ns,
            octets(one.trace_id),
            octets(one.span_id),
            octets(one.parent_id),
            one.name,
            SPAN_KINDS.index(one.kind),
            one.service,
            int(one.failed),
            _attributes(one.attributes),
        )
        for number, one in enumerate(batch.records, first)
    ]


def _figures(values: Histogram) -> Row:
    low = float("nan") if values.low is None else values.low
    high = float("nan") if values.high is None else values.high
    return values.count, values.sum, low, high, values.zeros, pack(values.buckets)


def _metric_rows(batch: MetricBatch, first: int, label_of: LabelOf) -> list[Row]:
    rows: list[Row] = []
    for number, one in enumerate(batch.records, first):
        series = SeriesName(
            name=one.name,
            kind=one.kind,
            service=one.service,
            resource=one.resource,
            status=one.status,
            failed=one.failed,
            outbound=one.outbound,
        )
        # An interval that ends with the minute belongs to that minute.
        minute_ns = (one.at_ns - 1) // MINUTE_NS * MINUTE_NS
        rows.append((number, minute_ns, label_of(Label(batch.origin, series)), *_figures(one.values)))
    return rows


class _Sum:
    """Figures being added up."""

    __slots__ = ("buckets", "count", "high", "low", "sum", "zeros")

    def __init__(self) -> None:
        self.count, self.sum, self.zeros = 0, 0.0, 0
        self.low = self.high = float("nan")
        self.buckets: dict[int, int] = defaultdict(int)

    def add(self, count: int, total: float, low: float, high: float, zeros: int, buckets: Sequence[int]) -> None:
        self.count += count
        self.sum += total
        self.zeros += zeros
        self._bound(low, high)
        for packed in buckets:
            self.buckets[packed >> 40] += packed & 0xFF_FFFF_FFFF

    def _bound(self, low: float, high: float) -> None:
        # What is not known is no number, and compares with nothing.
        if low < self.low or isnan(self.low):
            self.low = low
        if high > self.high or isnan(self.high):
            self.high = high

    def merge(self, other: "_Sum") -> None:
        self.count += other.count
        self.sum += other.sum
        self.zeros += other.zeros
        self._bound(other.low, other.high)
        for index, count in other.buckets.items():
            self.buckets[index] += count

    def row(self) -> Row:
        return self.count, self.sum, self.low, self.high, self.zeros, pack(self.buckets)


def _rolled_labels(label: Label) -> tuple[Label, Label]:
    if label.series is None:
        raise ValueError(label)
    origin = msgspec.structs.replace(label.origin, runtime_id=None, runtime_key=None)
    resource = msgspec.structs.replace(label.series, status="", grain=Grain.RESOURCE)
    service = msgspec.structs.replace(label.series, status="", resource="", grain=Grain.SERVICE)
    return Label(origin, resource), Label(origin, service)


_Sums: TypeAlias = "defaultdict[tuple[int, int], _Sum]"


def _merge_metrics(
    rows: Sequence[Row], label_of: LabelOf, label: Callable[[int], Label]
) -> tuple[list[Row], list[list[Row]]]:
    minutes: _Sums = defaultdict(_Sum)
    hours: _Sums = defaultdict(_Sum)
    services: _Sums = defaultdict(_Sum)
    fives: _Sums = defaultdict(_Sum)
    for _, minute_ns, label_id, *figures in rows:
        minutes[minute_ns, label_id].add(*figures)
    coarse: dict[int, tuple[int, int]] = {}
    for (minute_ns, label_id), one in minutes.items():
        if label_id not in coarse:
            resource, service = _rolled_labels(label(label_id))
            coarse[label_id] = label_of(resource), label_of(service)
        resource_id, service_id = coarse[label_id]
        hours[minute_ns // HOUR_NS * HOUR_NS, resource_id].merge(one)
        fives[minute_ns // FIVE_NS * FIVE_NS, service_id].merge(one)
    for (five_ns, service_id), one in fives.items():
        services[five_ns // HOUR_NS * HOUR_NS, service_id].merge(one)
    number = max(row[0] for row in rows)

    def written(sums: _Sums) -> list[Row]:
        return [(number, *key, *sums[key].row()) for key in sorted(sums)]

    return written(minutes), [written(hours), written(services), written(fives)]


TABLES: dict[Sort, SortTables] = {
    Sort.LOGS: SortTables(
        table=Table(
            "logs",
            (
                *_NUMBERED,
                Column("severity", "uint8"),
                Column("message", "text", zstd=True),
                Column("logger", "text"),
                Column("trace_id", "blob"),
                Column("span_id", "blob"),
                Column("attributes", "text"),
            ),
        ),
        index=_log_index,
        worded=True,
    ),
    Sort.METRICS: SortTables(
        table=Table("points", (*_NUMBERED, *_FIGURES)),
        columns=_turned(_metric_rows),
        rolled=tuple(Table(name, (*_NUMBERED, *_FIGURES)) for name in ("hours", "services", "fives")),
        merge=_merge_metrics,
    ),
    Sort.SPANS: SortTables(
        table=Table(
            "spans",
            (
                *_NUMBERED,
                Column("duration_ns", "int64"),
                Column("trace_id", "blob"),
                Column("span_id", "blob"),
                Column("parent_id", "blob"),
                Column("name", "text"),
                Column("kind", "uint8"),
                Column("service", "text"),
                Column("failed", "uint8"),
                Column("attributes", "text"),
            ),
        ),
        columns=_turned(_span_rows),
        index=_span_index,
    ),
}

BATCHES: dict[Sort, Any] = {  # Any: a type to decode to; lines come packed
    Sort.METRICS: list[MetricBatch],
    Sort.SPANS: list[SpanBatch],
}
