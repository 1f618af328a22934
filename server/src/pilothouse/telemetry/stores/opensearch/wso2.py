"""Lines in the indices that WSO2's Fluent Bit set-up fills, read as they are.

Their runtimes are known by the identity that they give themselves; whose they are is asked of the control plane. Their
mapping is asked too: a field may be a bare keyword, or text with a keyword below it.
"""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from pilothouse.telemetry.model import Level, LogLine, Origin
from pilothouse.telemetry.questions import Admission, LogFilter, LogQuestion, Scope
from pilothouse.telemetry.stores.opensearch.connection import Absent, Connection
from pilothouse.telemetry.stores.opensearch.documents import NS_A_MS
from pilothouse.telemetry.stores.opensearch.lines import count_levels, is_behind, ordered
from pilothouse.telemetry.stores.opensearch.searching import Counted, Grouped, filtered
from pilothouse.telemetry.stores.opensearch.templates import Json
from pilothouse.telemetry.stores.opensearch.wso2_documents import LOGS, MAY_BE_MISSING, Found, Hit, Origins, line_of
from pilothouse.telemetry.stores.opensearch.wso2_filter import level_conditions, level_of_name, tests_of

Judge = Callable[[list[LogLine]], Any]  # Any: an awaitable of lines
_FIELDS = "icp_runtimeId*,level*,time,app_name*,http_*,src_*,payload.*"
_ASKED_ANEW_S = 60.0
_RUNTIMES_MAX = 10_000
_PAGE, _TIES_MAX = 1_000, 10_000


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """Indices that are mapped alike."""

    indices: tuple[str, ...]
    fields: frozenset[str]
    """Fields that can be asked for exactly, `.keyword` included."""
    timed: bool
    """Whether `time` is a date; otherwise the time is `@timestamp`."""

    def exact(self, name: str) -> str | None:
        """Return the field by which values are compared as they are."""
        return next((field for field in (f"{name}.keyword", name) if field in self.fields), None)


class _Type(msgspec.Struct, kw_only=True):
    type: str = ""


class _Field(msgspec.Struct, kw_only=True):
    mapping: dict[str, _Type]


class _IndexFields(msgspec.Struct, kw_only=True):
    mappings: dict[str, _Field]


class Bucket(msgspec.Struct, kw_only=True):
    """A value and how often it is there."""

    key: str
    doc_count: int


class Buckets(msgspec.Struct, kw_only=True):
    """Values."""

    buckets: list[Bucket] = []


class _Runtimes(msgspec.Struct, kw_only=True):
    runtimes: Buckets


class _Step(msgspec.Struct, kw_only=True):
    key: int
    levels: Buckets


class _StepBuckets(msgspec.Struct, kw_only=True):
    buckets: list[_Step] = []


class _Steps(msgspec.Struct, kw_only=True):
    steps: _StepBuckets


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """Documents that have their time in one field."""

    mapped: Mapped
    clock: str
    conditions: list[Json]


class Mappings:
    """Knows how foreign indices are mapped; asks once a minute at most."""

    def __init__(self, connection: Connection, pattern: str) -> None:
        self._connection, self._pattern = connection, pattern
        self._known: list[Mapped] = []
        self._until_s = 0.0

    async def all(self, *, of: str | None = None) -> list[Mapped]:
        """List groups of indices that are mapped alike; asks anew when one that is named is not among them."""
        is_unknown = of is not None and not any(of in mapped.indices for mapped in self._known)
        if is_unknown or time.monotonic() >= self._until_s:
            path = f"/{self._pattern}/_mapping/field/{_FIELDS}"
            try:
                told = await self._connection.ask("GET", path, dict[str, _IndexFields], parameters=MAY_BE_MISSING)
            except Absent:
                told = {}
            alike: dict[tuple[frozenset[str], bool], list[str]] = defaultdict(list)
            for index, found in told.items():
                types = {name: next(iter(one.mapping.values())).type for name, one in found.mappings.items()}
                exact = frozenset(name for name, type_ in types.items() if type_ not in ("text", "date"))
                alike[exact, types.get("time") == "date"].append(index)
            self._known = [
                Mapped(indices=tuple(sorted(indices)), fields=fields, timed=timed)
                for (fields, timed), indices in alike.items()
            ]
            self._until_s = time.monotonic() + _ASKED_ANEW_S
        return self._known


class ForeignLines:
    """Answers questions about lines in WSO2's indices."""

    def __init__(self, connection: Connection, origins: Origins) -> None:
        self._connection, self._origins = connection, origins
        self._mappings = Mappings(connection, LOGS)

    async def page(self, question: LogQuestion, judge: Judge, timeout_s: float) -> list[LogLine]:
        """List the first lines of a question, one more than its limit if there are so many."""
        found: list[LogLine] = []
        for source in await self._sources(question.scope, question.filter, timeout_s):
            own: list[LogLine] = []
            async for lines in self._read(source, question, timeout_s):
                own += await judge(lines)
                if len(own) > question.limit:
                    break
            found += own
        return ordered(found, newest_first=question.newest_first)[: question.limit + 1]

    async def count(self, scope: Scope, filter_: LogFilter, judge: Judge, timeout_s: float) -> int:
        """Count lines."""
        total = 0
        for source in await self._sources(scope, filter_, timeout_s):
            if tests_of(filter_) or filter_.regex:
                async for lines in self._read(source, LogQuestion(scope=scope, filter=filter_), timeout_s):
                    total += len(await judge(lines))
            else:
                body: Json = {"size": 0, "track_total_hits": True, "query": filtered(source.conditions)}
                total += (await self._ask(LOGS, Counted, body, timeout_s)).hits.total.value
        return total

    async def levels(
        self,
        scope: Scope,
        filter_: LogFilter,
        judge: Judge,
        step_s: int,
        steps: dict[int, dict[Level, int]],
        timeout_s: float,
    ) -> None:
        """Add lines to a level histogram."""
        for source in await self._sources(scope, filter_, timeout_s):
            level = source.mapped.exact("level")
            if tests_of(filter_) or filter_.regex or level is None:
                async for lines in self._read(source, LogQuestion(scope=scope, filter=filter_), timeout_s):
                    count_levels(steps, await judge(lines), step_s)
                continue
            body: Json = {
                "size": 0,
                "query": filtered(source.conditions),
                "aggs": {
                    "steps": {
                        "date_histogram": {"field": source.clock, "fixed_interval": f"{step_s}s", "min_doc_count": 1},
                        "aggs": {"levels": {"terms": {"field": level, "missing": "INFO", "size": 100}}},
                    }
                },
            }
            answer = await self._ask(LOGS, Grouped[_Steps], body, timeout_s)
            for step in answer.aggregations.steps.buckets if answer.aggregations else ():
                for one in step.levels.buckets:
                    steps[step.key // 1_000][level_of_name(one.key)] += one.doc_count

    async def _ask(self, pattern: str, type_: type[Any], body: Json, timeout_s: float) -> Any:  # Any: of that type
        path = f"/{pattern}/_search"
        return await self._connection.ask("POST", path, type_, body, parameters=MAY_BE_MISSING, timeout_s=timeout_s + 1)

    async def _sources(self, scope: Scope, filter_: LogFilter, timeout_s: float) -> list[_Source]:
        sources: list[_Source] = []
        for mapped in await self._mappings.all():
            for clock, timed in (
                ("time", [_exists("time")]),
                ("@timestamp", [{"bool": {"must_not": [_exists("time")]}}]),
            ):
                if clock == "time" and not mapped.timed:
                    continue
                conditions: list[Json] = [
                    {"terms": {"_index": list(mapped.indices)}},
                    *(timed if mapped.timed else ()),
                    *in_time(scope, clock),
                ]
                seen = await admitted(self._connection, LOGS, mapped, conditions, scope, self._origins, timeout_s)
                level = mapped.exact("level")
                levels = level_conditions(filter_.levels, level) if level else []
                sources.append(_Source(mapped=mapped, clock=clock, conditions=[*conditions, *seen, *levels]))
        return sources

    async def _read(self, source: _Source, question: LogQuestion, timeout_s: float) -> AsyncIterator[list[LogLine]]:
        """Read lines in order. Lines of one ms are read together: their ids, which tell them apart, have no order there."""
        newest_first, after = question.newest_first, question.after
        size = max(_PAGE, min(question.limit + 1, _TIES_MAX))
        while True:
            behind: list[Json] = []
            if after is not None:
                bound = "lte" if newest_first else "gte"
                behind = [{"range": {source.clock: {bound: after.at_ns // NS_A_MS, "format": "epoch_millis"}}}]
            hits = await self._hits(source, behind, size, newest_first=newest_first, timeout_s=timeout_s)
            full = len(hits) == size
            if full:
                last = hits[-1].sort[0]
                same: Json = {"range": {source.clock: {"gte": last, "lte": last, "format": "epoch_millis"}}}
                ties = await self._hits(source, [same], _TIES_MAX, newest_first=newest_first, timeout_s=timeout_s)
                hits = [hit for hit in hits if hit.sort[0] != last] + ties
            lines = ordered([line_of(hit, source.clock, self._origins) for hit in hits], newest_first=newest_first)
            if after is not None:
                lines = [line for line in lines if is_behind(line.position, after, newest_first=newest_first)]
            tests = tests_of(question.filter)
            yield [line for line in lines if all(test(line) for test in tests)]
            if not full or not lines:
                return
            after = lines[-1].position

    async def _hits(
        self, source: _Source, also: Sequence[Json], size: int, *, newest_first: bool, timeout_s: float
    ) -> list[Hit]:
        body: Json = {
            "size": size,
            "track_total_hits": False,
            "query": filtered([*source.conditions, *also]),
            "sort": [{source.clock: {"order": "desc" if newest_first else "asc", "unmapped_type": "date"}}],
        }
        return (await self._ask(LOGS, Found, body, timeout_s)).hits.hits

    async def clock_of(self, index: str) -> str:
        """Name the field that has the time of the documents of an index."""
        for mapped in await self._mappings.all(of=index):
            if index in mapped.indices:
                return "time" if mapped.timed else "@timestamp"
        return "@timestamp"


def _exists(field: str) -> Json:
    return {"exists": {"field": field}}


def in_time(scope: Scope, clock: str) -> list[Json]:
    """Write the time of a scope; these indices know whole ms."""
    limits = {
        name: -(-bound // NS_A_MS) for name, bound in (("gte", scope.from_ns), ("lt", scope.to_ns)) if bound is not None
    }
    return [{"range": {clock: {**limits, "format": "epoch_millis"}}}] if limits else []


async def admitted(
    connection: Connection,
    pattern: str,
    mapped: Mapped,
    conditions: list[Json],
    scope: Scope,
    origins: Origins,
    timeout_s: float,
) -> list[Json]:
    """Write which runtimes a scope lets through, of those that are there."""
    admission = Admission(scope)
    if admission.everything:
        return []
    nameless = admission.admits(Origin())
    field = mapped.exact("icp_runtimeId")
    if field is None:
        return [] if nameless else [{"match_none": {}}]
    body: Json = {
        "size": 0,
        "query": filtered(conditions),
        "aggs": {"runtimes": {"terms": {"field": field, "size": _RUNTIMES_MAX}}},
    }
    answer = await connection.ask(
        "POST", f"/{pattern}/_search", Grouped[_Runtimes], body, parameters=MAY_BE_MISSING, timeout_s=timeout_s + 1
    )
    there = [one.key for one in answer.aggregations.runtimes.buckets] if answer.aggregations else []
    either: list[Json] = [{"terms": {field: [one for one in there if admission.admits(origins(one))]}}]
    if nameless:
        either.append({"bool": {"must_not": [_exists("icp_runtimeId")]}})
    return [{"bool": {"should": either, "minimum_should_match": 1}}]
