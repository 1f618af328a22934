"""Questions about spans."""

import re
from collections.abc import Sequence

import msgspec

from pilothouse.telemetry.model import Position, Span
from pilothouse.telemetry.questions import (
    TRACE_SPANS_MAX,
    Scope,
    SpanPage,
    SpanQuestion,
    TraceFilter,
    TraceFound,
    TracePage,
    TraceQuestion,
    TraceSpans,
    by_trace,
    check_limit,
    wanted_ids,
)
from pilothouse.telemetry.stores.opensearch.asking import within
from pilothouse.telemetry.stores.opensearch.documents import SpanDocument
from pilothouse.telemetry.stores.opensearch.searching import Found, Hits, Search, filtered
from pilothouse.telemetry.stores.opensearch.templates import ROWS_MAX, Json

_SIGN, _ESCAPED = re.compile(r"[\\*?]"), r"\\\g<0>"
_SPANS_A_TRACE = 4
"""Matching spans that are read for each trace asked for."""
_FOUND = Found[SpanDocument]


class _Count(msgspec.Struct, frozen=True, kw_only=True):
    doc_count: int


class _Counts(msgspec.Struct, frozen=True, kw_only=True):
    buckets: dict[str, _Count]


class _Traces(msgspec.Struct, frozen=True, kw_only=True):
    traces: _Counts


class _Parted(msgspec.Struct, kw_only=True):
    """The first spans of traces, and how many each has; no counts where there is no index yet."""

    hits: Hits[SpanDocument]
    aggregations: _Traces | None = None


async def list_traces(search: Search, question: TraceQuestion, timeout_s: float) -> TracePage:
    """Answer `TelemetryStore.traces`."""
    limit = check_limit(question.limit)
    await search.fresh.of("spans")
    size = min(limit * _SPANS_A_TRACE, ROWS_MAX)
    found: dict[str, Span] = {}
    wanted = _matching(question.filter)
    after, more = question.after, True
    while more and len(found) < limit:
        spans = await _newest(search, question.scope, wanted, after, size, timeout_s)
        more = len(spans) == size
        for span in spans:
            if not _ended_in_time(span, question.filter):
                after = span.position
                continue
            if span.record.trace_id not in found and len(found) == limit:
                more = True
                break
            found.setdefault(span.record.trace_id, span)
            after = span.position
    traces = [TraceFound(trace_id=trace_id, span=span) for trace_id, span in found.items()]
    return TracePage(traces=traces, end=after, more=more)


async def list_spans(search: Search, question: SpanQuestion, timeout_s: float) -> SpanPage:
    """Answer `TelemetryStore.spans`."""
    limit = check_limit(question.limit)
    await search.fresh.of("spans")
    kinds: list[Json] = [{"terms": {"kind": [kind.value for kind in question.kinds]}}] if question.kinds else []
    spans = await _newest(search, question.scope, kinds, question.after, limit + 1, timeout_s)
    return SpanPage(spans=spans[:limit], more=len(spans) > limit)


async def _newest(
    search: Search, scope: Scope, wanted: list[Json], after: Position | None, size: int, timeout_s: float
) -> list[Span]:
    body: Json = {
        "query": filtered([*within(scope), *wanted]),
        "sort": [{"at_ns": "desc"}, {"number": "desc"}],
        "track_total_hits": False,
        "size": size,
    }
    if after is not None:
        body["search_after"] = [after.at_ns, after.number]
    answer = await search.ask("spans", _FOUND, body, scope=scope, timeout_s=timeout_s)
    return [hit.source.span() for hit in answer.hits.hits]


def _matching(filter_: TraceFilter) -> list[Json]:
    conditions: list[Json] = []
    if filter_.services:
        conditions.append({"terms": {"service": list(filter_.services)}})
    if filter_.name:
        conditions.append({"wildcard": {"name": f"*{_SIGN.sub(_ESCAPED, filter_.name)}*"}})
    if filter_.failed is not None:
        conditions.append({"term": {"failed": filter_.failed}})
    if filter_.duration_ns_min:
        conditions.append({"range": {"duration_ns": {"gte": filter_.duration_ns_min}}})
    if filter_.codes:
        conditions += [{"term": {"kind": filter_.kind.value}}, {"terms": {"status": list(filter_.codes)}}]
    return conditions


def _ended_in_time(span: Span, filter_: TraceFilter) -> bool:
    """Tell what the cluster cannot: it knows no sum of two members."""
    ended_ns = span.record.at_ns + span.record.duration_ns
    return (filter_.ended_from_ns is None or ended_ns >= filter_.ended_from_ns) and (
        filter_.ended_to_ns is None or ended_ns < filter_.ended_to_ns
    )


async def spans_of(search: Search, scope: Scope, trace_ids: Sequence[str], timeout_s: float) -> dict[str, TraceSpans]:
    """Answer `TelemetryStore.spans_of`."""
    wanted = wanted_ids(trace_ids)
    if not wanted:
        return {}
    await search.fresh.of("spans")
    body: Json = {
        "query": filtered([*within(scope), {"terms": {"trace_id": wanted}}]),
        "sort": [{"at_ns": "asc"}, {"number": "asc"}],
        "track_total_hits": False,
        "size": TRACE_SPANS_MAX,
        "aggs": {"traces": {"filters": {"filters": {id_: {"term": {"trace_id": id_}} for id_ in wanted}}}},
    }
    answer = await search.ask("spans", _Parted, body, scope=scope, timeout_s=timeout_s)
    told = answer.aggregations.traces.buckets if answer.aggregations else {}
    spans = [hit.source.span() for hit in answer.hits.hits]
    return by_trace(spans, {id_: one.doc_count for id_, one in told.items() if one.doc_count})
