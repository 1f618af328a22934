"""Questions about metrics: histograms merged bucket by bucket in the cluster, exactly, and never averaged."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

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
from pilothouse.telemetry.stores.opensearch.asking import within
from pilothouse.telemetry.stores.opensearch.documents import MINUTE_S
from pilothouse.telemetry.stores.opensearch.searching import Grouped, Search, filtered
from pilothouse.telemetry.stores.opensearch.templates import Json

Key = tuple[str | None, ...]
Rows = dict[Key, dict[int, dict[bool, Histogram]]]
_GROUPS_A_PAGE = 2_000
FIELDS = {
    Dimension.PROJECT: "project_id",
    Dimension.INTEGRATION: "integration_id",
    Dimension.ENVIRONMENT: "environment_id",
    Dimension.RUNTIME: "runtime_id",
    Dimension.SERVICE: "service",
    Dimension.RESOURCE: "resource",
    Dimension.STATUS: "status",
}
MERGED: Json = {
    "scripted_metric": {
        "init_script": "state.counts = new HashMap()",
        "map_script": (
            "for (def packed : doc['buckets'])"
            " { state.counts.merge(packed >> 40L, packed & 1099511627775L, (a, b) -> a + b) }"
        ),
        "combine_script": (
            "Map told = new HashMap();"
            " for (entry in state.counts.entrySet()) { told.put(entry.getKey().toString(), entry.getValue()) } return told"
        ),
        "reduce_script": (
            "Map merged = new HashMap(); for (counts in states) { if (counts != null) { for (entry in counts.entrySet())"
            " { merged.merge(entry.getKey(), entry.getValue(), (a, b) -> a + b) } } } return merged"
        ),
    }
}
"""Adds up the counts of equal buckets; index and count are one number in the document, as `pack` writes them."""


class Value(msgspec.Struct, kw_only=True):
    """One number of an answer; None for a sum of nothing."""

    value: float | None = None


class Counts(msgspec.Struct, kw_only=True):
    """Buckets of a histogram, by their index."""

    value: dict[str, int] = {}


class _Group(msgspec.Struct, kw_only=True):
    key: dict[str, str | int | bool | None]
    count: Value
    sum: Value
    low: Value
    high: Value
    zeros: Value
    buckets: Counts


class _Groups(msgspec.Struct, kw_only=True):
    buckets: list[_Group] = []
    after_key: dict[str, str | int | bool | None] | None = None


class _Answer(msgspec.Struct, kw_only=True):
    groups: _Groups


class _Name(msgspec.Struct, kw_only=True):
    key: str


class _Names(msgspec.Struct, kw_only=True):
    buckets: list[_Name] = []


class _NamesAnswer(msgspec.Struct, kw_only=True):
    names: _Names


async def list_names(search: Search, scope: Scope, timeout_s: float) -> Sequence[str]:
    """Answer `TelemetryStore.metric_names`."""
    await search.fresh.of("metrics")
    body: Json = {
        "size": 0,
        "track_total_hits": False,
        "query": filtered([*within(scope, at=""), *_minutes(*_edges(scope))]),
        "aggs": {"names": {"terms": {"field": "name", "size": METRIC_NAMES_MAX, "order": {"_key": "asc"}}}},
    }
    answer = await search.ask("metrics", Grouped[_NamesAnswer], body, scope=scope, timeout_s=timeout_s)
    return [name.key for name in answer.aggregations.names.buckets] if answer.aggregations else []


def step_of(question: MetricQuestion) -> int | None:
    """Return the length of a step.

    Raises: InvalidInput
    """
    step_s = question.step_s
    if step_s is not None and (step_s < MINUTE_S or step_s % MINUTE_S):
        raise InvalidInput("A step is one or more whole minutes.", field="step", fix="Ask for a multiple of 60 s.")
    return step_s


def minutes_of(question: MetricQuestion) -> tuple[int, int]:
    """Return the first minute of a question and the one that does not belong to it any more. Units: s.

    Raises: InvalidInput
    """
    from_ns, to_ns = bounds_ns(question.scope, question.step_s * NS_A_SECOND if question.step_s else None)
    return from_ns // NS_A_SECOND // MINUTE_S * MINUTE_S, -(-to_ns // NS_A_SECOND)


async def add_up(search: Search, question: MetricQuestion, rows: Rows, timeout_s: float) -> None:
    """Add what was written here to the rows of an answer."""
    step_s = step_of(question)
    from_s, to_s = minutes_of(question)
    await search.fresh.of("metrics")
    whole_s = (question.scope.from_ns or 0) // NS_A_SECOND
    body: Json = {
        "size": 0,
        "track_total_hits": False,
        "query": filtered(_conditions(question, from_s, to_s)),
        "aggs": {"groups": {"composite": _composite(question, step_s), "aggs": _aggregations()}},
    }
    while True:
        answer = await search.ask("metrics", Grouped[_Answer], body, scope=question.scope, timeout_s=timeout_s)
        if answer.aggregations is None:
            return
        groups = answer.aggregations.groups
        for group in groups.buckets:
            key = tuple(_text(group.key[dimension.value]) for dimension in question.by)
            begin_s = whole_s if step_s is None else int(group.key["step"] or 0) // 1_000
            add(rows, key, begin_s, _histogram(group), failed=bool(group.key["failed"]))
        if groups.after_key is None or len(groups.buckets) < _GROUPS_A_PAGE:
            return
        body["aggs"]["groups"]["composite"]["after"] = groups.after_key


def _conditions(question: MetricQuestion, from_s: int, to_s: int) -> list[Json]:
    conditions = within(question.scope, at="")
    conditions += _minutes(from_s, to_s)
    conditions.append({"term": {"name": question.name}})
    conditions.append({"term": {"outbound": question.outbound}})
    if question.services:
        conditions.append({"terms": {"service": list(question.services)}})
    if question.resources:
        conditions.append({"terms": {"resource": list(question.resources)}})
    return conditions


def _minutes(from_s: int | None, to_s: int | None) -> list[Json]:
    limits = {name: bound * 1_000 for name, bound in (("gte", from_s), ("lt", to_s)) if bound is not None}
    return [{"range": {"minute": {**limits, "format": "epoch_millis"}}}] if limits else []


def _edges(scope: Scope) -> tuple[int | None, int | None]:
    """Return the first minute of a scope and the one that does not belong to it any more. Units: s."""
    return (
        None if scope.from_ns is None else scope.from_ns // NS_A_SECOND // MINUTE_S * MINUTE_S,
        None if scope.to_ns is None else -(-scope.to_ns // NS_A_SECOND),
    )


def _composite(question: MetricQuestion, step_s: int | None) -> Json:
    sources: list[Json] = [
        {dimension.value: {"terms": {"field": FIELDS[dimension], "missing_bucket": True}}}
        for dimension in dict.fromkeys(question.by)
    ]
    sources.append({"failed": {"terms": {"field": "failed"}}})
    if step_s is not None:
        sources.append({"step": {"date_histogram": {"field": "minute", "fixed_interval": f"{step_s}s"}}})
    return {"size": _GROUPS_A_PAGE, "sources": sources}


def _aggregations() -> Json:
    return {
        "count": {"sum": {"field": "count"}},
        "zeros": {"sum": {"field": "zeros"}},
        "sum": {"sum": {"field": "sum"}},
        "low": {"min": {"field": "low"}},
        "high": {"max": {"field": "high"}},
        "buckets": MERGED,
    }


def _text(value: str | float | bool | None) -> str | None:
    return None if value is None else str(value)


def _histogram(group: _Group) -> Histogram:
    return Histogram(
        count=int(group.count.value or 0),
        sum=group.sum.value or 0.0,
        low=group.low.value,
        high=group.high.value,
        zeros=int(group.zeros.value or 0),
        buckets={int(index): count for index, count in group.buckets.value.items() if count},
    )


def new_rows() -> Rows:
    """Begin an answer."""
    return defaultdict(lambda: defaultdict(dict))


def add(rows: Rows, key: Key, begin_s: int, values: Histogram, *, failed: bool) -> None:
    """Add a distribution to a row's step."""
    both = rows[key][begin_s]
    both[failed] = both[failed].merge(values) if failed in both else values


def written(rows: Rows) -> Sequence[Series]:
    """Write rows as series, in the order of their keys."""
    none = Histogram()

    def steps(of: dict[int, dict[bool, Histogram]]) -> Iterable[tuple[int, Figures]]:
        for begin_s, both in sorted(of.items()):
            yield begin_s, Figures(succeeded=both.get(False, none), failed=both.get(True, none))

    ordered = sorted(rows.items(), key=lambda item: tuple(part or "" for part in item[0]))
    return [Series(key=key, steps=dict(steps(of))) for key, of in ordered]
