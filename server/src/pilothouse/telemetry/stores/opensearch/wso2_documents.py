"""Documents of WSO2's indices as lines."""

import hashlib
from collections.abc import Callable

import msgspec

from pilothouse.telemetry.limits import id_of
from pilothouse.telemetry.model import LogLine, LogRecord, Origin
from pilothouse.telemetry.stores.opensearch.documents import NS_A_MS
from pilothouse.telemetry.stores.opensearch.templates import Json
from pilothouse.telemetry.stores.opensearch.wso2_filter import level_of_name

LOGS = "ballerina-application-logs-*,mi-application-logs-*"
Origins = Callable[[str], Origin]
_USED = frozenset(
    {"@timestamp", "level", "message", "module", "class", "icp_runtimeId", "traceId", "spanId", "doc_id", "log", "_p"}
)
MAY_BE_MISSING = {"ignore_unavailable": "true", "allow_no_indices": "true"}


class Hit(msgspec.Struct, kw_only=True):
    """One document found."""

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: Json = msgspec.field(name="_source")
    sort: list[int]
    """What it was sorted by; in a list by time that is its time in ms."""
    fields: dict[str, list[str]] = {}


class _Hits(msgspec.Struct, kw_only=True):
    hits: list[Hit] = []


class Found(msgspec.Struct, kw_only=True):
    """An answer with documents."""

    hits: _Hits = msgspec.field(default_factory=_Hits)


def line_of(hit: Hit, clock: str, origins: Origins, at_ms: int | None = None) -> LogLine:
    """Read a document; its time is what it was sorted by unless it is told."""
    source = hit.source
    attributes = {name: value for name, value in source.items() if name not in _USED and name != clock}
    runtime_id = str(source.get("icp_runtimeId") or "") or None
    record = LogRecord(
        at_ns=(hit.sort[0] if at_ms is None else at_ms) * NS_A_MS,
        message=str(source.get("message", "")),
        severity=level_of_name(str(source.get("level", ""))).value,
        logger=str(source.get("module") or source.get("class") or ""),
        trace_id=id_of(str(source.get("traceId", "")), 32),
        span_id=id_of(str(source.get("spanId", "")), 16),
        attributes=attributes,
    )
    return LogLine(record=record, origin=origins(runtime_id) if runtime_id else Origin(), number=_number(hit))


def _number(hit: Hit) -> int:
    """Give a document a number of its own that it always has."""
    digest = hashlib.blake2b(f"{hit.index}/{hit.id}".encode(), digest_size=7)
    return int.from_bytes(digest.digest(), "big")
