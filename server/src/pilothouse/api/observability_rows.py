"""Log lines as rows of the original console's API."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pilothouse.base.instants import to_rfc3339
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.telemetry_names import NamedIntegration
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, AttributeValue, LogLine

COLUMNS: Final = (
    ("TimeGenerated", "datetime"),
    ("LogLevel", "string"),
    ("LogEntry", "dynamic"),
    ("Class", "dynamic"),
    ("LogFilePath", "dynamic"),
    ("AppName", "dynamic"),
    ("Module", "dynamic"),
    ("ServiceType", "dynamic"),
    ("App", "dynamic"),
    ("Deployment", "dynamic"),
    ("ArtifactContainer", "dynamic"),
    ("Product", "dynamic"),
    ("IcpRuntimeId", "dynamic"),
    ("LogAttributes", "dynamic"),
    ("ComponentVersion", "string"),
    ("ComponentVersionId", "string"),
    ("Error", "dynamic"),
)
SERVICE_TYPES: Final[Mapping[RuntimeType, str]] = {
    RuntimeType.BI: "ballerina",
    RuntimeType.MI: "MI",
    RuntimeType.PY: "PY",
}
PRODUCTS: Final[Mapping[RuntimeType, str]] = {
    RuntimeType.BI: "ballerina integrator",
    RuntimeType.MI: "Micro Integrator",
}
_SYSTEM: Final = frozenset({
    *("@timestamp", "time", "level", "message", "log", "doc_id", "traceId", "spanId", "error"),
    *("module", "src_module", "app_module", "logger", "class", "artifact_container"),
    *("service_type", "product", "deployment", "app", "app_name", "service.name"),
    *("icp_runtimeId", "icp.runtimeId", "log_file_path", "log.file.path"),
})  # fmt: skip
"""Fields that have a column of their own, or none; everything else is an attribute of the user's."""
_EXCEPTION: Final = {
    "exception.type": "type",
    "exception.message": "message",
    "exception.stacktrace": "stackTrace",
}


def columns() -> list[dict[str, str]]:
    """Name the columns and their types, in their order."""
    return [{"name": name, "type": type_} for name, type_ in COLUMNS]


def row_of(line: LogLine, integration: NamedIntegration | None) -> list[Any]:  # Any: cells
    """Write a line as a row; None for an integration that is not there any more, or is nobody's."""
    record, told = line.record, line.record.attributes
    kind = None if integration is None else integration.runtime_type
    service_type = _text(told, "service_type") or ("" if kind is None else SERVICE_TYPES[kind])
    is_mi = service_type == SERVICE_TYPES[RuntimeType.MI]
    error = told.get("error") or _exception(told)
    own = {key: value for key, value in told.items() if key not in _SYSTEM and key not in _EXCEPTION}
    app_name = _text(told, "app_name", "service.name") or (None if integration is None else integration.handle)
    module = None if is_mi else _text(told, "module", "src_module") or record.logger or None
    return [
        to_rfc3339(record.at_ns / NS_A_SECOND),
        record.level.name,
        _entry(line, app_name=app_name, module=module, is_mi=is_mi, own=own),
        _text(told, "class") or (record.logger or None if is_mi else None),
        _text(told, "log_file_path", "log.file.path") or "",
        app_name,
        module,
        service_type,
        _text(told, "app"),
        _text(told, "deployment"),
        _text(told, "artifact_container"),
        _text(told, "product") or (PRODUCTS.get(kind) if kind is not None else None),
        line.origin.runtime_id,
        own,
        "",
        "",
        error,
    ]


def _text(told: Attributes, *names: str) -> str | None:
    """Give the first of some fields that is there."""
    return next((value for name in names if isinstance(value := told.get(name), str) and value), None)


def _exception(told: Attributes) -> dict[str, AttributeValue] | None:
    found = {short: told[name] for name, short in _EXCEPTION.items() if told.get(name)}
    return found or None


def _entry(line: LogLine, *, app_name: str | None, module: str | None, is_mi: bool, own: Attributes) -> str:
    """Write the line as its runtime would have: values as they are, not escaped."""
    record = line.record
    named = (
        {"artifact_container": _text(record.attributes, "artifact_container")}
        if is_mi
        else {"module": module, "app_name": app_name}
    )
    named |= {
        "message": record.message,
        "traceId": record.trace_id or None,
        "spanId": record.span_id or None,
        "icp.runtimeId": line.origin.runtime_id,
    }
    return " ".join([
        f"time={to_rfc3339(record.at_ns / NS_A_SECOND)}",
        f"level={record.level.name}",
        *(f'{key}="{value}"' for key, value in named.items() if value is not None),
        *(f"{key}={_raw(value)}" for key, value in own.items()),
    ])  # fmt: skip


def _raw(value: AttributeValue) -> str:
    if isinstance(value, str):
        return value if value.startswith(("{", "[")) else f'"{value}"'
    return msgspec.json.encode(value).decode()
