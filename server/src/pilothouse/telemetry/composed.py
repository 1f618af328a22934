"""Questions that every store answers by asking simpler ones."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from pilothouse.base.errors import NotFound
from pilothouse.telemetry.model import LogLine, Position
from pilothouse.telemetry.questions import TRACE_SPANS_MAX, LogQuestion, Scope, TraceSpans
from pilothouse.telemetry.store import Context, TelemetryStore


async def export_logs(
    store: TelemetryStore, question: LogQuestion, *, timeout_s: float
) -> AsyncIterator[Sequence[LogLine]]:
    """Give all lines that match, page after page: no snapshot is held, and stopping costs nothing."""
    more = True
    while more:
        page = await store.logs(question, timeout_s=timeout_s)
        if page.lines:
            yield page.lines
        more = page.more
        question = msgspec.structs.replace(question, after=page.end)


async def context(
    store: TelemetryStore, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float
) -> Context:
    """Show what the same runtime said around a line.

    Raises: NotFound
    """
    here = msgspec.structs.replace(scope, from_ns=at.at_ns, to_ns=at.at_ns + 1)
    just_before = Position(at.at_ns, at.number - 1)
    found = await store.logs(
        LogQuestion(scope=here, newest_first=False, after=just_before, limit=1), timeout_s=timeout_s
    )
    if not found.lines or found.lines[0].position != at:
        raise NotFound("There is no such line, or you may not see it.")
    line = found.lines[0]
    near = msgspec.structs.replace(scope, from_ns=None, to_ns=None)
    if line.origin.runtime_id is not None:
        near = msgspec.structs.replace(near, runtime_ids=(line.origin.runtime_id,))
    earlier: Sequence[LogLine] = ()
    later: Sequence[LogLine] = ()
    if before:
        back = LogQuestion(scope=near, after=at, limit=before)
        earlier = (await store.logs(back, timeout_s=timeout_s)).lines
    if after:
        on = LogQuestion(scope=near, newest_first=False, after=at, limit=after)
        later = (await store.logs(on, timeout_s=timeout_s)).lines
    return Context(before=list(reversed(earlier)), line=line, after=later)


async def trace(store: TelemetryStore, scope: Scope, trace_id: str, *, timeout_s: float) -> TraceSpans:
    """Give the spans of one trace."""
    found = await store.spans_of(scope, [trace_id], timeout_s=timeout_s)
    return next(iter(found.values()), TraceSpans())


async def whole_traces(store: TelemetryStore, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, TraceSpans]:
    """Give of each trace all that `TelemetryStore.trace` would.

    One read does for all, unless they have more spans together than one answer may have: then there are more reads as there
    are more spans, and not as there are more traces.
    """
    found = dict(await store.spans_of(scope, trace_ids))
    cut = {id_: one.count for id_, one in found.items() if len(one.spans) < min(one.count, TRACE_SPANS_MAX)}
    for together in _answers(cut):
        found |= await store.spans_of(scope, together)
    return found


def _answers(counts: Mapping[str, int]) -> Iterator[list[str]]:
    """Divide traces into as few answers as their spans need; one that fills an answer is there alone."""
    together: list[str] = []
    spans = 0
    for trace_id, count in sorted(counts.items(), key=lambda item: item[1]):
        if together and spans + count > TRACE_SPANS_MAX:
            yield together
            together, spans = [], 0
        together.append(trace_id)
        spans += count
    if together:
        yield together
