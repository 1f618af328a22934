"""Questions about spans."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from pilothouse.telemetry.model import Attributes, Position, Span, SpanRecord
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
from pilothouse.telemetry.statuses import STATUS_KEYS
from pilothouse.telemetry.stores.embedded.asking import Asking, Conditions, sources
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import hash_of
from pilothouse.telemetry.stores.embedded.narrowing import narrowed
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import SPAN_KINDS, Label

_COLUMNS = "number, at_ns, label, duration_ns, trace_id, span_id, parent_id, name, kind, service, failed, attributes"
_SPANS_A_TRACE = 4
"""Matching spans that are read for each trace asked for, at first."""
_STATUS = "coalesce({}, '')".format(
    ", ".join(f"nullif(json_extract_string(nullif(attributes, ''), '/{key}'), '')" for key in STATUS_KEYS)
)
"""As `status_of` tells it."""
_decode = msgspec.json.Decoder(Attributes).decode


def _span(row: tuple[Any, ...], labels: Sequence[Label]) -> Span:
    number, at_ns, label, duration_ns, trace_id, span_id, parent_id, name, kind, service, failed, attributes = row
    record = SpanRecord(
        at_ns=at_ns,
        duration_ns=duration_ns,
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_id=parent_id.hex(),
        name=name,
        kind=SPAN_KINDS[int(kind)],
        service=service,
        failed=bool(failed),
        attributes=_decode(attributes) if attributes else {},
    )
    return Span(record=record, origin=labels[int(label)].origin, number=number)


def _matching(filter_: TraceFilter) -> Conditions:
    conditions = Conditions()
    if filter_.services:
        conditions.add(f"service IN ({', '.join('?' for _ in filter_.services)})", *filter_.services)
    if filter_.name:
        conditions.add("contains(name, ?)", filter_.name)
    if filter_.failed is not None:
        conditions.add("failed = ?", int(filter_.failed))
    if filter_.duration_ns_min:
        conditions.add("duration_ns >= ?", filter_.duration_ns_min)
    if filter_.codes:
        conditions.add(f"kind = {SPAN_KINDS.index(filter_.kind)}")
        conditions.add(f"{_STATUS} IN (SELECT unnest(?::VARCHAR[]))", list(filter_.codes))
    if filter_.ended_from_ns is not None:
        conditions.add("at_ns + duration_ns >= ?", filter_.ended_from_ns)
    if filter_.ended_to_ns is not None:
        conditions.add("at_ns + duration_ns < ?", filter_.ended_to_ns)
    return conditions


def list_traces(asking: Asking, shelves: Sequence[Shelf], question: TraceQuestion) -> TracePage:
    """Answer `TelemetryStore.traces`."""
    limit = check_limit(question.limit)
    found: dict[str, Span] = {}
    after, more = question.after, True
    end = after
    while more and len(found) < limit:
        spans = _newest(asking, shelves, question, after, limit * _SPANS_A_TRACE)
        more = len(spans) == limit * _SPANS_A_TRACE
        for span in spans:
            if span.record.trace_id not in found and len(found) == limit:
                more = True
                break
            found.setdefault(span.record.trace_id, span)
            after = end = span.position
    traces = [TraceFound(trace_id=trace_id, span=span) for trace_id, span in found.items()]
    return TracePage(traces=traces, end=end, more=more)


def _newest(
    asking: Asking, shelves: Sequence[Shelf], question: TraceQuestion, after: Position | None, limit: int
) -> list[Span]:
    return _newest_of(asking, shelves, question.scope, _matching(question.filter), after, limit)


def _newest_of(
    asking: Asking, shelves: Sequence[Shelf], scope: Scope, wanted: Conditions, after: Position | None, limit: int
) -> list[Span]:
    if after is not None:
        wanted.add("at_ns <= ?", after.at_ns)
        wanted.add("(at_ns < ? OR number < ?)", after.at_ns, after.number)
    spans: list[Span] = []
    with sources(asking, scope, Sort.SPANS, shelves) as all_:
        for source in all_:
            both = source.conditions.with_also(wanted)
            rows = asking.run(
                f"SELECT {_COLUMNS} FROM {source.table}{both.where} ORDER BY at_ns DESC, number DESC LIMIT {limit}",
                both.values,
            )
            spans += [_span(row, source.labels) for row in rows]
    return sorted(spans, key=lambda span: span.position, reverse=True)[:limit]


def spans_of(asking: Asking, shelves: Sequence[Shelf], scope: Scope, trace_ids: Sequence[str]) -> dict[str, TraceSpans]:
    """Answer `TelemetryStore.spans_of`: every source is read once for all traces."""
    wanted = wanted_ids(trace_ids)
    if not wanted:
        return {}
    spans: list[Span] = []
    counts: Counter[str] = Counter()
    tokens = [frozenset(hash_of(bytes.fromhex(id_)) for id_ in wanted)]
    among = f"trace_id IN ({', '.join('unhex(?)' for _ in wanted)})"
    with sources(asking, scope, Sort.SPANS, shelves, tokens) as all_:
        for source in all_:
            narrow = narrowed(asking, source, tokens)
            if narrow is None:
                continue
            both = source.conditions.with_also(narrow)
            both.add(among, *wanted)
            found = f"FROM {source.table}{both.where}"
            begun_first = f"ORDER BY at_ns, number LIMIT {TRACE_SPANS_MAX}"
            rows = asking.run(f"SELECT {_COLUMNS} {found} {begun_first}", both.values)
            read = [_span(row, source.labels) for row in rows]
            spans += read
            if len(rows) < TRACE_SPANS_MAX:
                counts.update(span.record.trace_id for span in read)
            else:
                told = asking.run(f"SELECT trace_id, count(*) {found} GROUP BY trace_id", both.values)
                counts.update({trace_id.hex(): count for trace_id, count in told})
    spans.sort(key=lambda span: span.position)
    return by_trace(spans[:TRACE_SPANS_MAX], counts)


def list_spans(asking: Asking, shelves: Sequence[Shelf], question: SpanQuestion) -> SpanPage:
    """Answer `TelemetryStore.spans`."""
    limit = check_limit(question.limit)
    wanted = Conditions()
    if question.kinds:
        wanted.add(f"kind IN ({', '.join(str(SPAN_KINDS.index(kind)) for kind in question.kinds)})")
    spans = _newest_of(asking, shelves, question.scope, wanted, question.after, limit + 1)
    return SpanPage(spans=spans[:limit], more=len(spans) > limit)
