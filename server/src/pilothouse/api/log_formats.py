"""Log lines as text, as lines of JSON and as CSV."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum, unique
from typing import Any

import msgspec

from pilothouse.telemetry.model import NS_A_SECOND, Attributes, LogLine

STACK_TRACE = "exception.stacktrace"
"""The attribute in which OpenTelemetry writes where an exception was raised."""
_LEVEL_WIDTH = 5
_CONTINUED = "    "
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, in full width too, or steps over to find one."""
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
"""Control characters steer the terminal that shows them."""


@unique
class LogFormat(StrEnum):
    """How lines are written."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"


class Handles(msgspec.Struct, frozen=True, kw_only=True):
    """What the places that lines come from are called, by their ids; what was deleted since is not there."""

    projects: Mapping[str | None, str] = {}
    integrations: Mapping[str | None, str] = {}
    environments: Mapping[str | None, str] = {}


class DownloadedLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A log line, as a line of JSON."""

    at: str
    """RFC 3339, UTC, nanoseconds"""
    level: str
    message: str
    logger: str | None
    project: str | None
    """Handles; null where it was deleted since, or nobody of ours said it."""
    integration: str | None
    environment: str | None
    runtime_id: str | None
    trace_id: str | None
    span_id: str | None
    attributes: Attributes


COLUMNS = DownloadedLine.__struct_encode_fields__


def head_of(format_: LogFormat) -> bytes:
    """Write what stands before the first line."""
    return (",".join(COLUMNS) + "\r\n").encode() if format_ is LogFormat.CSV else b""


def write_lines(format_: LogFormat, lines: Sequence[LogLine], handles: Handles) -> bytes:
    """Write lines, each with its end."""
    return _WRITERS[format_]([_shown(line, handles) for line in lines])


def to_rfc3339_ns(at_ns: int) -> str:
    """Turn ns since the epoch into RFC 3339, UTC, as exact as it is."""
    seconds, ns = divmod(at_ns, NS_A_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09}Z"


def _shown(line: LogLine, handles: Handles) -> DownloadedLine:
    record, origin = line.record, line.origin
    return DownloadedLine(
        at=to_rfc3339_ns(record.at_ns),
        level=record.level.name,
        message=record.message,
        logger=record.logger or None,
        project=handles.projects.get(origin.project_id),
        integration=handles.integrations.get(origin.integration_id),
        environment=handles.environments.get(origin.environment_id),
        runtime_id=origin.runtime_id,
        trace_id=record.trace_id or None,
        span_id=record.span_id or None,
        attributes=record.attributes,
    )


def _as_jsonl(lines: Sequence[DownloadedLine]) -> bytes:
    return msgspec.json.Encoder().encode_lines(lines)


def _as_csv(lines: Sequence[DownloadedLine]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    for line in lines:
        attributes = msgspec.json.encode(line.attributes).decode() if line.attributes else ""
        cells = [*msgspec.structs.astuple(line)[:-1], attributes]
        writer.writerow([_harmless(cell or "") for cell in cells])
    return written.getvalue().encode()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running what a program logged.

    Source: OWASP, "CSV Injection"
    """
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _as_text(lines: Sequence[DownloadedLine]) -> bytes:
    return "".join(map(_text_of, lines)).encode()


def _text_of(line: DownloadedLine) -> str:
    """Write a line for people. What goes on below it is indented, so that no message passes for a line of its own."""
    place = f"{line.project or '?'}/{line.integration or '?'} {line.environment or '?'} {line.runtime_id or '?'}"
    logger = f"{line.logger}: " if line.logger else ""
    whole = f"{line.at} {line.level:<{_LEVEL_WIDTH}} {place} {logger}{line.message}"
    trace: Any = line.attributes.get(STACK_TRACE)  # Any: an attribute's value
    if isinstance(trace, str) and trace.strip() not in line.message:
        whole += f"\n{trace.strip()}"
    return whole.replace("\r\n", "\n").translate(_VISIBLE).replace("\n", f"\n{_CONTINUED}") + "\n"


_WRITERS: Mapping[LogFormat, Callable[[Sequence[DownloadedLine]], bytes]] = {
    LogFormat.TEXT: _as_text,
    LogFormat.JSONL: _as_jsonl,
    LogFormat.CSV: _as_csv,
}
