"""Records as documents and back."""

import hashlib
import re
from collections.abc import Iterator

import msgspec

from pilothouse.telemetry.histogram import pack
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    Attributes,
    AttributeValue,
    LogLine,
    LogRecord,
    MetricPoint,
    Origin,
    Span,
    SpanKind,
    SpanRecord,
)
from pilothouse.telemetry.statuses import status_of
from pilothouse.telemetry.stores.opensearch.templates import WORD_CHARACTERS_MAX, Json

NS_A_MS = 1_000_000
MINUTE_S = 60
_VALUE_BYTES_MAX = 1_000
_TELL_STATUS = frozenset({SpanKind.SERVER, SpanKind.CLIENT})
OVERLONG_MIN = WORD_CHARACTERS_MAX // 2
"""A message that is shorter holds nothing that is too long for the index of words."""
# The cluster counts in UTF-16: a letter of what is no word may be two there.
_OVERLONG = re.compile(
    rf"[A-Za-z0-9_-]{{{WORD_CHARACTERS_MAX + 1}}}|[^A-Za-z0-9_-]{{{OVERLONG_MIN + 1}}}",
)


class LogDocument(msgspec.Struct, kw_only=True):
    """A line as the cluster gives it back."""

    at_ns: int
    number: int
    message: str
    severity: int
    logger: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: Attributes = {}
    project_id: str | None = None
    integration_id: str | None = None
    environment_id: str | None = None
    runtime_id: str | None = None
    runtime_key: int | None = None

    def line(self) -> LogLine:
        """Return the line."""
        record = LogRecord(
            at_ns=self.at_ns,
            message=self.message,
            severity=self.severity,
            logger=self.logger,
            trace_id=self.trace_id,
            span_id=self.span_id,
            attributes=self.attributes,
        )
        return LogLine(record=record, origin=_origin_of(self), number=self.number)


class SpanDocument(msgspec.Struct, kw_only=True):
    """A span as the cluster gives it back."""

    at_ns: int
    number: int
    duration_ns: int
    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str = ""
    kind: SpanKind = SpanKind.INTERNAL
    service: str = ""
    failed: bool = False
    attributes: Attributes = {}
    project_id: str | None = None
    integration_id: str | None = None
    environment_id: str | None = None
    runtime_id: str | None = None
    runtime_key: int | None = None

    def span(self) -> Span:
        """Return the span."""
        record = SpanRecord(
            at_ns=self.at_ns,
            duration_ns=self.duration_ns,
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_id=self.parent_id,
            name=self.name,
            kind=self.kind,
            service=self.service,
            failed=self.failed,
            attributes=self.attributes,
        )
        return Span(record=record, origin=_origin_of(self), number=self.number)


def _origin_of(document: LogDocument | SpanDocument) -> Origin:
    return Origin(
        project_id=document.project_id,
        integration_id=document.integration_id,
        environment_id=document.environment_id,
        runtime_id=document.runtime_id,
        runtime_key=document.runtime_key,
    )


def is_overlong(message: str) -> bool:
    """Tell whether a message has a word, or what is none, that the index of words leaves out."""
    return len(message) > OVERLONG_MIN and _OVERLONG.search(message) is not None


def log_document(record: LogRecord, number: int) -> Json:
    """Write a line, without its origin."""
    document: Json = {
        "@timestamp": record.at_ns // NS_A_MS,
        "at_ns": record.at_ns,
        "number": number,
        "severity": record.severity,
        "level": record.level.name,
        "message": record.message,
    }
    if is_overlong(record.message):
        document["overlong"] = record.message
    if record.logger:
        document["logger"] = record.logger
    if record.trace_id:
        document["trace_id"] = record.trace_id
    if record.span_id:
        document["span_id"] = record.span_id
    if record.attributes:
        document["attributes"] = record.attributes
        document["attribute"] = list(pairs(record.attributes))
    return document


def metric_document(point: MetricPoint, _number: int) -> Json:
    """Write a point, without its origin."""
    values = point.values
    minute_s = (point.at_ns - 1) // NS_A_SECOND // MINUTE_S * MINUTE_S
    document: Json = {
        "@timestamp": point.at_ns // NS_A_MS,
        "minute": minute_s * 1_000,
        "at_ns": point.at_ns,
        "name": point.name,
        "kind": point.kind.value,
        "service": point.service,
        "resource": point.resource,
        "status": point.status,
        "failed": point.failed,
        "outbound": point.outbound,
        "count": values.count,
        "sum": values.sum,
        "zeros": values.zeros,
        "buckets": pack(values.buckets),
    }
    if values.low is not None:
        document["low"] = values.low
    if values.high is not None:
        document["high"] = values.high
    return document


def span_document(record: SpanRecord, number: int) -> Json:
    """Write a span, without its origin."""
    document: Json = {
        "@timestamp": record.at_ns // NS_A_MS,
        "at_ns": record.at_ns,
        "number": number,
        "duration_ns": record.duration_ns,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_id": record.parent_id,
        "name": record.name,
        "kind": record.kind.value,
        "service": record.service,
        "failed": record.failed,
    }
    if record.kind in _TELL_STATUS:
        document["status"] = status_of(record.attributes)
    if record.attributes:
        document["attributes"] = record.attributes
    return document


def origin_fields(origin: Origin) -> Json:
    """Write whom a record belongs to; what is unknown is left out."""
    return {name: value for name, value in msgspec.structs.asdict(origin).items() if value is not None}


def text_of(value: AttributeValue) -> str | None:
    """Write an attribute's value as it is compared; None is compared with nothing."""
    return value if isinstance(value, str) else None if value is None else msgspec.json.encode(value).decode()


def pair(key: str, value: str) -> str:
    """Write key and value as one word of the index, a long value by its digest."""
    told = value
    if len(value.encode("utf-8", "replace")) > _VALUE_BYTES_MAX:
        told = "sha256:" + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return key.replace("\\", "\\\\").replace("=", "\\=") + "=" + told


def pairs(attributes: Attributes) -> Iterator[str]:
    """Write attributes as words of the index; what is nothing is found by nothing."""
    for key, value in attributes.items():
        told = text_of(value)
        if told is not None:
            yield pair(key, told)
