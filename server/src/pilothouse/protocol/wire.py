"""Heartbeats: bytes to untrusted structs, and answers to bytes. Nothing here believes what it reads.

Unknown members are ignored, null is absent, what is odd but harmless is kept, cut or dropped, and flagged.
Refused is only what an operator must mend: 400 stops Micro Integrator's heartbeats for good.
NUL characters are removed and lone surrogates replaced, here and once, so that no database ever sees one.
Duplicate members: the last one counts.

Source: contracts/README.md, contracts/heartbeat/v1. Budget: 2 µs for `decode_delta`.
"""

import json
import math
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
from pilothouse.protocol.wire_values import (
    INTEGER_MAX,
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

_is_runtime_id = re.compile(r"[A-Za-z0-9._:-]{1,100}").fullmatch
_HASH_CHARS_MAX: Final = TEXT_CHARS_MAX["runtimeHash"]
_NULL: Final = msgspec.Raw(b"null")
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


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


_MEMBERS: Final = dict(zip(_Full.__struct_encode_fields__, _Full.__struct_fields__, strict=True))
_decode_delta = msgspec.json.Decoder(_Delta).decode
_decode_full = msgspec.json.Decoder(_Full).decode


def decode_delta(body: bytes) -> DeltaHeartbeat:
    """Read a delta heartbeat.

    Raises: WireError
    """
    try:
        delta = _decode_delta(_text(body))
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
    full, notes = _parse_full(body), Notes()
    if full.heartbeat_version is not None and type(full.heartbeat_version) is not str:
        _refuse_version()
    return _Delta(_runtime_id(full), _required(full, "runtimeHash", notes), full.heartbeat_version)


def decode_full(body: bytes) -> FullHeartbeat:
    """Read a full heartbeat.

    Raises: WireError
    """
    full = _parse_full(body)
    notes = Notes()
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
            return read_artifacts(_mended(document.decode()))
    except (ValueError, RecursionError):
        raise _malformed() from None


def _text(body: bytes) -> str:
    """Decode all of it, since the JSON decoder does not look into what it skips, and remove NUL characters."""
    text = body.decode()
    return _ESCAPED_NUL.sub(r"\1", text) if "\\u0000" in text else text


def _parse_full(body: bytes) -> _Full:
    try:
        text = _text(body)
        try:
            return _decode_full(text)
        except msgspec.DecodeError:
            return _decode_full(_mended(text))
    except (ValueError, RecursionError):
        raise _malformed() from None


def _mended(text: str) -> bytes:
    """Rewrite JSON that is well formed, but holds a lone surrogate or a number beyond every range.

    Raises: ValueError, RecursionError
    """
    document = json.loads(text, parse_int=_integer_or_none, parse_float=_float_or_none, parse_constant=_no_constant)
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _integer_or_none(digits: str) -> int | None:
    return int(digits) if len(digits) < len(str(INTEGER_MAX)) else None


def _float_or_none(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


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
