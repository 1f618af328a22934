"""Commands to the wire, and results from it.

Source: contracts/commands/README.md; reference/runtime-protocol.md sections 6.1, 6.2, 6.7.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pilothouse.base.errors import Refused
from pilothouse.base.instants import Instant, to_datetime
from pilothouse.domain.commands import GRACE_S, WIRE_ACTIONS, WRITE_DEADLINE_S, Command, CommandAction, CommandResult
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.management.translate import call_for
from pilothouse.protocol.token import SigningKey
from pilothouse.protocol.wire_text import read_body, replace_lone_surrogates
from pilothouse.storage.commands import SteeredRuntime

MI_TARGET: Final = "management"
WORKFLOW_TARGET: Final = "workflow"
_LOGGERS_SHOWN_MAX: Final = 1_000
_RESULT_IDS_LENGTH_MAX: Final = 100
_NAMELESS: Final = {CommandAction.LIST_LOGGERS: "loggers"}
_HTTP_OK: Final = 200


class InvalidResult(Refused):
    """What a runtime posted is no result of a command."""

    code = "COMMAND_RESULT_INVALID"


class _Result(msgspec.Struct, rename="camel"):
    runtime_id: str
    command_id: str
    status: str
    http_status: int | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


_decode_result = msgspec.json.Decoder(_Result).decode


def to_wire(
    command: Command, runtime: SteeredRuntime, key: SigningKey, now: Instant, opened: str | None = None
) -> dict[str, object]:
    """Write a command as its runtime understands it, signed with the key that it is in touch by.

    opened: the payload of a sealed one, opened
    """
    action, name, package, payload = _told(command, runtime, opened)
    told: dict[str, object] = {
        "commandId": command.id,
        "runtimeId": runtime.runtime_id,
        "targetArtifact": {"name": name, "package": package},
        "action": action,
        "issuedAt": [int(now), round(now % 1, 3)],
        "status": "PENDING",
    }
    if payload is not None:
        told["payload"] = payload
    told["signature"] = sign(key, runtime.runtime_id, command.id, action, name, package, payload or "")
    return told


def sign(key: SigningKey, runtime_id: str, command_id: str, action: str, name: str, package: str, payload: str) -> str:
    """Sign a command: Base64 of HMAC-SHA256 over its parts, each with its length in bytes (section 6.2)."""
    parts = ("v1", runtime_id, command_id, action, name, package, payload)
    signed = b"".join(b"%d:%s" % (len(part), part) for part in (text.encode() for text in parts))
    return base64.b64encode(key.sign(signed)).decode("ascii")


def decode_result(body: bytes) -> CommandResult:
    """Read what a runtime posts about a command.

    Raises: InvalidResult
    """
    try:
        text = read_body(body)
        try:
            result = _decode_result(text)
        except msgspec.DecodeError:
            result = _decode_result(replace_lone_surrogates(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidResult(f"Invalid command result: {str(error)[:200]}", fix="Update the runtime's bridge.") from None
    if result.status not in {"COMPLETED", "FAILED"}:
        raise InvalidResult(
            "Invalid command result: `status` is neither COMPLETED nor FAILED.",
            field="status",
            fix="Update the runtime's bridge.",
        )
    for field, text in (("runtimeId", result.runtime_id), ("commandId", result.command_id)):
        if not 0 < len(text) <= _RESULT_IDS_LENGTH_MAX:
            raise InvalidResult(
                f"Invalid command result: `{field}` has not 1 to {_RESULT_IDS_LENGTH_MAX} characters.",
                field=field,
                fix="Update the runtime's bridge.",
            )
    return CommandResult(
        runtime_id=result.runtime_id,
        command_id=result.command_id,
        completed=result.status == "COMPLETED",
        http_status=_HTTP_OK if result.http_status is None else result.http_status,
        body=msgspec.Raw(bytes(result.body)),
    )


def _told(command: Command, runtime: SteeredRuntime, opened: str | None) -> tuple[str, str, str, str | None]:
    if runtime.runtime_type is RuntimeType.MI:
        call = call_for(command, opened)
        return "MI_MGMT", MI_TARGET, "", _record(command, "management", call.params())
    if command.action is CommandAction.WORKFLOW:
        asked = msgspec.json.decode(command.payload or "{}")
        return "WORKFLOW_MGMT", WORKFLOW_TARGET, "", _record(command, asked["operation"], asked["params"])
    action = WIRE_ACTIONS[command.action]
    if command.action is CommandAction.SET_LOGGER_LEVEL:
        package, _, name = (
            command.name.rpartition(":") if runtime.runtime_type is RuntimeType.BI else ("", "", command.name)
        )
        members = {"componentName": name, **({"componentPackage": package} if package else {})}
        return action, name, package, _json({**members, "logLevel": command.value})
    if runtime.runtime_type is RuntimeType.BI:
        return action, command.name, command.package, None
    return (
        action,
        command.name or _NAMELESS.get(command.action, "runtime"),
        command.package,
        _json(_python_payload(command)),
    )


def _python_payload(command: Command) -> Mapping[str, object]:
    kind = {} if command.kind is None else {"kind": command.kind.value}
    if command.action is CommandAction.RESET_LOGGER_LEVEL:
        return {"componentName": command.name}
    if command.action is CommandAction.LIST_LOGGERS:
        asked = msgspec.json.decode(command.payload or "{}")
        return {"search": asked.get("name") or "", "limit": _LOGGERS_SHOWN_MAX}
    if command.action is CommandAction.TRIGGER:
        return kind
    return {**kind, "graceSeconds": GRACE_S}


def _record(command: Command, operation: str, params: Mapping[str, Any]) -> str:  # Any: JSON
    """Write the tunnel's record: exactly these members, none of them null (section 6.7)."""
    return _json(
        {
            "commandId": command.id,
            "operation": operation,
            "params": params,
            "identity": {"userId": command.author, "roles": []},
            "deadline": to_datetime(_deadline(command)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _json(members: Mapping[str, object]) -> str:
    return msgspec.json.encode(members).decode()


def _deadline(command: Command) -> Instant:
    """A command that serves a wish has no deadline of its own: each delivery of it has."""
    if command.deadline is not None:
        return command.deadline
    return (command.delivered_at or command.queued_at) + WRITE_DEADLINE_S
