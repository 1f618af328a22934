"""Heartbeat ↔ JSON: the only module that knows a wire key of heartbeats (``_order`` knows those of commands).

Source: contracts/README.md and contracts/heartbeat/v1.
"""

import base64
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Final, cast

from pilothouse_bridge._inventory import Consumer, Inventory, Listener, Resource, Schedule, Service
from pilothouse_bridge._node import Node
from pilothouse_bridge._order import Command, printable, read_command

FULL_PATH: Final = "/icp/heartbeat"
DELTA_PATH: Final = "/icp/deltaHeartbeat"
_VERSION: Final = "v1.0"
DEFINITIONS_LIMIT: Final = 3_145_728


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a full heartbeat says, but for the moment it is said."""

    runtime_id: str
    runtime: str | None
    environment: str
    project: str
    integration: str
    version: str | None
    heartbeat_interval_s: float
    node: Node
    inventory: Inventory
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FullMessage:
    """A report ready for the wire; ``hash`` is an opaque equality token over all of it."""

    hash: str
    _members: dict[str, object] = field(repr=False)
    _definitions: dict[str, str] = field(repr=False, default_factory=dict[str, str])

    def encode(self, now_s: float) -> bytes:
        """The bytes to send at this moment."""
        definitions: dict[str, object] = {name: json.loads(text) for name, text in self._definitions.items()}
        told: dict[str, object] = {"openApiDefinitions": definitions} if definitions else {}
        return _json(self._members | told | {"runtimeHash": self.hash, "timestamp": _utc_tuple(now_s)})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to a heartbeat that it understood."""

    acknowledged: bool
    full_heartbeat_required: bool = False
    next_heartbeat_s: float | None = None
    errors: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's reason for not accepting a heartbeat; each part may be empty."""

    code: str
    message: str
    fix: str


def full(report: Report) -> FullMessage:
    """Prepare a full heartbeat."""
    members: dict[str, object] = {
        "runtimeId": report.runtime_id,
        "runtime": report.runtime,
        "runtimeType": "PY",
        "heartbeatVersion": _VERSION,
        "heartbeatIntervalSeconds": _number(report.heartbeat_interval_s),
        "status": "RUNNING",
        "environment": report.environment,
        "project": report.project,
        "component": report.integration,
        "version": report.version,
        "nodeInfo": _node(report.node),
        "artifacts": {
            "listeners": [_listener(listener) for listener in report.inventory.listeners],
            "services": [_service(service) for service in report.inventory.services],
        }
        | _unless_empty("consumers", [_consumer(consumer) for consumer in report.inventory.consumers])
        | _unless_empty("schedules", [_schedule(schedule) for schedule in report.inventory.schedules]),
        "logLevels": dict(report.inventory.log_levels),
        **_unless_empty("logHandlers", [_log_handler(*one) for one in report.inventory.log_handlers]),
        **_unless_empty("capabilities", list(report.capabilities)),
    }
    present = _present(members)
    # Truncated or not, the hash is compared for equality only; 44 characters is what a SHA-256 takes in Base64.
    digest = hashlib.sha256(json.dumps(present, sort_keys=True).encode())
    definitions = _definitions(report.inventory.services)
    for name, text in definitions.items():
        digest.update(f"\n{name}\n{text}".encode("utf-8", "surrogatepass"))
    return FullMessage(base64.b64encode(digest.digest()).decode("ascii"), present, definitions)


def delta(runtime_id: str, known_hash: str, now_s: float) -> bytes:
    """A sign of life: nothing has changed since the full heartbeat with this hash."""
    return _json(
        {
            "heartbeatVersion": _VERSION,
            "runtimeId": runtime_id,
            "runtimeHash": known_hash,
            "timestamp": _utc_tuple(now_s),
        }
    )


def read_answer(body: bytes) -> Answer:
    """Decode a 2xx answer; members that we do not know, or that are odd, are passed over.

    Raises: ValueError with a sentence when it is no answer at all.
    """
    members = _object(body)
    acknowledged = members.get("acknowledged")
    if not isinstance(acknowledged, bool):
        raise ValueError("'acknowledged' is missing")  # noqa: TRY004 - bad data from outside, not a caller's mistake
    hint = members.get("nextHeartbeatInSeconds")
    usable = isinstance(hint, int | float) and not isinstance(hint, bool) and math.isfinite(hint) and hint > 0
    return Answer(
        acknowledged=acknowledged,
        full_heartbeat_required=members.get("fullHeartbeatRequired") is True,
        next_heartbeat_s=float(cast("float", hint)) if usable else None,
        errors=tuple(str(item) for item in _list(members.get("errors"))) or _texts(members.get("message")),
        commands=tuple(command for item in _list(members.get("commands")) if (command := read_command(item))),
    )


def read_refusal(body: bytes) -> Refusal:
    """Decode an answer that is no 2xx, whatever its shape: older servers send bare text."""
    try:
        members = _object(body)
    except ValueError:
        return Refusal("", printable(body.decode("utf-8", errors="replace")), "")
    code, message, fix = (printable(str(members.get(key) or "")) for key in ("code", "message", "fix"))
    return Refusal(code, message, fix)


def _node(node: Node) -> dict[str, object]:
    return _present(
        {
            "platformName": node.platform_name,
            "platformVersion": node.platform_version,
            "platformHome": node.platform_home,
            "osName": node.os_name,
            "osVersion": node.os_version,
            "osArch": node.os_arch,
            "hostname": node.hostname,
            "processId": node.process_id,
            "startedAt": _utc_tuple(node.started_at_s),
        }
    )


def _listener(listener: Listener) -> dict[str, object]:
    return _present(
        {
            "name": listener.name,
            "package": listener.package,
            "state": listener.state.value,
            "protocol": listener.protocol,
            "host": listener.host,
            "port": listener.port,
            "stateReason": listener.state_reason,
        }
    )


def _consumer(consumer: Consumer) -> dict[str, object]:
    return _present(
        {
            "name": consumer.name,
            "package": consumer.package,
            "state": consumer.state.value,
            "stateReason": consumer.state_reason,
            "protocol": consumer.protocol,
            "source": consumer.source,
            "group": consumer.group,
            "handler": consumer.handler,
        }
    )


def _schedule(schedule: Schedule) -> dict[str, object]:
    return _present(
        {
            "name": schedule.name,
            "package": schedule.package,
            "state": schedule.state.value,
            "stateReason": schedule.state_reason,
            "trigger": schedule.trigger,
            "handler": schedule.handler,
        }
    )


def _log_handler(logger: str, handler: str, level: str) -> dict[str, object]:
    return {"logger": logger, "handler": handler, "level": level}


def _service(service: Service) -> dict[str, object]:
    return {
        "name": service.name,
        "basePath": service.base_path,
        "package": service.package,
        "state": "enabled",
        "listeners": [{"name": name} for name in service.listeners],
        "resources": [_resource(resource) for resource in service.resources],
    }


def _definitions(services: tuple[Service, ...]) -> dict[str, str]:
    """OpenAPI documents by file name, as far as they fit into what servers keep."""
    told: dict[str, str] = {}
    left = DEFINITIONS_LIMIT
    for service in services:
        if service.definition is not None and len(service.definition) <= left:
            left -= len(service.definition)
            told[f"{service.name}.json"] = service.definition
    return told


def _resource(resource: Resource) -> dict[str, object]:
    return _present({"methods": list(resource.methods), "url": resource.url, "source": resource.source})


def _present(members: dict[str, object]) -> dict[str, object]:
    """Absent, not null: older servers refuse a null."""
    return {key: value for key, value in members.items() if value is not None}


def _unless_empty(key: str, items: list[object] | list[dict[str, object]] | list[str]) -> dict[str, object]:
    """Absent, not empty: older servers do not know these."""
    return {key: items} if items else {}


def _utc_tuple(seconds: float) -> list[object]:
    whole = math.floor(seconds)
    return [whole, round(seconds - whole, 6)]


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _json(members: dict[str, object]) -> bytes:
    # Lone surrogates (file names that are no text) have no UTF-8 form: escaped by ensure_ascii, they still arrive.
    return json.dumps(members, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _object(body: bytes) -> dict[str, object]:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - bad data from outside, not a caller's mistake
    return cast("dict[str, object]", document)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and value else ()
