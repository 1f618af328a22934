"""What Ballerina programs and the Micro Integrator write as lines, and a collector sends as log records: their metrics.

A metrics line of Ballerina (`logger=metrics`), a sample of its workflow module (`logger=workflow-metrics`) and an analytics record
of the Micro Integrator each tell of one thing that happened; here they become metric points in OpenTelemetry's names. What a line
is called by, and what a collector says twice, is put right for all other lines.
"""

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, AttributeValue, LogRecord, MetricKind, MetricPoint
from pilothouse.telemetry.senders import Told

_SLICE_RECORDS: Final = 50
"""Records between two breaks in which others may work, about a millisecond of measurements."""
_MERGED_S: Final = 60
"""Points of one series and minute become one."""
_TEXT_CHARACTERS_MAX: Final = 256
_SERVER_DURATION: Final = "http.server.request.duration"
_CLIENT_DURATION: Final = "http.client.request.duration"
_DATABASE_DURATION: Final = "db.client.operation.duration"
_CALL_DURATION: Final = "ballerina.client.duration"
_FUNCTION_DURATION: Final = "ballerina.function.duration"
_HTTP: Final = frozenset({"http", "https", "http2", "websub", "graphql"})
_NOT_SAID: Final = "none"
"""What the workflow module writes in a tag that does not apply."""
_ENDED_WELL: Final = frozenset(
    {"", "ok", "success", "successful", "succeeded", "completed", "approved", "none", "started"}
)
_MI_DETAILS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "API": ("apiDetails", _SERVER_DURATION, False),
    "ProxyService": ("proxyServiceDetails", "mi.proxy_service.duration", False),
    "InboundEndpoint": ("inboundEndpointDetails", "mi.inbound_endpoint.duration", False),
    "Sequence": ("sequenceDetails", "mi.sequence.duration", False),
    "Endpoint": ("endpointDetails", "mi.endpoint.duration", True),
}
"""Entity type to where its details are, the metric that it tells of, and whether it is a call that the integration makes."""
_LOGGERS: Final = ("logger.name", "module", "class")
"""Attributes in which a collector, Ballerina and the Micro Integrator say who spoke."""
_SAID_TWICE: Final = ("level", "severityNumber", "traceId", "spanId", "icp.runtimeId")
"""What Fluent Bit sends as an attribute though it has a place of its own."""
_TOLD: Final = frozenset({*_LOGGERS, "level"})


def point_of(record: LogRecord) -> MetricPoint | None:
    """Make a point of what a line measured; None for a line that measures nothing, or that cannot be read as a measurement."""
    attributes = record.attributes
    match attributes.get("logger"):
        case "metrics":
            return _of_ballerina(record.at_ns, attributes)
        case "workflow-metrics":
            return _of_workflow(record.at_ns, attributes)
        case _:
            payload = attributes.get("payload")
            return _of_micro_integrator(record.at_ns, payload) if isinstance(payload, dict) else None


class Parting:
    """Parts lines from measurements, each with the runtime that it names; measurements of one series and minute are merged."""

    def __init__(self) -> None:
        self.lines: list[Told[LogRecord]] = []
        self.points: list[Told[MetricPoint]] = []

    def part(self, told: Iterable[Told[LogRecord]]) -> Generator[None]:
        """Go through what was told; stops now and then, so that others may work."""
        count = 0
        for one in told:
            left: list[LogRecord] = []
            found: list[MetricPoint] = []
            for record in one.records:
                point = point_of(record) if "logger" in record.attributes or "payload" in record.attributes else None
                if point is None:
                    left.append(named(record))
                else:
                    found.append(point)
                count += 1
                if not count % _SLICE_RECORDS:
                    yield
            if left:
                self.lines.append(Told(one.runtime_id, left))
            if found:
                self.points.append(Told(one.runtime_id, merged(found)))


def named(record: LogRecord) -> LogRecord:
    """Give a line its logger from where a collector says it, and take away what is said twice; most lines stay as they are."""
    attributes = record.attributes
    if attributes.keys().isdisjoint(_TOLD):
        return record
    left = {key: value for key, value in attributes.items() if key not in _SAID_TWICE}
    logger = record.logger
    for key in _LOGGERS:
        value = left.get(key)
        if not logger and isinstance(value, str) and value:
            logger = value[:_TEXT_CHARACTERS_MAX]
            del left[key]
    return msgspec.structs.replace(record, logger=logger, attributes=left)


def merged(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Merge the points of each series and minute into one, at the time of the last."""
    found: dict[tuple[object, ...], MetricPoint] = {}
    for point in points:
        key = (
            point.at_ns // (_MERGED_S * NS_A_SECOND),
            point.name,
            point.kind,
            point.service,
            point.resource,
            point.status,
            point.failed,
            point.outbound,
        )
        before = found.get(key)
        found[key] = point if before is None else _both(before, point)
    return list(found.values())


def _both(one: MetricPoint, other: MetricPoint) -> MetricPoint:
    return msgspec.structs.replace(one, at_ns=max(one.at_ns, other.at_ns), values=one.values.merge(other.values))


def _of_ballerina(at_ns: int, tags: Attributes) -> MetricPoint | None:
    """A metrics line: one request that was answered, or one call or function that was observed."""
    values = _seconds(tags.get("response_time_seconds"), 1.0)
    if values is None:
        return None
    outbound = _text(tags, "src.client.remote") == "true"
    status = _text(tags, "http.status_code") or _text(tags, "http.status_code_group")
    failed = _text(tags, "error") == "true" or status.startswith("5") or (outbound and status.startswith("4"))
    return MetricPoint(
        at_ns=at_ns,
        name=_ballerina_name(tags, outbound=outbound),
        values=values,
        service=_ballerina_service(tags, outbound=outbound),
        resource=_ballerina_resource(tags),
        status=status,
        failed=failed,
        outbound=outbound,
    )


def _ballerina_name(tags: Attributes, *, outbound: bool) -> str:
    over_http = bool(_text(tags, "http.method") or _text(tags, "http.url"))
    if outbound:
        if any(key.startswith("db.") for key in tags):
            return _DATABASE_DURATION
        return _CLIENT_DURATION if over_http else _CALL_DURATION
    is_request = over_http and _text(tags, "protocol").lower() in {*_HTTP, ""}
    return _SERVER_DURATION if is_request else _FUNCTION_DURATION


def _ballerina_service(tags: Attributes, *, outbound: bool) -> str:
    """Name the service: where it is attached, `main`, or its module; a caller goes by its module."""
    if not outbound and (name := _text(tags, "src.object.name")):
        return name
    if _text(tags, "src.main") == "true":
        return "main"
    return _text(tags, "src.module") or _text(tags, "module")


def _ballerina_resource(tags: Attributes) -> str:
    """Name what was called: accessor and path template, else the function; never a URL, which has ids in it."""
    method = _text(tags, "http.method") or _text(tags, "src.resource.accessor").upper()
    if method:
        return f"{method} {_text(tags, 'src.resource.path') or '?'}"[:_TEXT_CHARACTERS_MAX]
    return _text(tags, "src.function.name") or _text(tags, "entrypoint.function.name")


def _of_workflow(at_ns: int, tags: Attributes) -> MetricPoint | None:
    """A sample of the workflow module: how long something took, or that it happened."""
    sample = _told(tags, "sample")
    if not sample:
        return None
    outcome = _told(tags, "outcome")
    names = ("activity_type", "task_name", "tool_name", "data_name", "action", "task_kind")
    values = _seconds(tags.get("duration_seconds"), 1.0)
    return MetricPoint(
        at_ns=at_ns,
        name=f"ballerina.{sample}" + (".duration" if values else ".count"),
        kind=MetricKind.DISTRIBUTION if values else MetricKind.COUNTER,
        values=values or Histogram(count=1, sum=1.0),
        service=_told(tags, "workflow_type"),
        resource=next(filter(None, (_told(tags, key) for key in names)), ""),
        status=outcome,
        failed=bool(_told(tags, "error_type")) or outcome.lower() not in _ENDED_WELL,
    )


def _of_micro_integrator(at_ns: int, payload: Mapping[str, AttributeValue]) -> MetricPoint | None:
    """An analytics record: one entity through which one message went."""
    kind = payload.get("entityType")
    values = _seconds(payload.get("latency"), 1e-3)
    if not isinstance(kind, str) or kind not in _MI_DETAILS or values is None:
        return None
    where, name, outbound = _MI_DETAILS[kind]
    found = payload.get(where)
    details: Mapping[str, AttributeValue] = found if isinstance(found, dict) else {}
    is_api = kind == "API"
    method, context = _text(details, "method"), _text(details, "apiContext")
    return MetricPoint(
        at_ns=at_ns,
        name=name,
        values=values,
        service=_text(details, "api" if is_api else "name"),
        resource=f"{method or '?'} {context or '?'}"[:_TEXT_CHARACTERS_MAX] if is_api else "",
        failed=_truth(payload.get("failure")) or _truth(payload.get("faultResponse")),
        outbound=outbound,
    )


def _seconds(value: AttributeValue, scale: float) -> Histogram | None:
    """Read one duration, a number or its text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return of_values((number,)) if math.isfinite(number) and number >= 0 else None


def _text(attributes: Mapping[str, AttributeValue], key: str) -> str:
    value = attributes.get(key)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:_TEXT_CHARACTERS_MAX] if isinstance(value, (str, int, float)) else ""


def _told(attributes: Attributes, key: str) -> str:
    value = _text(attributes, key)
    return "" if value == _NOT_SAID else value


def _truth(value: AttributeValue) -> bool:
    return value is True or value == "true"
