"""A store that forgets everything when it ends: for tests, ours and our users', and judged by the same contract."""

import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import duckdb
import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry import composed
from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    AttributeValue,
    Level,
    LogBatch,
    LogLine,
    LogRecord,
    MetricBatch,
    MetricPoint,
    Origin,
    Position,
    Span,
    SpanBatch,
    SpanRecord,
)
from pilothouse.telemetry.questions import (
    METRIC_NAMES_MAX,
    TRACE_SPANS_MAX,
    Admission,
    ArrivalQuestion,
    Arrivals,
    Dimension,
    EnvironmentUsage,
    Figures,
    LogFilter,
    LogPage,
    LogQuestion,
    MetricQuestion,
    Scope,
    Series,
    SpanPage,
    SpanQuestion,
    TraceFilter,
    TraceFound,
    TracePage,
    TraceQuestion,
    TraceSpans,
    Usage,
    bounds_ns,
    by_trace,
    check_limit,
    check_regex,
    wanted_ids,
)
from pilothouse.telemetry.statuses import LINE_KEYS, Answered, status_of
from pilothouse.telemetry.store import TIMEOUT_S, Context, RecordSort, Retentions

T = TypeVar("T")
Point = tuple[Origin, MetricPoint]
_MINUTE_S = 60


class MemoryStore:
    """`TelemetryStore` in lists."""

    def __init__(self) -> None:
        self._lines: list[LogLine] = []
        self._points: list[Point] = []
        self._spans: list[Span] = []
        self._numbers = 0

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        for batch in batches:
            for record in batch.records:
                self._lines.append(LogLine(record=record, origin=batch.origin, number=self._numbers))
                self._numbers += 1

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points."""
        self._points += [(batch.origin, record) for batch in batches for record in batch.records]

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans."""
        for batch in batches:
            for record in batch.records:
                self._spans.append(Span(record=record, origin=batch.origin, number=self._numbers))
                self._numbers += 1

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time."""
        del timeout_s
        limit, after = check_limit(question.limit), question.after
        lines = sorted(self._matching(question.scope, question.filter), key=lambda one: one.position)
        if question.newest_first:
            lines.reverse()
        if after is not None:
            lines = [one for one in lines if (one.position < after) is question.newest_first and one.position != after]
        return LogPage(lines=lines[:limit], more=len(lines) > limit)

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        del timeout_s
        limit = check_limit(question.limit)
        lines = [one for one in self._matching(question.scope, question.filter) if one.number > question.after][:limit]
        until = lines[-1].number if len(lines) == limit else max(self._numbers - 1, question.after)
        return Arrivals(lines=lines, looked_until=until)

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        del timeout_s
        return len(self._matching(scope, filter_))

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step and level."""
        del timeout_s
        step_ns = max(1, step_s) * NS_A_SECOND
        bounds_ns(scope, step_ns)
        steps: dict[int, dict[Level, int]] = defaultdict(lambda: defaultdict(int))
        for line in self._matching(scope, filter_):
            steps[line.record.at_ns // step_ns * max(1, step_s)][line.record.level] += 1
        return {begin_s: dict(levels) for begin_s, levels in steps.items()}

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line."""
        return await composed.context(self, scope, at, before=before, after=after, timeout_s=timeout_s)

    def export_logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces."""
        return composed.export_logs(self, question, timeout_s=timeout_s)

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        del timeout_s
        step_s = question.step_s
        if step_s is not None and (step_s < _MINUTE_S or step_s % _MINUTE_S):
            raise InvalidInput("A step is one or more whole minutes.", field="step", fix="Ask for a multiple of 60 s.")
        from_ns, to_ns = bounds_ns(question.scope, step_s and step_s * NS_A_SECOND)
        admission = Admission(question.scope)
        rows: dict[tuple[str | None, ...], dict[int, dict[bool, Histogram]]] = defaultdict(lambda: defaultdict(dict))
        for origin, point in self._points:
            minute_s = _minute_s(point)
            within = from_ns // NS_A_SECOND // _MINUTE_S * _MINUTE_S <= minute_s < -(-to_ns // NS_A_SECOND)
            if not within or not admission.admits(origin) or not _asked(point, question):
                continue
            begin_s = from_ns // NS_A_SECOND if step_s is None else minute_s // step_s * step_s
            both = rows[tuple(_dimension(origin, point, one) for one in question.by)][begin_s]
            both[point.failed] = both.get(point.failed, Histogram()).merge(point.values)
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

    async def metric_names(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
        """List the names of metrics."""
        del timeout_s
        admission = Admission(scope)
        from_s = None if scope.from_ns is None else scope.from_ns // NS_A_SECOND // _MINUTE_S * _MINUTE_S
        to_s = None if scope.to_ns is None else -(-scope.to_ns // NS_A_SECOND)
        names = {
            point.name
            for origin, point in self._points
            if (from_s is None or _minute_s(point) >= from_s)
            and (to_s is None or _minute_s(point) < to_s)
            and admission.admits(origin)
        }
        return sorted(names)[:METRIC_NAMES_MAX]

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        del timeout_s
        limit, wanted = check_limit(question.limit), question.filter
        found: dict[str, Span] = {}
        end = question.after
        for span in sorted(_within(self._spans, question.scope), key=lambda one: one.position, reverse=True):
            one = span.record
            if (question.after is not None and span.position >= question.after) or not _interests(one, wanted):
                continue
            if len(found) == limit and one.trace_id not in found:
                return TracePage(traces=_found(found), end=end, more=True)
            found.setdefault(one.trace_id, span)
            end = span.position
        return TracePage(traces=_found(found), end=end, more=False)

    async def spans_of(
        self, scope: Scope, trace_ids: Sequence[str], *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[str, TraceSpans]:
        """Give the spans of traces."""
        del timeout_s
        wanted = wanted_ids(trace_ids)
        spans = [span for span in _within(self._spans, scope) if span.record.trace_id in wanted]
        spans.sort(key=lambda span: span.position)
        return by_trace(spans[:TRACE_SPANS_MAX], Counter(span.record.trace_id for span in spans))

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> TraceSpans:
        """Give the spans of a trace."""
        return await composed.trace(self, scope, trace_id, timeout_s=timeout_s)

    async def spans(self, question: SpanQuestion, *, timeout_s: float = TIMEOUT_S) -> SpanPage:
        """List spans."""
        del timeout_s
        limit, after = check_limit(question.limit), question.after
        spans = [
            span
            for span in sorted(_within(self._spans, question.scope), key=lambda one: one.position, reverse=True)
            if (after is None or span.position < after) and (not question.kinds or span.record.kind in question.kinds)
        ]
        return SpanPage(spans=spans[:limit], more=len(spans) > limit)

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Remove what is too old; sizes are not minded here."""

        def kept(sort: RecordSort, origin: Origin, at_ns: int) -> bool:
            age_s = retentions.of(sort, origin.environment_id).age_s
            return at_ns >= now_ns - int(age_s * NS_A_SECOND)

        before = len(self._lines) + len(self._points) + len(self._spans)
        self._lines = [one for one in self._lines if kept("logs", one.origin, one.record.at_ns)]
        self._points = [one for one in self._points if kept("metrics", one[0], one[1].at_ns)]
        self._spans = [one for one in self._spans if kept("spans", one.origin, one.record.at_ns)]
        return before - len(self._lines) - len(self._points) - len(self._spans)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        parts: list[EnvironmentUsage] = []
        for environment_id in sorted({one.origin.environment_id or "" for one in self._lines}):
            times = [one.record.at_ns for one in self._lines if (one.origin.environment_id or "") == environment_id]
            parts.append(
                EnvironmentUsage(
                    sort="logs",
                    environment_id=environment_id or None,
                    bytes_on_disk=0,
                    records=len(times),
                    oldest_ns=min(times),
                    newest_ns=max(times),
                )
            )
        return Usage(
            bytes_on_disk=0, budget_bytes=0, memory_bytes=0, waiting_bytes=0, removed_early=0, restarts=0, parts=parts
        )

    async def close(self) -> None:
        """Forget everything."""
        self._lines, self._points, self._spans = [], [], []

    def _matching(self, scope: Scope, filter_: LogFilter) -> list[LogLine]:
        check_regex(filter_)
        lines = [line for line in _within(self._lines, scope) if _matches(line, filter_)]
        return _by_regex(lines, filter_.regex) if filter_.regex else lines


def _within(records: "Iterable[T]", scope: Scope) -> "list[T]":
    admission = Admission(scope)

    def inside(record: "LogLine | Span") -> bool:
        at_ns = record.record.at_ns
        return (
            (scope.from_ns is None or at_ns >= scope.from_ns)
            and (scope.to_ns is None or at_ns < scope.to_ns)
            and admission.admits(record.origin)
        )

    test: Callable[..., bool] = inside
    return [record for record in records if test(record)]


def _matches(line: LogLine, filter_: LogFilter) -> bool:
    record, message = line.record, line.record.message
    whole = rf"(^|[^A-Za-z0-9_-]){re.escape(filter_.token)}($|[^A-Za-z0-9_-])"
    phrase = filter_.phrase.lower() if filter_.ignore_case else filter_.phrase
    return (
        (not filter_.levels or record.level in filter_.levels)
        and phrase in (message.lower() if filter_.ignore_case else message)
        and (not filter_.token or filter_.token.lower() == record.trace_id or re.search(whole, message) is not None)
        and filter_.trace_id.lower() in ("", record.trace_id)
        and filter_.logger in ("", record.logger)
        and all(
            key in record.attributes and _text(record.attributes[key]) == value for key, value in filter_.attributes
        )
        and _answered(record, filter_.answered)
    )


def _interests(span: SpanRecord, wanted: TraceFilter) -> bool:
    ended_ns = span.at_ns + span.duration_ns
    return (
        (not wanted.services or span.service in wanted.services)
        and wanted.name in span.name
        and wanted.failed in (None, span.failed)
        and span.duration_ns >= wanted.duration_ns_min
        and (not wanted.codes or (span.kind is wanted.kind and status_of(span.attributes) in wanted.codes))
        and (wanted.ended_from_ns is None or ended_ns >= wanted.ended_from_ns)
        and (wanted.ended_to_ns is None or ended_ns < wanted.ended_to_ns)
    )


def _answered(record: LogRecord, answered: Answered | None) -> bool:
    if answered is None or record.trace_id in answered.trace_ids:
        return True
    return any(_text(record.attributes[key]) in answered.codes for key in LINE_KEYS if key in record.attributes)


def _text(value: AttributeValue) -> str | None:
    return value if isinstance(value, str) else None if value is None else msgspec.json.encode(value).decode()


def _by_regex(lines: list[LogLine], regex: str) -> list[LogLine]:
    """Match as the embedded store does: RE2's language, and its linear time."""
    try:
        with duckdb.connect() as database:
            database.execute("SELECT regexp_matches('', ?)", [regex])
            messages = [line.record.message for line in lines]
            sql = "SELECT regexp_matches(message, ?) FROM (SELECT unnest(?::VARCHAR[]) AS message)"
            answers = database.execute(sql, [regex, messages]).fetchall() if messages else []
    except duckdb.InvalidInputException as error:
        raise InvalidInput(str(error), field="regex", fix="Write it in the language of RE2.") from None
    return [line for line, (matches,) in zip(lines, answers, strict=True) if matches]


def _minute_s(point: MetricPoint) -> int:
    """Tell the minute that a point belongs to: an interval that ends with a minute is of that minute."""
    return (point.at_ns - 1) // NS_A_SECOND // _MINUTE_S * _MINUTE_S


def _asked(point: MetricPoint, question: MetricQuestion) -> bool:
    return (
        point.name == question.name
        and point.outbound is question.outbound
        and (not question.services or point.service in question.services)
        and (not question.resources or point.resource in question.resources)
    )


def _dimension(origin: Origin, point: MetricPoint, dimension: Dimension) -> str | None:
    return {
        Dimension.PROJECT: origin.project_id,
        Dimension.INTEGRATION: origin.integration_id,
        Dimension.ENVIRONMENT: origin.environment_id,
        Dimension.RUNTIME: origin.runtime_id,
        Dimension.SERVICE: point.service,
        Dimension.RESOURCE: point.resource,
        Dimension.STATUS: point.status,
    }[dimension]


def _found(spans: Mapping[str, Span]) -> list[TraceFound]:
    return [TraceFound(trace_id=trace_id, span=span) for trace_id, span in spans.items()]
