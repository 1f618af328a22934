"""Questions about metrics: merged in SQL bucket by bucket, from hours and five minutes where whole ones are asked for."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.histogram import INDEX_MAX, INDEX_MIN, Histogram
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
from pilothouse.telemetry.stores.embedded.sorts import FIVE_NS, HOUR_NS, MINUTE_NS, Grain, Label, SeriesName

Key = tuple[str | None, ...]
_CHOSEN = Table("chosen", (Column("label", "int32"), Column("series", "int32")))
_FINE = frozenset({Dimension.RUNTIME, Dimension.STATUS})
"""What the merged tables do not tell apart."""
_MINUTE_S = 60
_INDICES = INDEX_MAX - INDEX_MIN + 1
_SLICES_A_STATEMENT = 24
"""Planning a statement takes longer than in proportion to what it reads from."""


class _Rolled(msgspec.Struct, frozen=True):
    """A merged table of a part that answers a question for whole stretches of its width."""

    name: str
    grain: Grain
    width_ns: int


class _Slice(msgspec.Struct, frozen=True):
    """A stretch of time of one table, with the labels that are wanted of it and the conditions of its source."""

    table: str
    chosen: str
    conditions: Conditions


class _Groups:
    """Numbers for what is told apart; successful and failed have numbers of their own."""

    def __init__(self) -> None:
        self.keys: list[tuple[Key, bool]] = []
        self._numbers: dict[tuple[Key, bool], int] = {}

    def number(self, key: Key, *, failed: bool) -> int:
        """Return the number of a key."""
        both = (key, failed)
        number = self._numbers.get(both)
        if number is None:
            number = self._numbers[both] = len(self.keys)
            self.keys.append(both)
        return number


class _Merged:
    """Figures of each series and step, from any number of statements."""

    def __init__(self, groups: _Groups) -> None:
        self._groups = groups
        self.totals: dict[tuple[int, int], list[Any]] = {}
        self.buckets: dict[tuple[int, int], dict[int, int]] = {}

    def add_up(self, asking: Asking, slices: Sequence[_Slice], step: str) -> None:
        """Add what some slices hold. There are two statements: one for the figures, one for the buckets."""
        values = [value for piece in slices for value in piece.conditions.values]

        def rows(columns: str) -> str:
            each = (
                f"SELECT series, {step} AS step, {columns} FROM {piece.table} JOIN {piece.chosen} USING (label)"
                f"{piece.conditions.where}"
                for piece in slices
            )
            return " UNION ALL ".join(each)

        for series, begin_s, *figures in asking.run(
            "SELECT series, step, sum(count)::BIGINT, sum(sum), min(low), max(nullif(high, 'nan'::DOUBLE)),"
            f" sum(zeros)::BIGINT FROM ({rows('count, sum, low, high, zeros')}) GROUP BY ALL",
            values,
        ):
            _total(self.totals.setdefault((series, begin_s), [0, 0.0, None, None, 0]), figures)
        # One number to group by instead of three takes three quarters of the time.
        key = f"(step::BIGINT * {len(self._groups.keys)} + series) * {_INDICES} + (packed >> 40) - {INDEX_MIN} AS key"
        for place, indices, counts in asking.run(
            f"SELECT key // {_INDICES}, list(key % {_INDICES} + {INDEX_MIN}), list(count) FROM ("
            f"SELECT {key}, sum(packed & 1099511627775)::BIGINT AS count"
            f" FROM ({rows('unnest(buckets) AS packed')}) GROUP BY key) GROUP BY ALL",
            values,
        ):
            begin_s, series = divmod(place, len(self._groups.keys))
            into = self.buckets.setdefault((series, begin_s), {})
            if not into:
                into.update(zip(indices, counts, strict=True))
                continue
            for index, count in zip(indices, counts, strict=True):
                into[index] = into.get(index, 0) + count

    def histogram(self, at: tuple[int, int]) -> Histogram:
        """Write the distribution of a series in a step."""
        count, total, low, high, zeros = self.totals[at]
        return Histogram(count=count, sum=total, low=low, high=high, zeros=zeros, buckets=self.buckets.get(at, {}))


def tell_figures(asking: Asking, shelves: Sequence[Shelf], question: MetricQuestion) -> list[Series]:
    """Answer `TelemetryStore.metrics`."""
    step_ns = _step_ns(question)
    from_ns, _ = bounds_ns(question.scope, step_ns)
    whole = _whole_minutes(question.scope)
    step = f"at_ns // {step_ns} * {step_ns // NS_A_SECOND}" if step_ns else str(from_ns // NS_A_SECOND)
    groups = _Groups()
    merged = _Merged(groups)
    with sources(asking, whole, Sort.METRICS, shelves) as all_:
        slices = [
            piece
            for index, source in enumerate(all_)
            for piece in _slices(asking, source, f"chosen{index}", question, whole, groups)
        ]
        for begin in range(0, len(slices), _SLICES_A_STATEMENT):
            merged.add_up(asking, slices[begin : begin + _SLICES_A_STATEMENT], step)
    return _written(groups, merged)


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


def _wanted(series: SeriesName, question: MetricQuestion) -> bool:
    return (
        series.name == question.name
        and series.outbound is question.outbound
        and (not question.services or series.service in question.services)
        and (not question.resources or series.resource in question.resources)
    )


def _keys(by: Sequence[Dimension]) -> Callable[[Label], Key]:
    """Make what tells the key of a label; there may be ten thousands of them."""
    paths = [
        f"series.{dimension.value}"
        if dimension in {Dimension.SERVICE, Dimension.RESOURCE, Dimension.STATUS}
        else f"origin.{dimension.value}_id"
        for dimension in by
    ]
    if not paths:
        return lambda _: ()
    if len(paths) > 1:
        return attrgetter(paths[0], paths[1], *paths[2:])
    get = attrgetter(paths[0])
    return lambda label: (get(label),)


def _slices(
    asking: Asking, source: Source, name: str, question: MetricQuestion, whole: Scope, groups: _Groups
) -> Iterator[_Slice]:
    rolled = _rolled(source, question)
    key_of = _keys(question.by)
    chosen: dict[Grain, list[tuple[int, int]]] = {grain: [] for grain in (Grain.POINT, *(one.grain for one in rolled))}
    for id_, label in enumerate(list(source.labels)):
        series = label.series
        if series is not None and series.grain in chosen and _wanted(series, question):
            chosen[series.grain].append((id_, groups.number(key_of(label), failed=series.failed)))
    shown: set[Grain] = set()
    for table, grain, from_ns, to_ns in _cover(source.table, rolled, whole.from_ns or 0, whole.to_ns or 0):
        if chosen[grain]:
            if grain not in shown:
                shown.add(grain)
                asking.show(f"{name}_{grain}", _CHOSEN.source([_CHOSEN.batch(chosen[grain])]))
            also = Conditions()
            also.add("at_ns >= ? AND at_ns < ?", from_ns, to_ns)
            yield _Slice(table, f"{name}_{grain}", source.conditions.with_also(also))


def _rolled(source: Source, question: MetricQuestion) -> list[_Rolled]:
    """List the merged tables that can answer a question, the coarsest first."""
    part = source.part
    if part is None or _FINE.intersection(question.by) or question.scope.runtime_ids:
        return []
    if Dimension.RESOURCE in question.by or question.resources:
        tables = [_Rolled("hours", Grain.RESOURCE, HOUR_NS)]
    elif part.has_services:
        tables = [_Rolled("services", Grain.SERVICE, HOUR_NS), _Rolled("fives", Grain.SERVICE, FIVE_NS)]
    else:
        tables = [_Rolled("hours", Grain.SERVICE, HOUR_NS)]
    step_ns = (question.step_s or 0) * NS_A_SECOND
    return [
        msgspec.structs.replace(one, name=f"{part.schema}.{one.name}") for one in tables if step_ns % one.width_ns == 0
    ]


def _cover(points: str, rolled: Sequence[_Rolled], from_ns: int, to_ns: int) -> Iterator[tuple[str, Grain, int, int]]:
    """Divide a time into what the coarsest table tells and, at both edges, what the finer ones do."""
    if from_ns >= to_ns:
        return
    if not rolled:
        yield points, Grain.POINT, from_ns, to_ns
        return
    widest, *finer = rolled
    width_ns = widest.width_ns
    first, last = -(-from_ns // width_ns) * width_ns, to_ns // width_ns * width_ns
    if first >= last:
        yield from _cover(points, finer, from_ns, to_ns)
        return
    yield widest.name, widest.grain, first, last
    yield from _cover(points, finer, from_ns, first)
    yield from _cover(points, finer, last, to_ns)


def _total(into: list[Any], figures: Sequence[Any]) -> None:
    count, total, low, high, zeros = figures
    into[0] += count
    into[1] += total
    if low is not None and not math.isnan(low):
        into[2] = low if into[2] is None else min(into[2], low)
    if high is not None and not math.isnan(high):
        into[3] = high if into[3] is None else max(into[3], high)
    into[4] += zeros


def _written(groups: _Groups, merged: _Merged) -> list[Series]:
    rows: dict[Key, dict[int, dict[bool, Histogram]]] = defaultdict(lambda: defaultdict(dict))
    for number, begin_s in merged.totals:
        key, failed = groups.keys[number]
        rows[key][begin_s][failed] = merged.histogram((number, begin_s))
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
