"""Questions about log lines."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from pilothouse.telemetry.model import NS_A_SECOND, Level, LogLine, Position
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Arrivals,
    LogFilter,
    LogPage,
    LogQuestion,
    Scope,
    bounds_ns,
    check_limit,
)
from pilothouse.telemetry.stores.opensearch.asking import Wanted, matching, within
from pilothouse.telemetry.stores.opensearch.connection import TooManyTerms
from pilothouse.telemetry.stores.opensearch.documents import LogDocument
from pilothouse.telemetry.stores.opensearch.regex import Expressions
from pilothouse.telemetry.stores.opensearch.searching import Counted, Found, Grouped, Search, filtered
from pilothouse.telemetry.stores.opensearch.templates import Json

LevelCounts = dict[int, dict[Level, int]]
_PAGES = (500, 2_000, 10_000)
"""Lines that are read at once when they are judged here: more and more of them."""
_SOURCE: Json = {"excludes": ["@timestamp", "attribute", "level", "overlong"]}
_FOUND = Found[LogDocument]


class _LevelBucket(msgspec.Struct, kw_only=True):
    key: str
    doc_count: int


class _LevelBuckets(msgspec.Struct, kw_only=True):
    buckets: list[_LevelBucket]


class _StepBucket(msgspec.Struct, kw_only=True):
    key: int
    levels: _LevelBuckets


class _StepBuckets(msgspec.Struct, kw_only=True):
    buckets: list[_StepBucket]


class _Steps(msgspec.Struct, kw_only=True):
    steps: _StepBuckets


class Lines:
    """Answers questions about the lines that were written here."""

    def __init__(self, search: Search, expressions: Expressions) -> None:
        self._search, self._expressions = search, expressions

    async def wanted(self, filter_: LogFilter, *, there: bool = False) -> Wanted:
        """Write a filter, its expression tried; with `there` as much as possible is decided by the cluster.

        Raises: InvalidInput
        """
        wanted = matching(filter_, there=there)
        if wanted.regex:
            await asyncio.to_thread(self._expressions.check, wanted.regex)
        return wanted

    async def page(self, question: LogQuestion, timeout_s: float) -> LogPage:
        """Answer `TelemetryStore.logs`."""
        limit = check_limit(question.limit)
        wanted = await self.wanted(question.filter)
        await self._search.fresh.of("logs")
        found: list[LogLine] = []
        async for lines in self._read(question, wanted, timeout_s, first=limit + 1):
            found += lines
            if len(found) > limit:
                break
        return LogPage(lines=found[:limit], more=len(found) > limit)

    async def _read(
        self, question: LogQuestion, wanted: Wanted, timeout_s: float, *, first: int
    ) -> AsyncIterator[list[LogLine]]:
        """Read what matches, in order, page after page."""
        direction = "desc" if question.newest_first else "asc"
        body: Json = {
            "query": filtered([*within(question.scope), *wanted.conditions]),
            "sort": [{"at_ns": direction}, {"number": direction}],
            "track_total_hits": False,
            "_source": _SOURCE,
        }
        after = question.after
        turn = 0
        while True:
            likely = wanted.exact or (not turn and not wanted.regex)
            size = first if likely else max(first, _PAGES[min(turn, len(_PAGES) - 1)])
            if after is not None:
                body["search_after"] = [after.at_ns, after.number]
            answer = await self._search.ask(
                "logs", _FOUND, {**body, "size": size}, scope=question.scope, timeout_s=timeout_s
            )
            lines = [hit.source.line() for hit in answer.hits.hits]
            yield await self.judged(lines, wanted)
            if len(lines) < size:
                return
            after, turn = lines[-1].position, turn + 1

    async def judged(self, lines: list[LogLine], wanted: Wanted) -> list[LogLine]:
        """Keep what matches in all that the cluster did not decide."""
        kept = [line for line in lines if all(test(line) for test in wanted.tests)]
        if not wanted.regex or not kept:
            return kept
        messages = [line.record.message for line in kept]
        matches = await asyncio.to_thread(self._expressions.matching, wanted.regex, messages)
        return [line for line, matched in zip(kept, matches, strict=True) if matched]

    async def arrivals(self, question: ArrivalQuestion, until: int, timeout_s: float) -> Arrivals:
        """Answer `TelemetryStore.arrivals`; up to `until` everything has arrived."""
        limit = check_limit(question.limit)
        wanted = await self.wanted(question.filter)
        if until <= question.after:
            return Arrivals(lines=[], looked_until=question.after)
        await self._search.fresh.of("logs")
        found: list[LogLine] = []
        after = question.after
        while True:
            size = limit if wanted.exact else max(limit, _PAGES[0])
            arrived: Json = {"range": {"number": {"gt": after, "lte": until}}}
            body: Json = {
                "query": filtered([*within(question.scope), *wanted.conditions, arrived]),
                "sort": [{"number": "asc"}],
                "track_total_hits": False,
                "_source": _SOURCE,
                "size": size,
            }
            answer = await self._search.ask("logs", _FOUND, body, scope=question.scope, timeout_s=timeout_s)
            lines = [hit.source.line() for hit in answer.hits.hits]
            found += await self.judged(lines, wanted)
            if len(found) >= limit:
                return Arrivals(lines=found[:limit], looked_until=found[limit - 1].number)
            if len(lines) < size:
                return Arrivals(lines=found, looked_until=until)
            after = lines[-1].number

    async def count(self, scope: Scope, filter_: LogFilter, timeout_s: float) -> int:
        """Answer `TelemetryStore.count_logs`."""
        wanted = await self.wanted(filter_, there=True)
        await self._search.fresh.of("logs")
        if wanted.exact:
            with contextlib.suppress(TooManyTerms):
                return await self._counted(scope, wanted, timeout_s)
        wanted = await self.wanted(filter_)
        return sum([len(lines) async for lines in self._all(scope, wanted, timeout_s)])

    async def _counted(self, scope: Scope, wanted: Wanted, timeout_s: float) -> int:
        body: Json = {"query": filtered([*within(scope), *wanted.conditions]), "size": 0, "track_total_hits": True}
        return (await self._search.ask("logs", Counted, body, scope=scope, timeout_s=timeout_s)).hits.total.value

    def _all(self, scope: Scope, wanted: Wanted, timeout_s: float) -> AsyncIterator[list[LogLine]]:
        return self._read(LogQuestion(scope=scope), wanted, timeout_s, first=_PAGES[-1])

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, timeout_s: float
    ) -> Mapping[int, Mapping[Level, int]]:
        """Answer `TelemetryStore.levels`."""
        width_s = max(1, step_s)
        bounds_ns(scope, width_s * NS_A_SECOND)
        wanted = await self.wanted(filter_, there=True)
        await self._search.fresh.of("logs")
        if wanted.exact:
            with contextlib.suppress(TooManyTerms):
                return await self._levels_counted(scope, wanted, width_s, timeout_s)
        wanted = await self.wanted(filter_)
        return await self._levels_read(scope, wanted, width_s, timeout_s)

    async def _levels_counted(self, scope: Scope, wanted: Wanted, width_s: int, timeout_s: float) -> LevelCounts:
        body: Json = {
            "query": filtered([*within(scope), *wanted.conditions]),
            "size": 0,
            "track_total_hits": False,
            "aggs": {
                "steps": {
                    "date_histogram": {"field": "@timestamp", "fixed_interval": f"{width_s}s", "min_doc_count": 1},
                    "aggs": {"levels": {"terms": {"field": "level", "size": len(Level)}}},
                }
            },
        }
        answer = await self._search.ask("logs", Grouped[_Steps], body, scope=scope, timeout_s=timeout_s)
        if answer.aggregations is None:
            return {}
        return {
            step.key // 1_000: {Level[one.key]: one.doc_count for one in step.levels.buckets}
            for step in answer.aggregations.steps.buckets
        }

    async def _levels_read(self, scope: Scope, wanted: Wanted, step_s: int, timeout_s: float) -> LevelCounts:
        steps: dict[int, dict[Level, int]] = defaultdict(lambda: defaultdict(int))
        async for lines in self._all(scope, wanted, timeout_s):
            count_levels(steps, lines, step_s)
        return {begin_s: dict(levels) for begin_s, levels in steps.items()}


def count_levels(steps: dict[int, dict[Level, int]], lines: Sequence[LogLine], step_s: int) -> None:
    """Add lines to a level histogram."""
    for line in lines:
        steps[line.record.at_ns // (step_s * NS_A_SECOND) * step_s][line.record.level] += 1


def ordered(lines: list[LogLine], *, newest_first: bool) -> list[LogLine]:
    """Sort lines by their place."""
    return sorted(lines, key=lambda line: line.position, reverse=newest_first)


def is_behind(position: Position, after: Position, *, newest_first: bool) -> bool:
    """Tell whether a place comes after another one in a list."""
    return position < after if newest_first else position > after
