"""Questions about spans."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pilothouse.telemetry.limits import id_of
from pilothouse.telemetry.model import Attributes, Position, Span, SpanRecord
from pilothouse.telemetry.questions import (
    TRACE_SPANS_MAX,
    LogFilter,
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
from pilothouse.telemetry.stores.embedded.asking import Asking, Conditions, sources
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.lines import hashes_of, indexed
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import SPAN_KINDS, Label

_COLUMNS = "number, at_ns, label, duration_ns, trace_id, span_id, parent_id, name, kind, service, failed, attributes"
_TRACE_DIGITS = 32
_SPANS_A_TRACE = 4
"""Matching spans that are read for each trace asked for, at first."""
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


def one_trace(asking: Asking, shelves: Sequence[Shelf], scope: Scope, trace_id: str) -> TraceSpans:
    """Answer `TelemetryStore.trace`."""
    wanted_id = id_of(trace_id, _TRACE_DIGITS)
    if not wanted_id:
        return TraceSpans()
    spans: list[Span] = []
    count = 0
    wanted = LogFilter(trace_id=wanted_id)
    with sources(asking, scope, Sort.SPANS, shelves, hashes_of(wanted)) as all_:
        for source in all_:
            narrow = indexed(asking, source, wanted)
            if narrow is None:
                continue
            both = source.conditions.with_also(narrow)
            both.add("trace_id = unhex(?)", wanted_id)
            found = f"FROM {source.table}{both.where}"
            begun_first = f"ORDER BY at_ns, number LIMIT {TRACE_SPANS_MAX}"
            rows = asking.run(f"SELECT {_COLUMNS} {found} {begun_first}", both.values)
            spans += [_span(row, source.labels) for row in rows]
            full = len(rows) == TRACE_SPANS_MAX
            count += asking.run(f"SELECT count(*) {found}", both.values)[0][0] if full else len(rows)
    spans.sort(key=lambda span: span.position)
    return TraceSpans(spans=spans[:TRACE_SPANS_MAX], count=count)


def list_spans(asking: Asking, shelves: Sequence[Shelf], question: SpanQuestion) -> SpanPage:
    """Answer `TelemetryStore.spans`."""
    limit = check_limit(question.limit)
    wanted = Conditions()
    if question.kinds:
        wanted.add(f"kind IN ({', '.join(str(SPAN_KINDS.index(kind)) for kind in question.kinds)})")
    spans = _newest_of(asking, shelves, question.scope, wanted, question.after, limit + 1)
    return SpanPage(spans=spans[:limit], more=len(spans) > limit)
