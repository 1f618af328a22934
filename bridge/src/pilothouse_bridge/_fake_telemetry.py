"""OTLP as ``testing.FakePilothouse`` received it, in words for assertions."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

PATHS: Final = ("/v1/logs", "/v1/metrics", "/v1/traces")

Json = dict[str, Any]  # what OTLP's schema says


@dataclass(frozen=True, slots=True)
class ReceivedLog:
    """A log line as it arrived."""

    message: str
    level: str
    severity: int
    logger: str
    attributes: dict[str, Any]  # JSON: tests look into it as they like
    trace_id: str
    span_id: str
    resource: dict[str, Any]  # JSON, as above
    at_s: float
    """When it arrived: ``time.monotonic()``."""


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it arrived; ``kind`` is ``server`` or ``client``."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]  # JSON, as above
    failed: bool
    events: list[str]
    """Their names; what they say is in ``event_attributes``."""
    event_attributes: list[dict[str, Any]]  # JSON, as above
    resource: dict[str, Any]  # JSON, as above
    at_s: float


@dataclass(frozen=True, slots=True)
class ReceivedPoint:
    """A point of a metric as it arrived; ``count`` is of observations, ``value`` the sum, or what a gauge shows."""

    metric: str
    attributes: dict[str, Any]  # JSON, as above
    count: int
    value: float
    body: dict[str, Any]  # JSON: the point as it stands on the wire
    resource: dict[str, Any]  # JSON, as above
    at_s: float


def unpacked(body: bytes, encoding: str) -> Json:
    """The message of a request.

    Raises: ValueError when it is not JSON, or not packed as it says.
    """
    try:
        return cast("Json", json.loads(gzip.decompress(body) if encoding == "gzip" else body))
    except OSError as error:
        raise ValueError(str(error)) from None


def logs(message: Json, at_s: float) -> Iterator[ReceivedLog]:
    """The lines of a message."""
    for resource, scope, one in _each(message, "resourceLogs", "scopeLogs", "logRecords"):
        yield ReceivedLog(
            one["body"]["stringValue"],
            one["severityText"],
            one["severityNumber"],
            scope,
            _attributes(one),
            one.get("traceId", ""),
            one.get("spanId", ""),
            resource,
            at_s,
        )


def spans(message: Json, at_s: float) -> Iterator[ReceivedSpan]:
    """The spans of a message."""
    for resource, _, one in _each(message, "resourceSpans", "scopeSpans", "spans"):
        yield ReceivedSpan(
            one["name"],
            {2: "server", 3: "client"}.get(one["kind"], str(one["kind"])),
            one["traceId"],
            one["spanId"],
            one.get("parentSpanId", ""),
            _attributes(one),
            one.get("status", {}).get("code") == 2,  # noqa: PLR2004 - OTLP's number of a failure
            [event["name"] for event in one.get("events", [])],
            [_attributes(event) for event in one.get("events", [])],
            resource,
            at_s,
        )


def points(message: Json, at_s: float) -> Iterator[ReceivedPoint]:
    """The points of a message."""
    for resource, _, metric in _each(message, "resourceMetrics", "scopeMetrics", "metrics"):
        data = metric.get("exponentialHistogram") or metric.get("sum") or metric["gauge"]
        for one in data["dataPoints"]:
            value = one.get("sum", one.get("asDouble", one.get("asInt", 0)))
            yield ReceivedPoint(
                metric["name"], _attributes(one), int(one.get("count", 1)), float(value), one, resource, at_s
            )


def _each(message: Json, resources: str, scopes: str, records: str) -> Iterator[tuple[Json, str, Json]]:
    for resource in message.get(resources, []):
        about = _attributes(resource["resource"])
        for scope in resource[scopes]:
            for record in scope[records]:
                yield about, str(scope["scope"]["name"]), record


def _attributes(holder: Json) -> Json:
    return {one["key"]: _value(one["value"]) for one in holder.get("attributes", [])}


def _value(value: Json) -> Any:  # JSON's own
    for kind, content in value.items():
        if kind == "intValue":
            return int(content)
        if kind == "arrayValue":
            return [_value(one) for one in content["values"]]
        if kind == "kvlistValue":
            return {one["key"]: _value(one["value"]) for one in content["values"]}
        return content
    return None
