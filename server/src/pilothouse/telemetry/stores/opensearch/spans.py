"""Questions about spans."""

from pilothouse.telemetry.limits import id_of
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
    check_limit,
)
from pilothouse.telemetry.stores.opensearch.asking import containing, within
from pilothouse.telemetry.stores.opensearch.documents import SpanDocument
from pilothouse.telemetry.stores.opensearch.searching import Found, FoundOf, Search, filtered
from pilothouse.telemetry.stores.opensearch.templates import ROWS_MAX, Json

_TRACE_DIGITS = 32
_SPANS_A_TRACE = 4
"""Matching spans that are read for each trace asked for."""
_FOUND = Found[SpanDocument]
_COUNTED = FoundOf[SpanDocument]


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
    conditions += containing(filter_.name, "name.grams")
    if filter_.failed is not None:
        conditions.append({"term": {"failed": filter_.failed}})
    if filter_.duration_ns_min:
        conditions.append({"range": {"duration_ns": {"gte": filter_.duration_ns_min}}})
    return conditions


async def one_trace(search: Search, scope: Scope, trace_id: str, timeout_s: float) -> TraceSpans:
    """Answer `TelemetryStore.trace`."""
    wanted_id = id_of(trace_id, _TRACE_DIGITS)
    if not wanted_id:
        return TraceSpans()
    await search.fresh.of("spans")
    body: Json = {
        "query": filtered([*within(scope), {"term": {"trace_id": wanted_id}}]),
        "sort": [{"at_ns": "asc"}, {"number": "asc"}],
        "track_total_hits": True,
        "size": TRACE_SPANS_MAX,
    }
    answer = await search.ask("spans", _COUNTED, body, scope=scope, timeout_s=timeout_s)
    return TraceSpans(spans=[hit.source.span() for hit in answer.hits.hits], count=answer.hits.total.value)
