"""OTLP in its JSON form: the only module that knows its names.

Source: OpenTelemetry protocol 1.x, JSON Protobuf encoding: ids in hexadecimal, 64-bit numbers as text, enums as numbers.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pilothouse_bridge.telemetry._context import Span
from pilothouse_bridge.telemetry._histogram import SCALE, Histogram
from pilothouse_bridge.telemetry._logs import Line
from pilothouse_bridge.telemetry._meter import Durations, Labels
from pilothouse_bridge.telemetry._process import UNITS
from pilothouse_bridge.telemetry._thrown import Thrown
from pilothouse_bridge.telemetry._values import text_without_secrets, without_secrets

LOGS_PATH: Final = "/v1/logs"
METRICS_PATH: Final = "/v1/metrics"
TRACES_PATH: Final = "/v1/traces"
DROPPED: Final = "pilothouse.telemetry.dropped"
SCOPE: Final = "pilothouse_bridge"
_DELTA: Final = 1
_STATUS_ERROR: Final = 2
_FLAG_SAMPLED: Final = 1
#: Least level of ``logging`` → first severity number of OTLP's name for it.
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))
_REJECTED: Final = ("rejectedLogRecords", "rejectedDataPoints", "rejectedSpans")

Json = dict[str, Any]  # what OTLP's schema says
Attributes = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that one sending of metrics says."""

    durations: Sequence[Durations]
    """One after the other, at least one; the last until now."""
    gauges: Mapping[str, float]
    dropped: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def __len__(self) -> int:
        return sum(len(one.series) for one in self.durations) + len(self.gauges) + len(self.dropped)


def logs(resource: Attributes, lines: Iterable[Line]) -> bytes:
    """Lines, grouped by logger."""
    scopes: dict[str, list[Json]] = {}
    for line in lines:
        scopes.setdefault(line.logger, []).append(_line(line))
    return _bytes(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeLogs": [{"scope": {"name": name}, "logRecords": records} for name, records in scopes.items()],
                }
            ]
        }
    )


def traces(resource: Attributes, spans: Iterable[Span]) -> bytes:
    """Spans."""
    scope = {"scope": {"name": SCOPE}, "spans": [_span(span) for span in spans]}
    return _bytes({"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]})


def metrics(resource: Attributes, figures: Figures) -> bytes:
    """Durations and drops as differences, the rest as they stand."""
    since, until = str(figures.durations[0].since_ns), str(figures.durations[-1].until_ns)
    by_name: dict[str, list[Json]] = {}
    for durations in figures.durations:
        its_since, its_until = str(durations.since_ns), str(durations.until_ns)
        for (name, labels), histogram in durations.series.items():
            by_name.setdefault(name, []).append(_distribution(labels, histogram, its_since, its_until))
    found: list[Json] = [
        {
            "name": name,
            "unit": "s",
            "exponentialHistogram": {"aggregationTemporality": _DELTA, "dataPoints": points},
        }
        for name, points in by_name.items()
    ]
    for name, value in figures.gauges.items():
        point = {"timeUnixNano": until, "asDouble": value}
        found.append({"name": name, "unit": UNITS[name], "gauge": {"dataPoints": [point]}})
    if figures.dropped:
        lost = [
            {
                "attributes": _attributes({"reason": reason, "signal": signal}),
                "startTimeUnixNano": since,
                "timeUnixNano": until,
                "asInt": str(count),
            }
            for (signal, reason), count in figures.dropped.items()
        ]
        total = {"aggregationTemporality": _DELTA, "isMonotonic": True, "dataPoints": lost}
        found.append({"name": DROPPED, "unit": "{record}", "sum": total})
    scope = {"scope": {"name": SCOPE}, "metrics": found}
    return _bytes({"resourceMetrics": [{"resource": {"attributes": _attributes(resource)}, "scopeMetrics": [scope]}]})


def rejected(body: bytes) -> int:
    """How many records of a request that was accepted were not taken all the same."""
    try:
        answer: object = json.loads(body) if body else {}
    except ValueError:
        return 0
    success: object = cast("Json", answer).get("partialSuccess") if isinstance(answer, dict) else None
    if not isinstance(success, dict):
        return 0
    counts = [cast("Json", success).get(name) for name in _REJECTED]
    return sum(
        int(count) for count in counts if isinstance(count, int) or (isinstance(count, str) and count.isdecimal())
    )


def _line(line: Line) -> Json:
    attributes = dict(line.attributes)
    attributes |= {"code.file.path": line.file, "code.line.number": line.line, "code.function.name": line.function}
    if line.thread and line.thread != "MainThread":
        attributes["thread.name"] = line.thread
    if line.thrown is not None:
        attributes |= _thrown(line.thrown)
    record: Json = {
        "timeUnixNano": str(line.at_ns),
        "observedTimeUnixNano": str(line.at_ns),
        "severityNumber": severity(line.level),
        "severityText": line.level_name,
        "body": {"stringValue": text_without_secrets(line.message)},
        "attributes": _attributes(attributes),
    }
    if line.trace_id:
        record |= {"traceId": line.trace_id, "spanId": line.span_id, "flags": int(line.is_sampled)}
    return record


def severity(level: int) -> int:
    """OTLP's severity number of a level of ``logging``; between two names it is a little more than the lower one."""
    for least, number in _SEVERITIES:
        if level >= least:
            return number if least == _SEVERITIES[0][0] else number + min(3, (level - least) // 3)
    return 1


def _thrown(one: Thrown) -> dict[str, object]:
    return {"exception.type": one.kind, "exception.message": one.message, "exception.stacktrace": one.stack}


def _span(span: Span) -> Json:
    members: Json = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.began_ns),
        "endTimeUnixNano": str(span.ended_ns),
        "attributes": _attributes(span.attributes),
        "flags": _FLAG_SAMPLED if span.is_sampled else 0,
    }
    if span.parent_id:
        members["parentSpanId"] = span.parent_id
    if span.state:
        members["traceState"] = span.state
    if span.error_type is not None:
        members["status"] = {"code": _STATUS_ERROR}
    events = [_event(one.name, one.at_ns, one.attributes) for one in span.events or ()]
    if span.thrown is not None:
        words = span.thrown
        members["status"] = {"code": _STATUS_ERROR, "message": text_without_secrets(words.message)}
        events.append(_event("exception", span.ended_ns, _thrown(words)))
    if events:
        members["events"] = events
    return members


def _event(name: str, at_ns: int, attributes: Attributes) -> Json:
    return {"name": name, "timeUnixNano": str(at_ns), "attributes": _attributes(attributes)}


def _distribution(labels: Labels, histogram: Histogram, since: str, until: str) -> Json:
    offset, counts = histogram.dense()
    return {
        "attributes": _attributes(dict(labels)),
        "startTimeUnixNano": since,
        "timeUnixNano": until,
        "count": str(histogram.count),
        "sum": histogram.sum,
        "min": histogram.low,
        "max": histogram.high,
        "scale": SCALE,
        "zeroCount": str(histogram.zeros),
        "positive": {"offset": offset, "bucketCounts": [str(count) for count in counts]},
    }


def _attributes(attributes: Attributes) -> list[Json]:
    return [{"key": key, "value": _value(without_secrets(key, value))} for key, value in attributes.items()]


def _value(value: object) -> Json:  # noqa: PLR0911 - one for each of OTLP's kinds
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value} if math.isfinite(value) else {"stringValue": str(value)}
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {"kvlistValue": {"values": [{"key": key, "value": _value(one)} for key, one in members]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in cast("Sequence[object]", value)]}}
    return {}


def _bytes(message: Json) -> bytes:
    # Lone surrogates cannot be written as UTF-8; escaped they would not be text for the server either.
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
