"""Heartbeats: bytes to untrusted structs, and answers to bytes. Nothing here believes what it reads.

Unknown members are ignored, null is absent, what is odd but harmless is kept, cut or dropped, and flagged.
Refused is only what an operator must mend: 400 stops Micro Integrator's heartbeats for good.
NUL characters are removed and lone surrogates replaced, here and once, so that no database ever sees one.
Duplicate members: the last one counts.

Source: contracts/README.md, contracts/heartbeat/v1. Budget: 2 µs for `decode_delta`.
"""

import re
from typing import Final, NoReturn

import msgspec

from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.heartbeat import DeltaHeartbeat, FullHeartbeat
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.protocol.wire_artifacts import read_artifacts
from pilothouse.protocol.wire_members import (
    read_capabilities,
    read_interval_s,
    read_log_handlers,
    read_log_levels,
    read_node,
    read_raw_object,
)
from pilothouse.protocol.wire_replies import (
    ACKNOWLEDGED,
    ACKNOWLEDGED_FULL_REQUIRED,
    SUPPORTED_HEARTBEAT_FIELDS,
    acknowledged,
    not_acknowledged,
    refusal,
)
from pilothouse.protocol.wire_text import drop_endless_numbers, read_body, replace_lone_surrogates
from pilothouse.protocol.wire_values import (
    ENTRIES_TOTAL_MAX,
    TEXT_CHARS_MAX,
    InvalidMember,
    Json,
    MalformedBody,
    MissingMember,
    Notes,
    TooManyArtifacts,
    UnsupportedVersion,
    WireError,
    read_text,
    read_time_s,
    refuse_too_many,
)

__all__ = [
    "ACKNOWLEDGED",
    "ACKNOWLEDGED_FULL_REQUIRED",
    "SUPPORTED_HEARTBEAT_FIELDS",
    "InvalidMember",
    "MalformedBody",
    "MissingMember",
    "TooManyArtifacts",
    "UnsupportedVersion",
    "WireError",
    "acknowledged",
    "decode_delta",
    "decode_full",
    "not_acknowledged",
    "refusal",
]

HEARTBEAT_VERSION: Final = "v1.0"
BULKY_CHARS: Final = 1024 * 1024
"""A heartbeat from this size on is weighed before it is decoded."""
OTHER_MEMBERS_BYTES_MAX: Final = 1024 * 1024
"""What members of a bulky heartbeat that are neither texts nor artifacts nor kept as they are may be together."""
CONTAINERS_MAX: Final = 5 * ENTRIES_TOTAL_MAX
"""Braces and brackets in the artifacts of a bulky heartbeat, those in texts included: an entry has a few, in its path too."""

_is_runtime_id = re.compile(r"[A-Za-z0-9._:-]{1,100}").fullmatch
_HASH_CHARS_MAX: Final = TEXT_CHARS_MAX["runtimeHash"]
_NULL: Final = msgspec.Raw(b"null")


class _Delta(msgspec.Struct, rename="camel", gc=False):
    runtime_id: str | None = None
    runtime_hash: str | None = None
    heartbeat_version: str | None = None


class _Full(msgspec.Struct, rename="camel"):
    heartbeat_version: Json = None
    runtime_id: Json = None
    runtime: Json = None
    runtime_type: Json = None
    runtime_hash: Json = None
    environment: Json = None
    project: Json = None
    component: Json = None
    version: Json = None
    runtime_hostname: Json = None
    runtime_port: Json = None
    node_info: Json = None
    artifacts: msgspec.Raw = _NULL
    log_levels: Json = None
    timestamp: Json = None
    heartbeat_interval_seconds: Json = None
    try_it_host: Json = None
    capabilities: Json = None
    log_handlers: Json = None
    open_api_definitions: msgspec.Raw = _NULL
    workflow_metadata: msgspec.Raw = _NULL


_KEPT_RAW: Final = frozenset({"open_api_definitions", "workflow_metadata"})
_MEMBERS: Final = dict(zip(_Full.__struct_encode_fields__, _Full.__struct_fields__, strict=True))
_decode_delta = msgspec.json.Decoder(_Delta).decode
_decode_full = msgspec.json.Decoder(_Full).decode
_Parts = msgspec.defstruct("_Parts", [(field, msgspec.Raw, _NULL) for field in _Full.__struct_fields__], rename="camel")
"""The members of a full heartbeat as they stand in the body."""
_decode_parts = msgspec.json.Decoder(_Parts).decode


def decode_delta(body: bytes) -> DeltaHeartbeat:
    """Read a delta heartbeat.

    Raises: WireError
    """
    try:
        delta = _decode_delta(read_body(body))
    except msgspec.ValidationError:
        delta = _blunt_delta(body)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if delta.heartbeat_version != HEARTBEAT_VERSION and delta.heartbeat_version is not None:
        _refuse_version()
    runtime_id, runtime_hash = delta.runtime_id, delta.runtime_hash
    if runtime_id is None or not _is_runtime_id(runtime_id):
        _refuse_runtime_id(runtime_id)
    if runtime_hash is None:
        _refuse_missing("runtimeHash")
    return DeltaHeartbeat(runtime_id=runtime_id, runtime_hash=runtime_hash[:_HASH_CHARS_MAX])


def _blunt_delta(body: bytes) -> _Delta:
    """Find out which member of a delta is of the wrong type."""
    notes = Notes()
    full = _parse_full(body, notes)
    if full.heartbeat_version is not None and type(full.heartbeat_version) is not str:
        _refuse_version()
    return _Delta(_runtime_id(full), _required(full, "runtimeHash", notes), full.heartbeat_version)


def decode_full(body: bytes) -> FullHeartbeat:
    """Read a full heartbeat.

    Raises: WireError
    """
    notes = Notes()
    full = _parse_full(body, notes)
    if full.heartbeat_version is not None and full.heartbeat_version != HEARTBEAT_VERSION:
        _refuse_version()
    runtime_id = _runtime_id(full)
    runtime_type = _runtime_type(full.runtime_type)
    document = bytes(full.artifacts)
    if document == b"null":
        _refuse_missing("artifacts")
    artifacts, flags = _artifacts(document)

    def text(value: Json, key: str) -> str | None:
        return read_text(value, key, key, notes) if value is not None else None

    return FullHeartbeat(
        runtime_id=runtime_id,
        runtime_type=runtime_type,
        runtime_hash=_required(full, "runtimeHash", notes),
        environment=_required(full, "environment", notes),
        project=_required(full, "project", notes),
        integration=_required(full, "component", notes),
        artifacts=artifacts,
        runtime_name=text(full.runtime, "runtime") or None,
        version=text(full.version, "version"),
        node=read_node(full.node_info, full.runtime_hostname, full.runtime_port, notes),
        log_levels=read_log_levels(full.log_levels, notes),
        sent_at=read_time_s(full.timestamp, "timestamp", notes),
        interval_s=read_interval_s(full.heartbeat_interval_seconds, notes),
        try_it_host=text(full.try_it_host, "tryItHost"),
        open_api_definitions=read_raw_object(full.open_api_definitions, "openApiDefinitions", notes),
        workflow_metadata=read_raw_object(full.workflow_metadata, "workflowMetadata", notes),
        capabilities=read_capabilities(full.capabilities, notes),
        log_handlers=read_log_handlers(full.log_handlers, notes),
        flags=notes.flags() + flags,
    )


def _artifacts(document: bytes) -> tuple[ArtifactSet, tuple[str, ...]]:
    try:
        try:
            return read_artifacts(document)
        except msgspec.DecodeError:
            return read_artifacts(drop_endless_numbers(document.decode()))
    except (ValueError, RecursionError):
        raise _malformed() from None


def _parse_full(body: bytes, notes: Notes) -> _Full:
    try:
        text = read_body(body)
        try:
            return _decode_whole(text, notes)
        except msgspec.DecodeError:
            text = replace_lone_surrogates(text)
        try:
            return _decode_whole(text, notes)
        except msgspec.DecodeError:
            return _decode_full(drop_endless_numbers(text))
    except (ValueError, RecursionError):
        raise _malformed() from None


def _decode_whole(text: str, notes: Notes) -> _Full:
    if len(text) < BULKY_CHARS:
        return _decode_full(text)
    return _decode_full(msgspec.json.encode(_weighed(_decode_parts(text), notes)))


def _weighed(parts: msgspec.Struct, notes: Notes) -> msgspec.Struct:
    """Leave out of a bulky heartbeat what would fill memory with objects that nobody keeps, before it becomes objects.

    Raises: TooManyArtifacts
    """
    left = OTHER_MEMBERS_BYTES_MAX
    for member, field in _MEMBERS.items():
        raw = bytes(getattr(parts, field))
        if field == "artifacts":
            if raw.count(b"{") + raw.count(b"[") > CONTAINERS_MAX:
                refuse_too_many(member)
        elif not raw.startswith(b'"') and field not in _KEPT_RAW:
            if len(raw) <= left:
                left -= len(raw)
            else:
                notes.add(f"{member}: too large, ignored")
                setattr(parts, field, _NULL)
    return parts


def _malformed() -> MalformedBody:
    return MalformedBody(
        "Invalid heartbeat: the body is not a JSON object in UTF-8.",
        fix="Update the runtime's bridge, or check what rewrites its requests.",
    )


def _refuse_version() -> NoReturn:
    raise UnsupportedVersion(
        f"Invalid heartbeat: `heartbeatVersion` is not {HEARTBEAT_VERSION}.",
        field="heartbeatVersion",
        fix="Update the control plane, or use a bridge that speaks this version.",
    )


def _refuse_missing(field: str) -> NoReturn:
    raise MissingMember(
        f"Invalid heartbeat: `{field}` is missing.",
        field=field,
        fix=f"Update the runtime's bridge: every heartbeat has `{field}`.",
    )


def _refuse_runtime_id(runtime_id: Json) -> NoReturn:
    if runtime_id is None:
        _refuse_missing("runtimeId")
    raise InvalidMember(
        "Invalid heartbeat: `runtimeId` is not 1 to 100 characters of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`.",
        field="runtimeId",
        fix="Remove the runtime's id file and restart it: it makes a new one.",
    )


def _runtime_id(full: _Full) -> str:
    runtime_id = full.runtime_id
    if type(runtime_id) is not str or not _is_runtime_id(runtime_id):
        _refuse_runtime_id(runtime_id)
    return runtime_id


def _runtime_type(value: Json) -> RuntimeType:
    if value is None:
        _refuse_missing("runtimeType")
    try:
        return RuntimeType(value)
    except ValueError:
        raise InvalidMember(
            f"Invalid heartbeat: `runtimeType` is none of {', '.join(RuntimeType)}.",
            field="runtimeType",
            fix="Use a runtime that the control plane knows.",
        ) from None


def _required(full: _Full, field: str, notes: Notes) -> str:
    value = getattr(full, _MEMBERS[field])
    if value is None:
        _refuse_missing(field)
    text = read_text(value, field, field, notes)
    if text is None:
        raise InvalidMember(
            f"Invalid heartbeat: `{field}` is not a text.", field=field, fix="Update the runtime's bridge."
        )
    return text
