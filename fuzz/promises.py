"""What holds for every body, whatever its bytes are: the same for the harnesses and for the properties in the tests."""

import contextlib
import json
from collections.abc import Iterator

import msgspec
from pilothouse.base.errors import Refused
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.operations.heartbeats import fingerprint, prepare_artifacts
from pilothouse.protocol.wire import WireError, decode_delta, decode_full
from pilothouse.protocol.wire_commands import InvalidResult, decode_result

NOW = 1_790_000_000.0
INTEGER_MAX = 2**63 - 1


def full_or_refused(body: bytes) -> FullHeartbeat | None:
    """A full heartbeat is refused in our words, or all that is kept of it can be stored and read again."""
    try:
        heartbeat = decode_full(body)
    except WireError as refusal:
        assert refusal.message
        assert refusal.fix
        return None
    prepared = prepare_artifacts(heartbeat)
    assert artifact_set.decode(artifact_set.pack(prepared.document)) == heartbeat.artifacts
    assert artifact_set.encode(artifact_set.decode(prepared.document)) == prepared.document
    assert len(fingerprint(heartbeat, prepared, "key", NOW)) == len(fingerprint(heartbeat, prepared, "other", NOW))
    kept = msgspec.json.encode(heartbeat)
    assert b"\\u0000" not in kept.replace(b"\\\\", b"")
    kept.decode()  # no half characters
    assert all(
        abs(number) <= INTEGER_MAX for number in numbers_in(msgspec.to_builtins((heartbeat.artifacts, heartbeat.node)))
    )
    assert len(heartbeat.flags) < 300  # noqa: PLR2004 - as many as there are places and troubles, not as there are entries
    return heartbeat


def numbers_in(value: object) -> Iterator[int]:
    """List the whole numbers in something: each must be such as every database holds."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for member in value:
            yield from numbers_in(member)
    elif isinstance(value, int):
        yield value


def delta_or_refused(body: bytes) -> None:
    """A delta is refused in our words, or it has an id and a hash, and a full one would name the same."""
    try:
        delta = decode_delta(body)
    except WireError:
        return
    assert delta.runtime_id.isascii()
    assert "\0" not in delta.runtime_hash
    delta.runtime_hash.encode("utf-8")
    with contextlib.suppress(WireError):
        full = decode_full(body)
        assert (full.runtime_id, full.runtime_hash) == (delta.runtime_id, delta.runtime_hash)


def result_or_refused(body: bytes) -> None:
    """A command's result is refused in our words, or what is kept of it reads the same a second time."""
    try:
        result = decode_result(body)
    except Refused as refusal:
        assert isinstance(refusal, InvalidResult)
        assert refusal.message
        return
    kept = bytes(result.body)
    kept.decode()
    told = {
        "runtimeId": result.runtime_id,
        "commandId": result.command_id,
        "status": "COMPLETED" if result.completed else "FAILED",
        "httpStatus": result.http_status,
    }
    again = decode_result(json.dumps(told).encode()[:-1] + b',"body":' + kept + b"}")
    assert (again.runtime_id, again.command_id, again.completed, again.http_status, bytes(again.body)) == (
        result.runtime_id,
        result.command_id,
        result.completed,
        result.http_status,
        kept,
    )
