"""Resolvers about traces: lists, and one of them as a waterfall."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from ariadne import EnumType, ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.answered import AskedStatuses
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.telemetry_origins import attributes
from pilothouse.api.graphql.telemetry_scopes import (
    asked_scope,
    check_texts,
    instant_of,
    records_page,
    scope_of,
    span_and_place,
)
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput
from pilothouse.base.pages import page_request
from pilothouse.domain.tenancy import list_name
from pilothouse.operations.telemetry_scopes import span_of
from pilothouse.telemetry.composed import whole_traces
from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.model import Span, SpanKind
from pilothouse.telemetry.questions import Scope, TraceFilter, TraceQuestion, TraceSpans

query = QueryType()
found_type = ObjectType("TraceFound")
bindables = (query, found_type, EnumType("SpanKind", {kind.name: kind for kind in SpanKind}))

SPANS_MAX = 5_000
"""Spans of one trace that are shown."""
PARTIES_MAX = 50
"""Programs of one trace that are named."""
NS_A_MS = 1_000_000
_ANY = TraceFilter()
_DURATION_MS_MAX = 1e12
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS


@query.field("traces")
async def list_traces(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List traces, those with the newest matching span first."""
    request, wanted = info.context, filter or {}
    asked, statuses = asked_scope(wanted.get("scope")), AskedStatuses.of(wanted)
    of = list_name("traces", asked, _read_filter(wanted), statuses)
    page = page_request(of, first, after)
    going_on = span_and_place(page)
    span, place = (span_of(asked, request.now), None) if going_on is None else going_on
    scope = await scope_of(request, _VIEW, asked, statuses.looked_through(span))
    filter_ = _read_filter(wanted, statuses.traces(span))
    question = TraceQuestion(scope=scope, filter=filter_, after=place, limit=page.first)
    found = await request.services.telemetry.traces(question)
    whole = _Whole(info, [one.trace_id for one in found.traces])
    nodes = [{"trace_id": one.trace_id, "span": span_view(one.span), "whole": whole} for one in found.traces]
    # The list goes on in the time that was asked for, however far spans are looked for.
    scope = msgspec.structs.replace(scope, from_ns=span[0])
    return records_page(of, nodes, scope, found.end, more=found.more)


@query.field("trace")
async def show_trace(_: Any, info: Info, id: str) -> Row | None:
    """Show a trace as far as the caller sees it; null when they see nothing of it."""
    return _trace_view(await info.context.services.telemetry.trace(_visible(info), id))


@found_type.field("trace")
async def show_found(found: Row, _: Info) -> Row | None:
    """Show a listed trace; null when it takes too long, for the list is worth having without it."""
    whole: _Whole = found["whole"]
    try:
        return _trace_view((await whole.read()).get(found["trace_id"], TraceSpans()))
    except QuestionTimeout:
        return None


class _Whole:
    """The traces of a page, read together by the first of them that is to be shown whole."""

    def __init__(self, info: Info, trace_ids: Sequence[str]) -> None:
        self._info, self._trace_ids = info, trace_ids
        self._reading: asyncio.Task[Mapping[str, TraceSpans]] | None = None

    async def read(self) -> Mapping[str, TraceSpans]:
        """Give the spans of all of them."""
        if self._reading is None:
            telemetry = self._info.context.services.telemetry
            self._reading = asyncio.create_task(whole_traces(telemetry, _visible(self._info), self._trace_ids))
        return await self._reading


def _visible(info: Info) -> Scope:
    return Scope.within(info.context.reach(_VIEW))


def _trace_view(found: TraceSpans) -> Row | None:
    spans = found.spans
    if not spans:
        return None
    begin_ns = min(span.record.at_ns for span in spans)
    end_ns = max(span.record.at_ns + span.record.duration_ns for span in spans)
    failed = sum(span.record.failed for span in spans)
    there = {span.record.span_id for span in spans}
    root = min(spans, key=lambda span: (bool(span.record.parent_id), span.position))

    def shown(_info: Info) -> list[Row]:
        """Show the spans; a list of traces does not ask for them."""
        return [span_view(span, begin_ns) for span in waterfall(spans)[:SPANS_MAX]]

    return {
        "id": root.record.trace_id,
        "at": instant_of(begin_ns),
        "duration_ms": (end_ns - begin_ns) / NS_A_MS,
        "failed": failed > 0,
        "root": span_view(root, begin_ns),
        "span_count": found.count,
        "failed_count": failed,
        "parties": parties_of(spans),
        "spans": shown,
        "left": max(0, found.count - SPANS_MAX),
        "complete": all(span.record.parent_id in there for span in spans if span.record.parent_id),
    }


def parties_of(spans: Sequence[Span]) -> list[Row]:
    """Tell who took part: programs, told apart by whose they are and by their service."""
    parties: dict[tuple[str | None, str | None, str], Row] = {}
    for span in sorted(spans, key=lambda span: span.position):
        origin, service = span.origin, span.record.service
        fresh = {"service": service or None, "origin": origin, "spans": 0, "failed": 0}
        party = parties.setdefault((origin.integration_id, origin.environment_id, service), fresh)
        party["spans"] += 1
        party["failed"] += span.record.failed
    return list(parties.values())[:PARTIES_MAX]


def span_view(span: Span, begin_ns: int | None = None) -> Row:
    """Show a span; without the begin of its trace its offset is not known."""
    record = span.record
    return {
        "id": record.span_id,
        "parent_id": record.parent_id or None,
        "name": record.name,
        "kind": record.kind,
        "service": record.service or None,
        "at": instant_of(record.at_ns),
        "offset_ms": None if begin_ns is None else (record.at_ns - begin_ns) / NS_A_MS,
        "duration_ms": record.duration_ns / NS_A_MS,
        "failed": record.failed,
        "attributes": attributes(record.attributes),
        "origin": span.origin,
    }


def waterfall(spans: Sequence[Span]) -> list[Span]:
    """Order spans so that each stands behind its parent, children by their begin.

    A span whose parent is not there begins a branch of its own. Whatever senders claim, each span is there once: of spans that
    are each other's ancestors the one that began first stands on top.
    """
    ordered = sorted(spans, key=lambda span: span.position)
    there = {span.record.span_id for span in ordered}
    children: dict[str, list[int]] = defaultdict(list)
    tops: list[int] = []
    for index, span in enumerate(ordered):
        parent = span.record.parent_id
        if parent and parent in there and parent != span.record.span_id:
            children[parent].append(index)
        else:
            tops.append(index)
    shown: dict[int, Span] = {}
    for top in [*tops, *range(len(ordered))]:
        waiting = [top]
        while waiting:
            index = waiting.pop()
            if index not in shown:
                shown[index] = ordered[index]
                waiting += reversed(children.pop(ordered[index].record.span_id, []))
    return list(shown.values())


def _read_filter(wanted: Row, answered: TraceFilter = _ANY) -> TraceFilter:
    duration_ms: float = wanted.get("duration_ms") or 0.0
    if not 0 <= duration_ms <= _DURATION_MS_MAX:
        raise InvalidInput(
            "A duration is neither negative nor longer than 30 years.", field="durationMs", fix="Write milliseconds."
        )
    (name,) = check_texts([wanted.get("name") or ""], "name")
    return msgspec.structs.replace(
        answered,
        services=check_texts(wanted.get("services"), "services"),
        name=name,
        failed=wanted.get("failed"),
        duration_ns_min=int(duration_ms * NS_A_MS),
    )
