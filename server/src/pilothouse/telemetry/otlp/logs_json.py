"""Log records from OpenTelemetry's JSON."""

from collections.abc import Generator
from typing import Final

import msgspec

from pilothouse.telemetry.model import Attributes
from pilothouse.telemetry.otlp.effort import Pace
from pilothouse.telemetry.otlp.json_text import decode
from pilothouse.telemetry.otlp.logs import SLICE_RECORDS, LogReader
from pilothouse.telemetry.otlp.naming import runtime_id_of, severity_of, who
from pilothouse.telemetry.otlp.values import AnyValue, InstrumentationScope, KeyValue, Resource, Whole, plain


class _Line(msgspec.Struct, frozen=True, rename="camel", gc=False):
    time_unix_nano: Whole = 0
    observed_time_unix_nano: Whole = 0
    severity_number: int | str = 0
    severity_text: str = ""
    body: AnyValue | None = None
    attributes: list[KeyValue] = []
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""


class _ScopeLogs(msgspec.Struct, frozen=True, rename="camel", gc=False):
    scope: InstrumentationScope = InstrumentationScope()
    log_records: list[_Line] = []


class _ResourceLogs(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource: Resource = Resource()
    scope_logs: list[_ScopeLogs] = []


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    resource_logs: list[_ResourceLogs] = []


_DECODER: Final = msgspec.json.Decoder(_Request)


def read_json(reader: LogReader, raw: bytes) -> Generator[None]:
    """Read an ExportLogsServiceRequest; stops now and then, so that others may work.

    Raises: OtlpUnreadable
    """
    request = decode(_DECODER, raw)
    pace = Pace(SLICE_RECORDS)
    for of_resource in request.resource_logs:
        if pace.due(0):
            yield
        resource = plain(of_resource.resource.attributes)
        runtime_id, common = runtime_id_of(resource), who(resource)
        for of_scope in of_resource.scope_logs:
            if pace.due(0):
                yield
            for line in of_scope.log_records:
                _add(reader, line, of_scope.scope.name, runtime_id, common)
                if pace.due(0):
                    yield


def _add(reader: LogReader, line: _Line, logger: str, runtime_id: str | None, common: Attributes) -> None:
    attributes = common | plain(line.attributes)
    if line.event_name:
        attributes["event.name"] = line.event_name
    number = line.severity_number
    reader.add(
        int(line.time_unix_nano),
        int(line.observed_time_unix_nano),
        severity_of(number if isinstance(number, int) else 0, line.severity_text or _named(number)),
        None if line.body is None else line.body.plain(),
        logger,
        line.trace_id,
        line.span_id,
        attributes,
        runtime_id,
    )


def _named(number: int | str) -> str:
    """Read a severity that was told by its name, `SEVERITY_NUMBER_ERROR2`."""
    return str(number).removeprefix("SEVERITY_NUMBER_").rstrip("234") if isinstance(number, str) else ""
