"""Requests in the indices that WSO2's Fluent Bit set-up fills: one document each, made into histograms in the cluster."""

from typing import Any

import msgspec

from pilothouse.telemetry.histogram import INDEX_MAX, INDEX_MIN, Histogram
from pilothouse.telemetry.model import NS_A_SECOND, Origin
from pilothouse.telemetry.questions import Dimension, MetricQuestion
from pilothouse.telemetry.stores.opensearch.connection import Connection
from pilothouse.telemetry.stores.opensearch.figures import Counts, Rows, Value, add, minutes_of, step_of
from pilothouse.telemetry.stores.opensearch.searching import Grouped, filtered
from pilothouse.telemetry.stores.opensearch.templates import Json
from pilothouse.telemetry.stores.opensearch.wso2 import Mapped, Mappings, admitted
from pilothouse.telemetry.stores.opensearch.wso2_documents import MAY_BE_MISSING, Origins

BI, MI = "ballerina-metrics-logs-*", "mi-metrics-logs-*"
INBOUND, OUTBOUND = "http.server.request.duration", "http.client.request.duration"
_PAGE = 2_000
_MS_A_S = 1_000.0


class _Group(msgspec.Struct, kw_only=True):
    key: dict[str, str | int | bool | None]
    doc_count: int
    sum: Value
    low: Value
    high: Value
    buckets: Counts


class _Groups(msgspec.Struct, kw_only=True):
    buckets: list[_Group] = []
    after_key: dict[str, str | int | bool | None] | None = None


class _Answer(msgspec.Struct, kw_only=True):
    groups: _Groups


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of the two kinds of runtime has what a question is about."""

    pattern: str
    duration: str
    divisor: float
    tags: dict[str, str]
    """Part of a group's key to field."""


_BI = _Kind(
    pattern=BI,
    duration="response_time_seconds",
    divisor=1.0,
    tags={
        "runtime": "icp_runtimeId",
        "service": "app_name",
        "method": "http_method",
        "route": "src_resource_path",
        "status": "http_status_code_group",
    },
)
_MI = _Kind(
    pattern=MI,
    duration="payload.latency",
    divisor=_MS_A_S,
    tags={
        "runtime": "icp_runtimeId",
        "service": "payload.apiDetails.api",
        "method": "payload.apiDetails.method",
        "route": "payload.apiDetails.apiContext",
        "failure": "payload.failure",
        "fault": "payload.faultResponse",
    },
)


class ForeignMetrics:
    """Answers questions about requests from WSO2's indices."""

    def __init__(self, connection: Connection, origins: Origins) -> None:
        self._connection, self._origins = connection, origins
        self._mappings = {kind.pattern: Mappings(connection, kind.pattern) for kind in (_BI, _MI)}

    async def add_up(self, question: MetricQuestion, rows: Rows, timeout_s: float) -> None:
        """Add what is there to the rows of an answer."""
        if question.name != (OUTBOUND if question.outbound else INBOUND):
            return
        for kind in (_BI,) if question.outbound else (_BI, _MI):
            for mapped in await self._mappings[kind.pattern].all():
                await self._add(kind, mapped, question, rows, timeout_s)

    async def _add(self, kind: _Kind, mapped: Mapped, question: MetricQuestion, rows: Rows, timeout_s: float) -> None:
        step_s = step_of(question)
        from_s, to_s = minutes_of(question)
        whole_s = (question.scope.from_ns or 0) // NS_A_SECOND
        limits: Json = {"gte": from_s * 1_000, "lt": to_s * 1_000, "format": "epoch_millis"}
        conditions: list[Json] = [
            {"terms": {"_index": list(mapped.indices)}},
            {"range": {"@timestamp": limits}},
            {"exists": {"field": kind.duration}},
            *_direction(kind, mapped, outbound=question.outbound),
        ]
        seen = await admitted(
            self._connection, kind.pattern, mapped, conditions, question.scope, self._origins, timeout_s
        )
        sources: list[Json] = [
            {name: {"terms": {"field": field, "missing_bucket": True}}}
            for name, told in kind.tags.items()
            if (field := mapped.exact(told)) is not None
        ]
        step = f"{step_s or 60}s" if step_s else "1d"
        sources.append({"step": {"date_histogram": {"field": "@timestamp", "fixed_interval": step}}})
        composite: Json = {"size": _PAGE, "sources": sources}
        body: Json = {
            "size": 0,
            "query": filtered([*conditions, *seen]),
            "aggs": {"groups": {"composite": composite, "aggs": _aggregations(kind)}},
        }
        while True:
            answer = await self._connection.ask(
                "POST",
                f"/{kind.pattern}/_search",
                Grouped[_Answer],
                body,
                parameters=MAY_BE_MISSING,
                timeout_s=timeout_s + 1,
            )
            groups = answer.aggregations.groups if answer.aggregations else _Groups()
            for group in groups.buckets:
                begin_s = whole_s if step_s is None else int(group.key["step"] or 0) // 1_000
                self._put(kind, group, question, rows, begin_s)
            if groups.after_key is None or len(groups.buckets) < _PAGE:
                return
            composite["after"] = groups.after_key

    def _put(self, kind: _Kind, group: _Group, question: MetricQuestion, rows: Rows, begin_s: int) -> None:
        told = {name: value for name, value in group.key.items() if value is not None}
        runtime_id = str(told.get("runtime", ""))
        origin = self._origins(runtime_id) if runtime_id else Origin()
        service = str(told.get("service", ""))
        resource = f"{told.get('method', '?')} {told.get('route', '?')}"
        status = str(told.get("status", ""))
        if (question.services and service not in question.services) or (
            question.resources and resource not in question.resources
        ):
            return
        bad = ("4xx", "5xx") if question.outbound else ("5xx",)
        failed = status in bad or any(str(told.get(name, "")).lower() in ("true", "1") for name in ("failure", "fault"))
        values: dict[Dimension, str | None] = {
            Dimension.PROJECT: origin.project_id,
            Dimension.INTEGRATION: origin.integration_id,
            Dimension.ENVIRONMENT: origin.environment_id,
            Dimension.RUNTIME: origin.runtime_id,
            Dimension.SERVICE: service,
            Dimension.RESOURCE: resource,
            Dimension.STATUS: status,
        }
        key = tuple(values[dimension] for dimension in question.by)
        add(rows, key, begin_s, _histogram(group, kind.divisor), failed=failed)


def _direction(kind: _Kind, mapped: Mapped, *, outbound: bool) -> list[Json]:
    if kind is _MI:
        field = mapped.exact("payload.entityType")
        return [{"term": {field: "API"}}] if field else [{"match_none": {}}]
    field = mapped.exact("src_client_remote")
    called: Json = {"term": {field: "true"}} if field else {"match_none": {}}
    if outbound:
        return [called]
    return [{"bool": {"must_not": [called]}}, {"exists": {"field": "http_url"}}]


def _aggregations(kind: _Kind) -> Json:
    return {
        "sum": {"sum": {"field": kind.duration}},
        "low": {"min": {"field": kind.duration}},
        "high": {"max": {"field": kind.duration}},
        "buckets": {"scripted_metric": _counted(kind)},
    }


def _counted(kind: _Kind) -> dict[str, Any]:  # Any: OpenSearch's own language
    return {
        "params": {"field": kind.duration, "divisor": kind.divisor, "least": INDEX_MIN, "most": INDEX_MAX},
        "init_script": "state.counts = new HashMap()",
        "map_script": (
            "if (doc[params.field].size() == 0) { return } double value = doc[params.field].value / params.divisor;"
            " String index = 'zero'; if (value > 0) { double place = Math.ceil(Math.log(value) / Math.log(2) * 16) - 1;"
            " index = Long.toString((long) Math.min(Math.max(place, params.least), params.most)) }"
            " state.counts.merge(index, 1L, (a, b) -> a + b)"
        ),
        "combine_script": "return state.counts",
        "reduce_script": (
            "Map merged = new HashMap(); for (counts in states) { if (counts != null) { for (entry in counts.entrySet())"
            " { merged.merge(entry.getKey(), entry.getValue(), (a, b) -> a + b) } } } return merged"
        ),
    }


def _histogram(group: _Group, divisor: float) -> Histogram:
    counts = dict(group.buckets.value)
    zeros = counts.pop("zero", 0)
    return Histogram(
        count=group.doc_count,
        sum=(group.sum.value or 0.0) / divisor,
        low=None if group.low.value is None else group.low.value / divisor,
        high=None if group.high.value is None else group.high.value / divisor,
        zeros=zeros,
        buckets={int(index): count for index, count in counts.items()},
    )
