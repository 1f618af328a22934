"""Members of a full heartbeat that have a shape of their own; none of them can make it fail.

Source: contracts/README.md.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from pilothouse.domain.runtime import LogHandler, NodeFacts
from pilothouse.protocol.wire_values import (
    Json,
    JsonObject,
    Notes,
    is_list,
    is_object,
    read_integer,
    read_number,
    read_text,
    read_time_s,
)

RAW_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of `openApiDefinitions` and of `workflowMetadata`; what is larger is dropped, and flagged."""
CAPABILITIES_MAX: Final = 32
LOGGERS_MAX: Final = 10_000
HANDLERS_MAX: Final = 200
INTERVAL_S_MAX: Final = 86_400.0


def read_node(value: Json, hostname: Json, port: Json, notes: Notes) -> NodeFacts:
    """Read `nodeInfo`, and beside it where the runtime says that its management API listens."""
    if not is_object(value):
        if value is not None:
            notes.add("nodeInfo: not an object, ignored")
        value = {}
    members: JsonObject = value

    def text(key: str) -> str | None:
        value = members.get(key)
        return None if value is None else read_text(value, key, f"nodeInfo.{key}", notes)

    return NodeFacts(
        hostname=text("hostname"),
        process_id=read_integer(members.get("processId"), "nodeInfo.processId", notes),
        platform_name=text("platformName"),
        platform_version=text("platformVersion"),
        platform_home=text("platformHome") or text("carbonHome") or text("ballerinaHome"),
        os_name=text("osName"),
        os_version=text("osVersion"),
        os_arch=text("osArch"),
        started_at=read_time_s(members.get("startedAt"), "nodeInfo.startedAt", notes),
        management_hostname=read_text(hostname, "runtimeHostname", "runtimeHostname", notes),
        management_port=read_text(port, "runtimePort", "runtimePort", notes),
    )


def read_log_levels(value: Json, notes: Notes) -> Mapping[str, str] | None:
    """Read levels by logger; None when the heartbeat is silent about them."""
    if not is_object(value):
        if value is not None:
            notes.add("logLevels: not an object, ignored")
        return None
    levels: dict[str, str] = {}
    for logger, level in value.items():
        if len(levels) >= LOGGERS_MAX:
            notes.add(f"logLevels: more than {LOGGERS_MAX} loggers, the rest ignored")
            break
        text = read_text(level, "level", "logLevels", notes)
        if text:
            levels[read_text(logger, "logger", "logLevels", notes) or ""] = text
    return levels


def read_log_handlers(value: Json, notes: Notes) -> tuple[LogHandler, ...]:
    """Read the handlers that hide what their loggers let through, sorted."""
    if not is_list(value):
        if value is not None:
            notes.add("logHandlers: not a list, ignored")
        return ()
    if len(value) > HANDLERS_MAX:
        notes.add(f"logHandlers: more than {HANDLERS_MAX}, the rest ignored")
    handlers: set[LogHandler] = set()
    for entry in value[:HANDLERS_MAX]:
        if not is_object(entry):
            notes.add("logHandlers[]: not an object, ignored")
            continue
        logger, handler, level = (
            read_text(entry.get(key), key, f"logHandlers[].{key}", notes) for key in ("logger", "handler", "level")
        )
        if logger and handler and level:
            handlers.add(LogHandler(logger=logger, handler=handler, level=level))
    return tuple(sorted(handlers))


def read_interval_s(value: Json, notes: Notes) -> float | None:
    """Read the interval that the sender keeps."""
    interval_s = read_number(value, "heartbeatIntervalSeconds", notes)
    if interval_s is not None and not 0 < interval_s <= INTERVAL_S_MAX:
        notes.add(f"heartbeatIntervalSeconds: not between 0 and {INTERVAL_S_MAX:.0f}, ignored")
        return None
    return interval_s


def read_capabilities(value: Json, notes: Notes) -> tuple[str, ...]:
    """Read what the runtime says it can do, sorted."""
    if not is_list(value):
        if value is not None:
            notes.add("capabilities: not a list, ignored")
        return ()
    if len(value) > CAPABILITIES_MAX:
        notes.add(f"capabilities: more than {CAPABILITIES_MAX}, the rest ignored")
    texts = (read_text(entry, "capability", "capabilities", notes) for entry in value[:CAPABILITIES_MAX])
    return tuple(sorted({text for text in texts if text}))


def read_raw_object(raw: msgspec.Raw, where: str, notes: Notes) -> msgspec.Raw | None:
    """Read a document that is kept as it is; a copy, since a `Raw` holds on to the whole body."""
    document = bytes(raw)
    if document == b"null":
        return None
    if not document.startswith(b"{"):
        notes.add(f"{where}: not an object, ignored")
        return None
    if len(document) > RAW_BYTES_MAX:
        notes.add(f"{where}: larger than {RAW_BYTES_MAX} bytes, ignored")
        return None
    return msgspec.Raw(document)
