"""Questions about metrics: merged in SQL bucket by bucket, from hours where whole hours are asked for."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import (
    METRIC_NAMES_MAX,
    Dimension,
    Figures,
    MetricQuestion,
    Scope,
    Series,
    bounds_ns,
)
from pilothouse.telemetry.stores.embedded.asking import Asking, Conditions, Source, sources
from pilothouse.telemetry.stores.embedded.columns import Column, Table
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import HOUR_NS, MINUTE_NS, Grain, Label, SeriesName

Key = tuple[str | None, ...]
_CHOSEN = Table("chosen", (Column("label", "int32"), Column("series", "int32")))
_FINE = frozenset({Dimension.RUNTIME, Dimension.STATUS})
"""What the table of hours does not tell apart."""
_MINUTE_S, _HOUR_S = 60, 3600


class _Slice(msgspec.Struct, frozen=True):
    """A stretch of time of one table, and how far its rows are merged."""

    table: str
    grain: Grain
    from_ns: int
    to_ns: int


class _Groups:
    """Numbers for what is told apart; successful and failed have numbers of their own."""

    def __init__(self) -> None:
        self.keys: list[tuple[Key, bool]] = []
        self._numbers: dict[tuple[Key, bool], int] = {}

    def number(self, key: Key, *, failed: bool) -> int:
        """Return the number of a key."""
        both = (key, failed)
        if both not in self._numbers:
            self._numbers[both] = len(self.keys)
            self.keys.append(both)
        return self._numbers[both]


def tell_figures(asking: Asking, shelves: Sequence[Shelf], question: MetricQuestion) -> list[Series]:
    """Answer `TelemetryStore.metrics`."""
    step_ns = _step_ns(question)
    from_ns, _ = bounds_ns(question.scope, step_ns)
    whole = _whole_minutes(question.scope)
    step = f"at_ns // {step_ns} * {step_ns // NS_A_SECOND}" if step_ns else str(from_ns // NS_A_SECOND)
    groups = _Groups()
    totals: dict[tuple[int, int], list[Any]] = {}
    buckets: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    with sources(asking, whole, Sort.METRICS, shelves) as all_:
        for index, source in enumerate(all_):
            for piece in _slices(source, question, whole.from_ns or 0, whole.to_ns or 0):
                chosen = [
                    (id_, groups.number(_key(label, question.by), failed=label.series.failed))
                    for id_, label in enumerate(list(source.labels))
                    if label.series is not None and _wanted(label.series, question, piece.grain)
                ]
                if chosen:
                    name = f"chosen{index}_{piece.grain}"
                    asking.show(name, _CHOSEN.source([_CHOSEN.batch(chosen)]))
                    _add_up(asking, source, piece, name, step, totals, buckets)
    return _written(groups, totals, buckets)


def list_names(asking: Asking, shelves: Sequence[Shelf], scope: Scope) -> list[str]:
    """Answer `TelemetryStore.metric_names`."""
    names: set[str] = set()
    with sources(asking, _whole_minutes(scope), Sort.METRICS, shelves) as all_:
        for source in all_:
            where, values = source.conditions.where, source.conditions.values
            for (label,) in asking.run(f"SELECT DISTINCT label FROM {source.table}{where}", values):
                series = source.labels[int(label)].series
                if series is not None:
                    names.add(series.name)
    return sorted(names)[:METRIC_NAMES_MAX]


def _whole_minutes(scope: Scope) -> Scope:
    """Widen a time to the minutes that it begins and ends in: points are kept by the minute."""
    from_ns, to_ns = scope.from_ns, scope.to_ns
    return msgspec.structs.replace(
        scope,
        from_ns=None if from_ns is None else from_ns // MINUTE_NS * MINUTE_NS,
        to_ns=None if to_ns is None else -(-to_ns // MINUTE_NS) * MINUTE_NS,
    )


def _step_ns(question: MetricQuestion) -> int | None:
    if question.step_s is None:
        return None
    if question.step_s < _MINUTE_S or question.step_s % _MINUTE_S:
        raise InvalidInput("A step is one or more whole minutes.", field="step", fix="Ask for a multiple of 60 s.")
    return question.step_s * NS_A_SECOND


def _wanted(series: SeriesName, question: MetricQuestion, grain: Grain) -> bool:
    return (
        series.grain is grain
        and series.name == question.name
        and series.outbound is question.outbound
        and (not question.services or series.service in question.services)
        and (not question.resources or series.resource in question.resources)
    )


def _key(label: Label, by: Sequence[Dimension]) -> Key:
    return tuple(_dimension(label, dimension) for dimension in by)


def _dimension(label: Label, dimension: Dimension) -> str | None:
    match dimension:
        case Dimension.PROJECT | Dimension.INTEGRATION | Dimension.ENVIRONMENT | Dimension.RUNTIME:
            value = getattr(label.origin, f"{dimension.value}_id")
        case Dimension.SERVICE | Dimension.RESOURCE | Dimension.STATUS:
            value = getattr(label.series, dimension.value, None)
    return value


def _slices(source: Source, question: MetricQuestion, from_ns: int, to_ns: int) -> Iterator[_Slice]:
    coarse = (
        source.part is not None
        and not _FINE.intersection(question.by)
        and not question.scope.runtime_ids
        and (question.step_s is None or question.step_s % _HOUR_S == 0)
    )
    first, last = math.ceil(from_ns / HOUR_NS) * HOUR_NS, to_ns // HOUR_NS * HOUR_NS
    if not coarse or source.part is None or first >= last:
        yield _Slice(source.table, Grain.POINT, from_ns, to_ns)
        return
    by_resource = Dimension.RESOURCE in question.by or question.resources
    yield _Slice(f"{source.part.schema}.hours", Grain.RESOURCE if by_resource else Grain.SERVICE, first, last)
    if from_ns < first:
        yield _Slice(source.table, Grain.POINT, from_ns, first)
    if last < to_ns:
        yield _Slice(source.table, Grain.POINT, last, to_ns)


def _add_up(
    asking: Asking,
    source: Source,
    piece: _Slice,
    chosen: str,
    step: str,
    totals: dict[tuple[int, int], list[Any]],
    buckets: dict[tuple[int, int], dict[int, int]],
) -> None:
    also = source.conditions.with_also(Conditions())
    also.add("at_ns >= ? AND at_ns < ?", piece.from_ns, piece.to_ns)
    base = f"FROM {piece.table} JOIN {chosen} USING (label){also.where}"
    for series, begin_s, *figures in asking.run(
        f"SELECT series, {step} AS step, sum(count)::BIGINT, sum(sum), min(low), max(nullif(high, 'nan'::DOUBLE)),"
        f" sum(zeros)::BIGINT {base} GROUP BY ALL",
        also.values,
    ):
        _total(totals.setdefault((series, begin_s), [0, 0.0, None, None, 0]), figures)
    for series, begin_s, bucket, count in asking.run(
        "SELECT series, step, packed >> 40, sum(packed & 1099511627775)::BIGINT"
        f" FROM (SELECT series, {step} AS step, unnest(buckets) AS packed {base}) GROUP BY ALL",
        also.values,
    ):
        buckets[series, begin_s][bucket] += count


def _total(into: list[Any], figures: Sequence[Any]) -> None:
    count, total, low, high, zeros = figures
    into[0] += count
    into[1] += total
    if low is not None and not math.isnan(low):
        into[2] = low if into[2] is None else min(into[2], low)
    if high is not None and not math.isnan(high):
        into[3] = high if into[3] is None else max(into[3], high)
    into[4] += zeros


def _written(
    groups: _Groups, totals: dict[tuple[int, int], list[Any]], buckets: dict[tuple[int, int], dict[int, int]]
) -> list[Series]:
    rows: dict[Key, dict[int, dict[bool, Histogram]]] = defaultdict(lambda: defaultdict(dict))
    for (number, begin_s), (count, total, low, high, zeros) in totals.items():
        key, failed = groups.keys[number]
        rows[key][begin_s][failed] = Histogram(
            count=count, sum=total, low=low, high=high, zeros=zeros, buckets=dict(buckets[number, begin_s])
        )
    none = Histogram()
    return [
        Series(
            key=key,
            steps={
                begin_s: Figures(succeeded=both.get(False, none), failed=both.get(True, none))
                for begin_s, both in sorted(steps.items())
            },
        )
        for key, steps in sorted(rows.items(), key=lambda item: tuple(part or "" for part in item[0]))
    ]
