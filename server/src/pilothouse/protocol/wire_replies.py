"""Answers to heartbeats, as bytes.

`fullHeartbeatRequired`, `commands` and `supportedHeartbeatFields` are never null: Ballerina could not bind them.
"""

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from typing import Final

import msgspec

SUPPORTED_HEARTBEAT_FIELDS: Final = ("tryItHost", "openApiDefinitions", "workflowMetadata")
"""In every acknowledgement, in this order: a Ballerina runtime sends a full heartbeat whenever the list changes."""

_encode = msgspec.json.Encoder().encode


def _acknowledgement(full_required: bool, commands: SequenceOf[object], next_s: int | None) -> bytes:
    reply: dict[str, object] = {
        "acknowledged": True,
        "fullHeartbeatRequired": full_required,
        "commands": commands,
        "supportedHeartbeatFields": SUPPORTED_HEARTBEAT_FIELDS,
    }
    if next_s is not None:
        reply["nextHeartbeatInSeconds"] = next_s
    return _encode(reply)


ACKNOWLEDGED: Final = _acknowledgement(full_required=False, commands=(), next_s=None)
ACKNOWLEDGED_FULL_REQUIRED: Final = _acknowledgement(full_required=True, commands=(), next_s=None)


def acknowledged(full_required: bool, commands: SequenceOf[object] = (), next_s: int | None = None) -> bytes:
    """Say that the heartbeat counts.

    Shape: `commands` as the wire has them, structs or dicts. Units: `next_s` in whole seconds, at least one.
    """
    if commands or next_s is not None:
        return _acknowledgement(full_required, commands, next_s)
    return ACKNOWLEDGED_FULL_REQUIRED if full_required else ACKNOWLEDGED


def not_acknowledged(errors: Iterable[str], *, code: str = "", fix: str = "") -> bytes:
    """Say that the heartbeat does not count, and that the runtime may go on: what is wrong heals without it."""
    reply: dict[str, object] = {"acknowledged": False, "commands": (), "errors": tuple(errors)}
    if code:
        reply |= {"code": code, "fix": fix}
    return _encode(reply)


def refusal(code: str, message: str, fix: str) -> bytes:
    """Say what an operator must mend."""
    return _encode({"acknowledged": False, "error": True, "code": code, "message": message, "fix": fix})
